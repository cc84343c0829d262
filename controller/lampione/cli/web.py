"""`lampione web`: the screens in a browser, until Ctrl-C."""

import argparse
import asyncio
import signal
import socket

from lampione.cli import entry
from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.output import Printer, printer
from lampione.core.client import Client


def web(options: argparse.Namespace) -> int:
    """`lampione web`."""
    try:
        from lampione.web import gate
    except ImportError:
        raise CliError("the browser's part is not installed: pip install 'lampione[web]'") from None
    if not gate.is_loopback(options.host) and not options.in_the_clear:
        raise CliError(
            f"{options.host} can be reached by others, and nothing is encrypted: use `ssh -L`, or "
            "say --in-the-clear if that is what you mean",
            USAGE,
        )
    try:
        token = gate.token_of(options.token_file)
    except gate.TokenError as error:
        raise CliError(str(error)) from None
    with Client.open(options.state) as client:  # said now, not in every browser
        entry.enter(client, options)
    try:
        listening = socket.create_server((options.host, options.port))
    except OSError as error:
        raise CliError(
            f"{options.host}:{options.port}: {error.strerror}: choose another --port", FAILED
        ) from None
    with listening:
        asyncio.run(_serve(printer(options), options, token, listening))
    return OK


async def _serve(
    out: Printer, options: argparse.Namespace, token: str, listening: socket.socket
) -> None:
    from aiohttp import web as http

    from lampione.web.gate import Gate
    from lampione.web.server import WebServer, command

    port = listening.getsockname()[1]
    names = {options.host} | ({"127.0.0.1", "localhost"} if _is_here(options.host) else set())
    gate = Gate(token, port, frozenset(f"{name}:{port}" for name in names))
    screen = command(options.state, read_only=options.read_only, operator=options.operator)
    runner = http.AppRunner(
        WebServer(gate, screen).application(), access_log=None, handle_signals=False
    )
    await runner.setup()
    await http.SockSite(runner, listening).start()
    url = f"http://{options.host}:{port}/"
    if out.as_json:
        out.json({"url": url, "token": token, "read_only": options.read_only})
    else:
        out.line(f"{url}?token={token}")
        out.line("open this in a browser; whoever has it has the screens. Ctrl-C ends it")
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end.set)
    await end.wait()
    await runner.cleanup()


def _is_here(host: str) -> bool:
    from lampione.web.gate import is_loopback

    return is_loopback(host)

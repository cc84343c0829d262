"""`lampione http`: SensorThings and Prometheus, until Ctrl-C."""

import argparse
import logging
import signal
import threading
from urllib.parse import urlsplit

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.export import places_of
from lampione.cli.output import printer


def http(options: argparse.Namespace) -> int:
    """`lampione http`, until Ctrl-C or SIGTERM."""
    from lampione.cli.store_choice import chosen
    from lampione.core.folder import StateFolder
    from lampione.export.http import DataServer

    if options.url is not None:
        parts = urlsplit(options.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CliError(f"{options.url!r} is no address: write https://data.example", USAGE)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    seed, places = places_of(options)
    engine = chosen(options)
    out = printer(options)
    try:
        server = DataServer(
            (options.host, options.port),
            engine.reader,
            places,
            health_interval_s=seed.fleet.health_interval_s,
            url=options.url,
            state=StateFolder(options.state),
        )
    except OSError as error:
        raise CliError(f"{options.host}:{options.port}: {error.strerror or error}") from None
    with server:
        ended = threading.Event()
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: ended.set())
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        host = f"[{options.host}]" if ":" in options.host else options.host
        address = options.url or f"http://{host}:{server.port}"
        if out.as_json:
            out.json({"ready": True, "url": address, "port": server.port})
        else:
            out.line(f"SensorThings at {address}/v1.1, Prometheus at {address}/metrics")
            out.line("to be read only; Ctrl-C ends it")
        ended.wait()
        server.shutdown()
        thread.join()
    return OK

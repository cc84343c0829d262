"""`demo`, `serve`, `broker`, `keys`: what runs, and what it needs to run."""

import argparse
from pathlib import Path

from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.output import Printer, printer


def demo(options: argparse.Namespace) -> int:
    """`lampione demo`."""
    from lampione.demo.run import Options, run

    if options.json and not options.headless:
        raise CliError("--json is for --headless: the screen has no lines", USAGE)
    return run(
        Options(
            state=options.state if options.own_state else None,
            interval_s=options.interval,
            replay=options.replay,
            spl_db=options.spl,
            dump=options.dump,
            headless=options.headless,
            for_s=options.for_s,
            keep=options.keep,
            as_json=options.json,
        )
    )


def _folder(state: Path) -> Path:
    """Return the state folder, made and private. Raises FolderError."""
    from lampione.core.folder import make_private

    make_private(state)
    return state


def _check_name(text: str, what: str) -> None:
    from lampione_protocol.topics import NAME_MAX, is_name

    if not is_name(text):
        raise CliError(
            f"{text!r} cannot be {what}'s name: use a-z, 0-9 and '-', {NAME_MAX} at most", USAGE
        )


def fleet_file(options: argparse.Namespace) -> Path | None:
    """Return the fleet's file that the options choose."""
    from lampione.desk import configs

    return configs.fleet_file(options.state, options.fleet)


def serve(options: argparse.Namespace) -> int:
    """`lampione serve` and `lampione worker`, until Ctrl-C or SIGTERM."""
    import logging
    import os

    from lampione_hil.put import put

    from lampione import seeds, serve
    from lampione.broker_url import BrokerUrl
    from lampione.core.core import Core
    from lampione.store.engine import open_engine

    url = BrokerUrl.of(options.broker, os.environ)
    seed = seeds.load(fleet_file(options))
    shards: list[str] = options.shards or seed.shards
    for shard in shards:
        _check_name(shard, "a shard")
    one = len(shards) == 1  # then every node is of it, whatever the file says
    engine = None if options.store is None else open_engine(options.store)
    if not options.until_eof:  # else whoever started us has made it, or has removed it since
        _folder(options.state)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    out = printer(options)
    working = options.command == "worker"

    def ready(core: Core) -> None:
        if options.fleet is not None:  # kept, so that every front end knows the sites
            put(options.state / "fleet.toml", options.fleet.read_bytes())
        if out.as_json:
            out.json({"ready": True, "state": str(options.state), "broker": str(core.url)})
        else:
            out.line(f"the controller of {seed.fleet.name} runs in {options.state}")
            where = "by lease" if working else core.shard
            out.line(f"broker {core.url}, shard {where}; Ctrl-C ends it")

    if working:
        from lampione import workers

        if engine is None:
            raise CliError("say which store the workers share: --store postgresql://...", USAGE)
        workers.work(
            options.state,
            shards,
            url,
            engine=engine,
            shard_of=seed.shard_of,
            lasts_s=options.lease_s,
            ready=ready,
            until_eof=options.until_eof,
        )
        return OK
    serve.serve(
        options.state,
        shards,
        url,
        engine=engine,
        shard_of=None if one else seed.shard_of,
        ready=ready,
        until_eof=options.until_eof,
    )
    return OK


def broker(options: argparse.Namespace) -> int:
    """`lampione broker`."""
    from lampione.broker import LocalBroker, Running

    if options.action == "config":
        from lampione.cli.broker_config import config

        return config(options)
    out = printer(options)
    local = LocalBroker(options.state / "broker")
    if options.action == "stop":
        ended = local.stop()
        if out.as_json:
            out.json({"running": False, "stopped": ended})
        else:
            out.line("stopped" if ended else "no broker of ours runs")
        return OK
    running: Running | None
    if options.action == "start":
        _folder(options.state)
        running = local.start(options.port)
    else:
        running = local.status()
    if running is None:
        if out.as_json:
            out.json({"running": False})
        else:
            out.line("no broker of ours runs: `lampione broker start`")
        return FAILED
    if out.as_json:
        out.json({"running": True, "url": str(running.url), "pid": running.pid})
    else:
        how = "runs already" if running.adopted and options.action == "start" else "runs"
        out.line(f"the broker {how} at {running.url} (process {running.pid})")
    return OK


def keys(options: argparse.Namespace) -> int:
    """`lampione keys new`."""
    from lampione import keys as key_files

    out = printer(options)
    names: list[str] = options.nodes
    for name in names:
        _check_name(name, "a node")
    if names and options.all:
        raise CliError("give either nodes or --all", USAGE)
    if not names and not options.all:
        raise CliError("say for which nodes, or --all for those of the fleet", USAGE)
    path = _folder(options.state) / key_files.FILE
    groups: list[str] = []
    if options.all:
        from lampione import seeds

        had = key_files.load(path) if path.exists() else key_files.Keys()
        seed = seeds.load(fleet_file(options))
        names = [n.id for n in seed.running if n.id not in had]
        groups = [name for name in seed.groups if name not in had.groups]
    made = key_files.new(path, names, groups) if names or groups else []
    _report_keys(out, made, groups, path)
    return OK


def _report_keys(out: Printer, made: list[str], groups: list[str], path: Path) -> None:
    if out.as_json:
        out.json({"made": made, "groups": groups, "file": str(path)})
        return
    if made:
        out.line(f"made {len(made)} key{'s' * (len(made) > 1)}: {', '.join(made)}")
    if groups:
        out.line(
            f"made {len(groups)} secret{'s' * (len(groups) > 1)} of groups: {', '.join(groups)}"
        )
    if not made and not groups:
        out.line("every node has its key")
    out.line(f"in {path}: keep a backup where the controller's is not")

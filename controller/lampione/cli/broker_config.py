"""`lampione broker config`: the files of brokers that a city runs."""

import argparse
import re
from pathlib import Path

from lampione import keys, seeds
from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.output import Printer, printer
from lampione.cli.service import fleet_file
from lampione.provision import ca
from lampione.provision.brokers import folder, nats, rules
from lampione.provision.brokers.folder import Written

PORT = 8883
ROUTE_PORT = 6222
MONITOR_PORT = 8222
_LOOPBACK = "127.0.0.1"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def config(options: argparse.Namespace) -> int:
    """Write them."""
    seed = seeds.load(fleet_file(options))
    key_file = options.state / keys.FILE
    nodes = {node.id for node in seed.running}
    if key_file.exists():
        nodes |= keys.load(key_file).keys()
    clients = rules.clients(seed, nodes)
    hosts = _hosts(options)
    for path in (options.out, options.installed):
        if path is not None and not str(path).isprintable():
            raise CliError(f"{str(path)!r}: a broker's file cannot name such a folder", USAGE)
    authority = None
    if options.tls or options.mosquitto:
        authority = ca.Authority.open(
            options.ca or ca.default_folder(), seed.fleet.name, apart_from=options.state
        )
    elif set(hosts) != {_LOOPBACK}:
        raise CliError("without --tls a broker may listen on the loopback only", USAGE)
    if options.mosquitto:
        assert authority is not None
        port = options.port or PORT
        written = folder.write_mosquitto(
            options.out, hosts[0], port, clients, authority, options.installed
        )
        urls = [f"{hosts[0]}:{port}"]
    else:
        servers = _servers(options, hosts)
        written = folder.write_nats(options.out, servers, clients, authority, sync=options.sync)
        urls = [f"{server.host}:{server.mqtt_port}" for server in servers]
    _tell(printer(options), options, written, urls, len(nodes), secure=authority is not None)
    return OK


def _hosts(options: argparse.Namespace) -> list[str]:
    hosts: list[str] | None = options.hosts
    for host in hosts or ():  # it goes into the brokers' files and the controller's URL
        if not _HOST.fullmatch(host):
            raise CliError(
                f"--hosts: {host!r} is no host: write names or IPv4 addresses, a comma between",
                USAGE,
            )
    if options.mosquitto:
        if len(hosts or "1") > 1 or (options.count or 1) > 1:
            raise CliError("mosquitto has no cluster: give one host", USAGE)
        return hosts or [_LOOPBACK]
    if hosts is None:
        return [_LOOPBACK] * (options.count or 3)
    if not all(hosts) or len(hosts) not in (1, 3, 5) or options.count not in (None, len(hosts)):
        raise CliError("a cluster has 1, 3 or 5 servers: give as many hosts", USAGE)
    return hosts


def _servers(options: argparse.Namespace, hosts: list[str]) -> list[nats.Server]:
    """Return the servers; those of one machine get ports and folders of their own."""
    port: int = options.port or PORT
    lies: Path = options.installed or options.out.absolute()
    together = len(set(hosts)) < len(hosts)
    return [
        nats.Server(
            f"nats-{n + 1}",
            host,
            port + n if together else port,
            ROUTE_PORT + n if together else ROUTE_PORT,
            MONITOR_PORT + n if together else MONITOR_PORT,
            lies / f"nats-{n + 1}",
        )
        for n, host in enumerate(hosts)
    ]


def _tell(
    out: Printer,
    options: argparse.Namespace,
    written: Written,
    urls: list[str],
    nodes: int,
    *,
    secure: bool,
) -> None:
    scheme = "mqtts" if secure else "mqtt"
    if out.as_json:
        out.json(
            {
                "folder": str(options.out),
                "files": [str(path) for path in written.files],
                "certificates": list(written.issued),
                "urls": [f"{scheme}://{url}" for url in urls],
                "nodes": nodes,
            }
        )
        return
    what = f"rules for {nodes} nodes" if secure else "without rules, for trying it"
    out.line(f"{len(written.files)} files in {options.out}: {what}")
    if written.issued:
        out.line(f"new certificates: {', '.join(written.issued)}")
    program = "mosquitto -c" if options.mosquitto else "nats-server -c"
    for path in written.files:
        if path.name in ("nats.conf", "mosquitto.conf"):
            out.line(f"  {program} {path}")
    query = ""
    if secure:
        files = f"{options.out}/{folder.CONTROLLER}"
        one = f"{files}/{rules.INGEST}{{shard}}"
        query = f"?ca={files}/ca.pem&cert={one}.pem&key={one}.key"
    out.line(f"lampione serve --broker '{scheme}://{','.join(urls)}{query}'")

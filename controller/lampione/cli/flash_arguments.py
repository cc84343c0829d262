"""The grammar of `lampione flash`."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to `commands`."""
    del common
    flash = commands.add(
        "flash",
        "lampione.cli.flash:flash",
        "put the firmware on boards, and start it",
        "  lampione flash                      the only board that is connected\n"
        "  lampione flash 7c9e 0221            by their serial numbers, or how these begin\n"
        "  lampione flash --all                every board that is connected\n"
        "  lampione flash --all --micropython ESP32_GENERIC_S3-20260601-v1.29.0.bin\n"
        "  lampione flash --port rfc2217://bench.local:4000\n",
    )
    flash.add_argument(
        "boards", nargs="*", metavar="BOARD", help="serial number or name, or its beginning"
    )
    flash.add_argument("--all", action="store_true", help="every board that is connected")
    flash.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="URL",
        help="a port, or a URL of pyserial; may be given again",
    )
    flash.add_argument(
        "--micropython",
        type=Path,
        metavar="IMAGE",
        help="install MicroPython from this file first, unless it is there",
    )
    flash.add_argument(
        "--erase",
        action="store_true",
        help="with --micropython: erase the whole chip before, keys and reports too",
    )
    flash.add_argument(
        "--no-rom",
        action="store_true",
        help="with --micropython: its own table of partitions, without one for code",
    )
    flash.add_argument(
        "--instrument",
        action="store_true",
        help="not a node's firmware but that of a bench's instrument board; its settings stay",
    )
    flash.add_argument(
        "--force", action="store_true", help="whatever the chip is, and whatever is there already"
    )
    flash.add_argument(
        "--dry-run", action="store_true", help="say what would be written; write nothing"
    )

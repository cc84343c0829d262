"""What people type and read on a command line: durations, levels, ages."""

import argparse
import math
from datetime import date
from pathlib import Path

from lampione import durations


def duration_s(text: str) -> float:
    """Read `5s`, `10m`, `2h`, `1d`, `1h30m` as seconds, 10,000 days at most.

    Raises argparse.ArgumentTypeError.
    """
    try:
        return durations.duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def moment(text: str) -> float | date:
    """Read how long ago, as `duration_s`, or a day as `2026-06-01`.

    Raises argparse.ArgumentTypeError.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return duration_s(text)
    except argparse.ArgumentTypeError as error:
        if "too long" in str(error):
            raise
    raise argparse.ArgumentTypeError(
        f"{text!r} is no time: write how long ago, as 7d, or a day, as 2026-06-01"
    )


def folder(text: str) -> Path:
    """Read a folder's path; an empty one is a variable that is not set, and not this folder."""
    if not text:
        raise argparse.ArgumentTypeError("the folder's name is empty")
    return Path(text)


def interval_s(text: str) -> int:
    """Read a report interval: whole seconds, 1 to 510, as `60` or `1m`."""
    value = float(text) if text.isascii() and text.isdigit() else duration_s(text)
    if not 1 <= value <= 510 or value != int(value):
        raise argparse.ArgumentTypeError(f"{text!r}: whole seconds from 1 to 510 are possible")
    return int(value)


def whole(text: str, least: int, most: int) -> int:
    """Read a whole number within limits. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r}: whole numbers from {least} to {most} go")
    return int(text)


def percent(text: str) -> int:
    """Read a level: 0 to 100, with or without `%`. Raises argparse.ArgumentTypeError."""
    digits = text.removesuffix("%")
    if not (digits.isascii() and digits.isdigit() and int(digits) <= 100):
        raise argparse.ArgumentTypeError(f"{text!r} is not a level: write 0 to 100, in percent")
    return int(digits)


def port(text: str) -> int:
    """Read a TCP port, 1 to 65535. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: write 1 to 65535")
    return int(text)


def year(text: str) -> int:
    """Read a year that nodes can count in: 2020 to 2098. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 2020 <= int(text) <= 2098):
        raise argparse.ArgumentTypeError(f"{text!r} is not a year: write 2020 to 2098")
    return int(text)


def decibel(text: str) -> float:
    """Read a sound pressure level, 0 to 140 dB. Raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 140:
        raise argparse.ArgumentTypeError(f"{text!r} is not a sound level: write 0 to 140, in dB")
    return value

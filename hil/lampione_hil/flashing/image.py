"""MicroPython itself onto an ESP32: esptool as a program beside this one, and what images say."""

import hashlib
import importlib.util
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lampione_hil.board import BenchError
from lampione_hil.real.errors import (
    BoardCodeError,
    BoardSilentError,
    NoBoardError,
    NotMicroPythonError,
    PortBusyError,
    PortPermissionError,
    WrongChipError,
)
from lampione_hil.real.repl import Repl

BAUD = 460800
SILENT_S = 90.0  # an erase of 16 MB says nothing for long
_LOOK_S = 0.05
_MAGIC = 0xE9
# The chip's number at byte 12 of an image (ESP-IDF, "App Image Format"): esptool's name of it, and
# where its ROM looks for the image that boots.
_CHIPS = {
    0: ("esp32", 0x1000),
    2: ("esp32s2", 0x1000),
    5: ("esp32c3", 0),
    9: ("esp32s3", 0),
    12: ("esp32c2", 0),
    13: ("esp32c6", 0),
    16: ("esp32h2", 0),
    18: ("esp32p4", 0x2000),
    23: ("esp32c5", 0x2000),
}
_VERSION = re.compile(rb"MicroPython (v[0-9][^ \0]*) on ([0-9-]{10})")
_PART = re.compile(r"(\d+(?:\.\d+)?) ?%")
_INSTALLED = "installing MicroPython"

Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Image:
    """A MicroPython to be installed."""

    path: Path
    sha256: str
    chip: str  # esptool's name
    offset: int
    version: str  # v1.29.0
    built: bytes  # how sys.version of it ends

    def runs(self, build: str) -> bool:
        """Whether a board that says `build` of itself (sys.version) has this one already."""
        return bool(self.built) and build.encode().endswith(self.built)


def read(path: Path) -> Image:
    """Look at an image. Raises BenchError when it is none, OSError."""
    data = path.read_bytes()
    if len(data) < 1024 or data[0] != _MAGIC:
        raise BenchError(
            f"{path}: not an image for an ESP32: take the .bin file of your board from "
            "micropython.org/download"
        )
    number = int.from_bytes(data[12:14], "little")
    if number not in _CHIPS:
        raise BenchError(f"{path}: for a chip that is not known here (number {number})")
    chip, offset = _CHIPS[number]
    found = _VERSION.search(data)
    return Image(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        chip=chip,
        offset=offset,
        version=found[1].decode() if found else "of an unknown version",
        built=found[0] if found else b"",
    )


def install(
    image: Image,
    port: str,
    *,
    erase: bool = False,
    options: Sequence[str] = (),
    told: Told | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Write an image to the board at `port`; its files stay, unless all is erased.

    Args:
        image: what `read` returned.
        port: with reset lines, which bring the chip into its boot loader.
        erase: the whole chip before.
        options: of esptool, beside ours.
        told: of how far it is.
        check: called all the while; what it raises ends the work.

    Raises BenchError: esptool is not there, or what it says.
    """
    if importlib.util.find_spec("esptool") is None:
        raise BenchError(
            "esptool is not installed: type `pip install 'lampione[esp]'` and run this again"
        )
    command = [sys.executable, "-m", "esptool", "--chip", image.chip, "--port", port]
    command += ["--baud", str(BAUD), *options, "write-flash"]
    command += ["--erase-all"] if erase else []
    command += [hex(image.offset), str(image.path)]
    if told:
        told(_INSTALLED, 0)
    said = []
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is ours to pass on
    )
    try:
        for line in _lines(process, port, check):
            part = _PART.search(line)
            if part and told:
                told(_INSTALLED, float(part[1]) / 100)
            elif not part:
                said.append(line)
        code = process.wait(SILENT_S)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    if code:
        raise _error(port, image, said)


def _lines(
    process: "subprocess.Popen[bytes]", port: str, check: Callable[[], None] | None
) -> Iterator[str]:
    """Yield what a process prints; a bar that it draws over itself line by line.

    Raises BoardSilentError when it says nothing for long.
    """
    stream = process.stdout
    assert stream is not None
    found: list[bytes] = []
    over = threading.Event()

    def listen() -> None:
        while data := stream.read1(4096):  # type: ignore[attr-defined]
            found.append(data)
        over.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    text = b""
    heard_s = time.monotonic()
    while found or not over.is_set():
        if check:
            check()
        if not found:
            over.wait(_LOOK_S)
            if time.monotonic() - heard_s > SILENT_S:
                raise BoardSilentError(f"{port}: esptool says nothing more: run this again")
            continue
        text += found.pop(0)
        heard_s = time.monotonic()
        *lines, text = re.split(rb"[\r\n]+", text)
        for line in lines:
            yield line.decode(errors="replace").strip()
    if text:
        yield text.decode(errors="replace").strip()


def _error(port: str, image: Image, said: list[str]) -> BenchError:
    text = " ".join(said)
    low = text.lower()
    why = next((line for line in reversed(said) if "error" in line.lower()), (said or [""])[-1])
    why = re.sub(r"^(ERROR: )?A fatal error occurred: ", "", why)
    if "wrong chip argument" in low or "not for this chip" in low or "unexpected chip id" in low:
        return WrongChipError(f"{port}: {image.path.name} is for {image.chip}: {why}")
    if "permission denied" in low:
        return PortPermissionError(f"{port}: you may not open it ({why})")
    if "could not exclusively lock" in low or "resource busy" in low:
        return PortBusyError(f"{port}: in use by another program: close it and try again")
    if "no such file" in low or "could not open" in low:
        return NoBoardError(f"{port}: no board there")
    if "failed to connect" in low or "no serial data received" in low:
        return BoardSilentError(
            f"{port}: the chip does not go into its boot loader: hold BOOT, press and let go of "
            "RESET, let go of BOOT, and run this again"
        )
    return BenchError(f"{port}: esptool says: {why or 'nothing'}")


def has(image: Image, port: str, check: Callable[[], None] | None = None) -> bool:
    """Whether the board at `port` runs this very MicroPython. Raises what opening a port does."""
    try:
        with Repl.open(port, timeout_s=5, check=check) as repl:
            build = str(repl.eval("__import__('sys').version"))
            return image.runs(build)
    except (NotMicroPythonError, BoardSilentError, BoardCodeError):
        return False

"""esptool as a program beside this one: what it is to do, how far it is, its errors in words."""

import importlib.util
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from lampione_hil.board import BenchError
from lampione_hil.real.errors import (
    BoardSilentError,
    NoBoardError,
    PortBusyError,
    PortPermissionError,
    WrongChipError,
)

BAUD = 460800
SILENT_S = 90.0  # an erase of 16 MB says nothing for long
_LOOK_S = 0.05
_PART = re.compile(r"(\d+(?:\.\d+)?) ?%")

Told = Callable[[str, float], None]
Check = Callable[[], None]


def run(
    chip: str,
    port: str,
    arguments: Sequence[str],
    *,
    step: str,
    told: Told | None = None,
    check: Check | None = None,
) -> None:
    """Let esptool do something with the board at `port`.

    Args:
        chip: as esptool calls it; another is refused.
        port: with reset lines, which bring the chip into its boot loader.
        arguments: its options, then what it is to do.
        step: what that is, in words for `told`.
        told: of how far it is.
        check: called all the while; what it raises ends the work.

    Raises BenchError: esptool is not there, or what it says.
    """
    if importlib.util.find_spec("esptool") is None:
        raise BenchError(
            "esptool is not installed: type `pip install 'lampione[esp]'` and run this again"
        )
    command = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port]
    command += ["--baud", str(BAUD), *arguments]
    if told:
        told(step, 0)
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
                told(step, float(part[1]) / 100)
            elif not part:
                said.append(line)
        code = process.wait(SILENT_S)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    if code:
        raise _error(port, chip, said)


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


def _error(port: str, chip: str, said: list[str]) -> BenchError:
    text = " ".join(said)
    low = text.lower()
    why = next((line for line in reversed(said) if "error" in line.lower()), (said or [""])[-1])
    why = re.sub(r"^(ERROR: )?A fatal error occurred: ", "", why)
    if "wrong chip argument" in low or "not for this chip" in low or "unexpected chip id" in low:
        return WrongChipError(f"{port}: the image is for {chip}: {why}")
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

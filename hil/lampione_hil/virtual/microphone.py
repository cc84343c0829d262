"""The far side of an I2S line: samples at the pace of the clock, through a ring."""

import contextlib
import fcntl
import json
import mmap
import os
import struct
import termios
import time
from pathlib import Path
from typing import BinaryIO, Protocol

from lampione_hil.virtual.running import CLIPPED, DMA_FRAMES

TICK_S = 0.01  # how often `tick` is to be called
# This computer may keep a board waiting for longer than a chip of its own would: that is no
# overrun of the program's, so the ring is this much longer than the program asked for.
SLACK_S = 0.3
_SQUARE = struct.pack("<48i", *[0x7FFFFF00] * 24, *[-0x80000000] * 24)  # as a clipped line


class Sound(Protocol):
    """What a Source streams."""

    def read(self, position: int, frames: int) -> bytes:
        """Return `frames` frames from `position`."""
        ...


class Loop:
    """One round of sound, mapped into memory, read for ever. A frame is a word a channel."""

    def __init__(self, path: Path, channels: int = 1) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._frame = 4 * channels
        self.frames = len(self._map) // self._frame

    def read(self, position: int, frames: int) -> bytes:
        """Return `frames` frames from `position`, going round."""
        at = position % self.frames
        size = frames * self._frame
        data = self._map[at * self._frame : at * self._frame + size]
        while len(data) < size:
            data += self._map[: size - len(data)]
        return data


class Source:
    """Streams a Loop into the pipe of one board's I2S while that is open.

    rate_hz: frames a second; 0: whatever the board takes.
    held: the byte that its data line is held at, or CLIPPED; -1: it is not.
    """

    def __init__(
        self, loop: Sound | None, rate_hz: int, dump: Path | None = None, channels: int = 1
    ) -> None:
        self.loop = loop
        self.rate_hz = rate_hz
        self.number = -1  # of the board's receiver, while it is open
        self.held = -1
        self._frame = 4 * channels
        self.dropped = 0  # frames lost because the board did not read in time
        self._position = 0  # in the loop, goes on over resets
        self._dump: BinaryIO | None = None
        self._notes: BinaryIO | None = None
        self._dumped = 0
        self._pipe: tuple[int, int] | None = None
        self._open_s = 0.0
        self._tick_s = 0.0
        self._due = 0
        self._late = 0
        self._ring = 0
        self._note_at = 0
        self._lost = 0  # not yet noted
        if dump is not None:
            self._dump = dump.open("wb")
            self._notes = dump.with_suffix(".jsonl").open("wb")

    @property
    def running(self) -> bool:
        """Whether a board has it open."""
        return self._pipe is not None

    def start(self, number: int, ends: tuple[int, int], rate_hz: int, ring_frames: int) -> None:
        """Begin to stream into a pipe (its ends), as if the ring held `ring_frames`."""
        self.stop()
        read_end, write_end = ends
        self.number, self.rate_hz = number, rate_hz
        self._pipe = (read_end, write_end)
        self._open_s = self._tick_s = time.monotonic()
        self._due = self._late = 0
        self._ring = max(DMA_FRAMES, ring_frames) + int(SLACK_S * self.rate_hz)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):  # a user's share of pipes is bounded
                fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, self._ring * self._frame + 8192)
        with contextlib.suppress(BlockingIOError):
            while os.read(read_end, 65536):
                pass  # of the receiver that the program had open before
        self._note_at = 0

    def stop(self) -> None:
        """End the stream; what was written is dumped."""
        self._pipe = None
        self.number = -1
        for file in (self._dump, self._notes):
            if file is not None:
                file.flush()

    def close(self) -> None:
        """Stop and close the dump."""
        self.stop()
        for file in (self._dump, self._notes):
            if file is not None:
                file.close()
        self._dump = self._notes = None

    def tick(self) -> None:
        """Deliver what is due; drop what the ring has no room for."""
        if self._pipe is None:
            return
        now = time.monotonic()
        # What the supervisor itself comes late with is not lost either.
        self._late += int(max(0.0, now - self._tick_s - 2 * TICK_S) * self.rate_hz)
        self._tick_s = now
        due = int((now - self._open_s) * self.rate_hz) // DMA_FRAMES * DMA_FRAMES - self._due
        waiting = struct.unpack("i", fcntl.ioctl(self._pipe[0], termios.FIONREAD, b"\0\0\0\0"))[0]
        room = max(0, self._ring - waiting // self._frame)
        sent = self._send(min(due, room)) if due else 0
        self._due += sent
        behind = due - sent
        self._late = min(self._late, behind)
        lost = behind - self._late
        if lost > 0:
            # The board reads nothing, and the ring runs over.
            self.dropped += lost
            self._due += lost
            self._position += lost
            self._lost += lost
            self._note_at = 0  # the next samples begin a new run

    def _send(self, frames: int) -> int:
        assert self._pipe is not None
        if self.loop is None or self.held >= 0:
            size = self._frame * frames
            wave = _SQUARE if self.held == CLIPPED else bytes([max(0, self.held)])
            data = (wave * (size // len(wave) + 1))[:size]
        else:
            data = self.loop.read(self._position, frames)
        try:
            written = os.write(self._pipe[1], data)
        except BlockingIOError:
            return 0
        frames = written // self._frame
        if self._dump is not None and frames:
            if self._dumped >= self._note_at:
                self._note()
            self._dump.write(data[:written])
        self._dumped += frames
        self._position += frames
        return frames

    def _note(self) -> None:
        if self._notes is None:
            return
        # The host's time at which this sample met the membrane.
        sampled_s = time.time() - time.monotonic() + self._open_s + self._due / self.rate_hz
        line = {"sample": self._dumped, "time": sampled_s, "rate": self.rate_hz, "lost": self._lost}
        self._notes.write(json.dumps(line).encode() + b"\n")
        self._note_at = self._dumped + self.rate_hz
        self._lost = 0

"""Sealed frames on flash: until the controller has stored them, and after that until room is short.

Segments `00000042.seg`, named by the number of their first frame, are appended to and never
rewritten; a boot opens a new one. A record is

    [length 1][sealed frame][CRC-32 of the frame 4]

and the frame's own header says its number, so that damage costs the records it touches and no
others. A frame counts as committed when `flush` has returned: LittleFS makes an append visible
after a power cut all at once, or not at all. A segment fits one block of flash (4 KiB), so an
append erases at most one.
"""

import os
from binascii import crc32

from lampione_protocol.seal import FRAME_MAX, UP_HEADER
from micropython import const

_SEGMENT = const(4096)
_EXTRA = const(5)  # length and CRC of a record
_RECORD_MIN = const(24)  # a header, a tag, one byte of text, _EXTRA
_RESERVE = const(8)  # blocks of flash left to the rest of the node
_ENOSPC = const(28)
_TRIES = const(5)  # of a read, each some time after the other
SEQ_MAX = 0xFFFFFE


def _find(file, at: int, size: int, buf) -> tuple:  # type: ignore[no-untyped-def]
    """Return (offset, length) of the first whole record from `at` on, its frame in `buf[1:]`.

    Length 0: there is none.
    """
    while at + _RECORD_MIN <= size:
        file.seek(at)
        got = file.readinto(buf)
        n = buf[0]
        if (
            n <= FRAME_MAX
            and _RECORD_MIN <= n + _EXTRA <= got
            and crc32(buf[1 : n + 1]) == int.from_bytes(buf[n + 1 : n + 5], "big")
        ):
            return at, n
        at += 1
    return size, 0


def frame_seq(frame: bytes) -> int:
    """Return the number in a sealed frame's header."""
    return frame[UP_HEADER - 3] << 16 | frame[UP_HEADER - 2] << 8 | frame[UP_HEADER - 1]


class Outbox:
    """The node's frames. Numbers rise across boots; a number is never given twice.

    Args:
        folder: made when missing.
        limit_bytes: of flash; the oldest segments go first, acknowledged or not.
        acked: a number known to be acknowledged, as far as the state file remembers.

    `frame` is where the next frame is built. `dropped` counts frames that left unacknowledged.
    """

    def __init__(self, folder: str, limit_bytes: int, acked: int = 0) -> None:
        self._folder = folder
        self._most = max(2, limit_bytes // _SEGMENT)
        self._record = memoryview(bytearray(FRAME_MAX + _EXTRA))
        self.frame = self._record[1 : FRAME_MAX + 1]
        self._file = None
        self._used = 0
        self.dropped = 0
        self.acked = acked
        self.failed = False  # the last commit did not succeed
        self.readers: list = []
        try:
            os.mkdir(folder)
        except OSError:
            pass
        self.firsts = []  # of each segment, rising
        for entry in os.ilistdir(folder):
            name = entry[0]
            if name.endswith(".seg") and name[:-4].isdigit():
                self.firsts.append(int(name[:-4]))
        self.firsts.sort()
        self.next_seq = max(acked + 1, self._after_newest())
        if self.next_seq > SEQ_MAX - 0xFFFF:  # soon at the end: as if the flash were new
            while self.firsts:
                self._remove_oldest()
            self.next_seq = 1
            self.acked = 0
        self.first_seq = self.next_seq  # of this boot

    def path(self, first: int) -> str:
        """Return where the segment that starts with frame `first` lies."""
        return "%s/%08d.seg" % (self._folder, first)

    def _after_newest(self) -> int:
        """Return a number that no frame in the newest segment can have had."""
        if not self.firsts:
            return 1
        after = self.firsts[-1]
        at = 0
        size = _SEGMENT  # what it could have held, should it not open
        try:
            with open(self.path(after), "rb") as file:
                size = file.seek(0, 2)
                while True:
                    start, n = _find(file, at, size, self._record)
                    if not n:
                        break
                    at = start + n + _EXTRA
                    after = frame_seq(self.frame) + 1
        except OSError:
            pass
        return after + (size - at + _RECORD_MIN - 1) // _RECORD_MIN

    @property
    def oldest_held(self) -> int:
        """The lowest number that may still be asked for."""
        return self.firsts[0] if self.firsts else self.next_seq

    @property
    def depth(self) -> int:
        """How many frames nobody has acknowledged."""
        return max(0, self.next_seq - max(self.acked + 1, self.oldest_held))

    def acknowledge(self, seq: int) -> bool:
        """Take the controller's watermark; False, and nothing, when it does not rise."""
        if not self.acked < seq < self.next_seq:
            return False
        self.acked = seq
        return True

    def _remove_oldest(self) -> None:
        first = self.firsts[0]
        for reader in self.readers:
            reader.close()
        try:
            os.remove(self.path(first))
        except OSError:
            pass
        self.firsts.pop(0)
        lost = self.oldest_held - max(first, self.acked + 1)
        if lost > 0:
            self.dropped += lost

    def _roll(self) -> None:
        """Open the segment that starts with the next frame, after making room for it."""
        self.close()
        if not self.firsts or self.firsts[-1] != self.next_seq:
            while len(self.firsts) >= self._most:
                self._remove_oldest()
            self._make_room(_RESERVE)
            self.firsts.append(self.next_seq)
        self._file = open(self.path(self.next_seq), "wb")
        self._used = 0

    def _make_room(self, blocks: int) -> None:
        """Remove old segments until so many blocks of 4 KiB are free, or none is left."""
        while self.firsts:
            stat = os.statvfs(self._folder)
            if stat[0] * stat[3] >= blocks * _SEGMENT:
                return
            self._remove_oldest()

    def commit(self, length: int) -> bool:
        """Write `frame[:length]`, sealed with `next_seq`, to flash.

        Returns False when the flash refuses: the number is then spent, its frame is lost and
        counted as dropped, since what was half written must not meet another frame's nonce.
        """
        record = self._record
        self.failed = True
        try:
            record[0] = length
            record[length + 1 : length + 5] = crc32(self.frame[:length]).to_bytes(4, "big")
            self.failed = not self._append(record[: length + _EXTRA])
        finally:  # whatever went wrong, the number has sealed a frame
            self.next_seq += 1
            if self.failed:
                self.dropped += 1
        return not self.failed

    def _append(self, record) -> bool:  # type: ignore[no-untyped-def]
        for _ in range(3):
            try:
                if self._file is None or self._used + len(record) > _SEGMENT:
                    self._roll()
                if self._file.write(record) == len(record):
                    self._file.flush()
                    self._used += len(record)
                    return True
            except OSError as error:
                if error.errno == _ENOSPC and len(self.firsts) > 1:
                    self._remove_oldest()
            self.close()
        return False

    def close(self) -> None:
        """End the segment; the next frame opens another."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                pass
            self._file = None


class Reader:
    """Reads committed frames in the order of their numbers, with one file open at most.

    Args:
        on_hole: called with (first, last) of numbers that should be there and are not.
    """

    def __init__(self, outbox: Outbox, on_hole) -> None:  # type: ignore[no-untyped-def]
        self._box = outbox
        self._on_hole = on_hole
        self._buf = memoryview(bytearray(FRAME_MAX + _EXTRA))
        self.frame = self._buf[1 : FRAME_MAX + 1]
        self._file = None
        self._failed = 0  # reads in a row
        self.seek(1)
        outbox.readers.append(self)

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def seek(self, seq: int) -> None:
        """Continue with frame `seq`, or the oldest held if that is gone."""
        self.close()
        self.seq = seq
        self._first = -1  # of the segment that `_at` belongs to
        self._at = 0
        self._size = 0

    def _locate(self) -> int:
        """Turn to the segment that may hold `seq`; return the first number behind it."""
        firsts = self._box.firsts
        i = len(firsts) - 1
        while i and firsts[i] > self.seq:
            i -= 1
        if self.seq < firsts[i]:
            self.seq = firsts[i]
        if firsts[i] != self._first:
            self.close()
            self._first = firsts[i]
            self._at = 0
        return firsts[i + 1] if i + 1 < len(firsts) else self._box.next_seq

    def _open(self) -> None:
        if self._file is None:
            self._file = open(self._box.path(self._first), "rb")
            self._size = self._file.seek(0, 2)

    def read(self, last: int) -> int:
        """Put the next frame with a number up to `last` into `frame`.

        Returns its length, and 0 when there is none, or the flash cannot be read just now.
        """
        box = self._box
        last = min(last, box.next_seq - 1)
        while self.seq <= last and box.firsts:
            behind = self._locate()
            n = 0
            try:
                self._open()
                self._at, n = _find(self._file, self._at, self._size, self._buf)
                # The last frame of a segment may have come since it was opened, and the next
                # segment with it.
                if not n and self._grown():
                    continue
                self._failed = 0
            except OSError:
                # Only what stays unreadable is given up: a hole that was told is a hole for ever.
                self.close()
                self._failed += 1
                if self._failed < _TRIES:
                    return 0
                self._failed = 0
            if n:
                seq = frame_seq(self.frame)
                if seq > last:
                    self._on_hole(self.seq, last)
                    self.seq = last + 1
                    return 0
                self._at += n + _EXTRA
                if seq >= self.seq:
                    if seq > self.seq:
                        self._on_hole(self.seq, seq - 1)
                    self.seq = seq + 1
                    return n
            else:
                if behind > last + 1:
                    behind = last + 1
                if self.seq < behind:
                    self._on_hole(self.seq, behind - 1)
                self.seq = behind
        return 0

    def _grown(self) -> bool:
        """Open the segment again; say whether it is longer than it was."""
        size = self._size
        self.close()
        self._open()
        return self._size > size

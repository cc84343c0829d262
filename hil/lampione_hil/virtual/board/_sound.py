"""I2S: the world's microphone and Doppler radar, through a ring as on the chip; a transmitter."""

import errno
import io
import time

import micropython
from _wire import DOPPLER, I2S0, SOUND, ask, info, native, tell

if info["virtual"]:
    from _vtime import held

_POLL, _FILENO = 3, 10
_BUFFER = info["i2s_frames"]  # the chip hands over whole DMA buffers
_SQUARE = b"\0\xff\xff\x7f" * 24 + b"\0\0\0\x80" * 24  # of 24 bits, what a clipped line says


class _Piped:
    """Wall clock: the supervisor writes what is due into a pipe."""

    def __init__(self, id, rate, ring_frames, channels):
        self._file = open(I2S0 + id, "rb")
        self._look = native["select"].poll()
        self._look.register(self._file, native["select"].POLLIN)
        self.fileno = self._file.fileno
        self.asked = False  # a poller has looked

    def ready(self):
        return bool(self._look.poll(0))

    def wait(self):
        self._look.poll(-1)

    @micropython.native
    def readinto(self, buf):
        return self._file.readinto(buf) or 0


class _Clocked:
    """Virtual clock: how much is due follows from the time; the samples lie in a file."""

    def __init__(self, id, rate, ring_frames, channels):
        self._source = channels - 1
        self._frame = 4 * channels
        self._size = 0
        if info["sources"][self._source]:
            self._file = open(DOPPLER if self._source else SOUND, "rb")
            self._size = self._file.seek(0, 2)
            self._file.seek(0)
        self._rate = rate
        self._ring = ring_frames
        self._start = time.look_us()
        self._at = 0  # place in the file
        self._taken = 0
        self._ready = 0  # when the next whole buffer comes
        self._take(0)
        self.asked = False  # a poller has looked
        self.dropped = 0

    @micropython.native
    def _take(self, frames):
        self._taken += frames
        whole = self._taken - self._taken % _BUFFER + _BUFFER
        self._ready = self._start + -(-whole * 1000000 // self._rate)

    @micropython.native
    def ready_us(self):
        self.asked = True
        return self._ready

    def ready(self):
        return self._ready <= time.look_us()

    def wait(self):
        time.wait_until(self._ready)

    @micropython.native
    def _move(self, size):
        self._at = (self._at + size) % self._size if self._size else 0
        if self._size:
            self._file.seek(self._at)

    @micropython.native
    def readinto(self, buf):
        now = time.look_us()
        if now < self._ready:
            return 0
        frames = (now - self._start) * self._rate // 1000000
        frames -= frames % _BUFFER + self._taken
        if frames > self._ring:
            over = frames - self._ring
            self.dropped += over
            self._move(over * self._frame)
            self._take(over)
            frames = self._ring
        size = frames * self._frame
        room = len(buf) - len(buf) % self._frame
        if size > room:
            size = room
        if size < len(buf):
            buf = memoryview(buf)[:size]
        level = held[self._source] if self._size else 0
        if level >= 0:
            wave = bytes([level]) if level < 256 else _SQUARE
            buf[:] = (wave * (size // len(wave) + 1))[:size]
            self._move(size)
        elif self._at + size < self._size:
            self._file.readinto(buf)
            self._at += size
        else:
            view = memoryview(buf)
            done = 0
            while done < size:
                n = self._file.readinto(view[done : done + self._size - self._at])
                self._move(n)
                done += n
        self._take(size // self._frame)
        return size


class _Sender:
    """A transmitter: what it is given goes out at its rate, and as much waits as the ring holds.

    This computer may keep a program for longer than a chip would: the ring has 0.3 s more.
    """

    def __init__(self, id, rate, ring_frames):
        self._head = bytes((120, id))
        self._rate = rate
        self._ring = ring_frames + rate * 3 // 10
        self._start = time.uptime_us()
        self._sent = 0

    def room(self):
        played = (time.uptime_us() - self._start) * self._rate // 1000000
        if played > self._sent:  # it ran dry
            self._sent = played
        return self._ring - self._sent + played

    def write(self, buf):
        view = memoryview(buf)[: min(len(buf) // 4, self.room(), 4096) * 4]
        if len(view):
            tell(self._head + view)
        self._sent += len(view) // 4
        return len(view)


class I2S(io.IOBase):
    """32 bits. A receiver hears the microphone (MONO) or the raw signal of a radar (STEREO).

    A transmitter is MONO, and always as a poller makes it: `write` takes what has room. The chip's
    DMA takes 32-bit stereo frames even for MONO, so `ibuf` bytes hold ibuf / 8 frames; what does
    not fit is lost. `readinto` fills the buffer; once a poller (asyncio) has looked at the stream,
    it returns what is there.
    """

    RX = 17
    TX = 26
    MONO = 0
    STEREO = 1

    def __init__(self, id, *, sck, ws, sd, mode, bits, format, rate, ibuf):
        if id not in (0, 1):
            raise ValueError("invalid id")
        if mode == I2S.TX and bits == 32 and format == I2S.MONO:
            self._id = id
            self._to = _Sender(id, rate, ibuf // 8)
            return
        if mode != I2S.RX or bits != 32 or format not in (I2S.MONO, I2S.STEREO):
            raise ValueError("the virtual board knows 32 bits only, and sends MONO")
        self._to = None
        channels = format + 1
        status = ask(b"A%d,%d,%d,%d" % (id, rate, ibuf // 8, channels), 1)[0]
        if status == 2:
            what = ("microphone", "radar")[format]
            raise ValueError("the world's %s streams %d Hz only" % (what, info["sources"][format]))
        if status == 0:
            raise OSError(errno.EIO)
        self._id = id
        self._from = (_Clocked if info["virtual"] else _Piped)(id, rate, ibuf // 8, channels)
        if info["virtual"]:
            self.ready_us = self._from.ready_us

    @micropython.native
    def readinto(self, buf):
        done = self._from.readinto(buf)
        if self._from.asked:
            return done
        view = memoryview(buf)
        while done < len(buf):
            self._from.wait()
            done += self._from.readinto(view[done:])
        return done

    def write(self, buf):
        return self._to.write(buf)

    def ioctl(self, request, argument):
        if self._to:
            return argument & 4 if request == _POLL and self._to.room() > 0 else 0
        self._from.asked = True
        if request == _FILENO and not info["virtual"]:
            return self._from.fileno()
        if request == _POLL:
            return argument & 1 if self._from.ready() else 0
        return -errno.EINVAL

    def irq(self, handler):
        raise NotImplementedError("the virtual board has no I2S callbacks: use asyncio")

    def deinit(self):
        if not self._to:
            ask(b"c%d" % self._id, 1)

    @staticmethod
    def shift(*, buf, bits, shift):
        raise NotImplementedError("shift")

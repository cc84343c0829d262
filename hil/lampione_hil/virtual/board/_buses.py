"""I2C and UART: the transactions go over the wire, the devices are the host's models."""

import errno
import io
import struct
import time
from time import uptime_us

import micropython
from _pins import number
from _wire import UART0, ask, copy, info, tell

_EMPTY = b""
_ENODEV, _ETIMEDOUT = 19, 110
_POLL, _FILENO = 3, 10


class I2C:
    def __init__(self, id=-1, *, scl=None, sda=None, freq=400000, timeout=50000):
        self._id = id if isinstance(id, int) and id >= 0 else 0
        self._pins = (number(scl), number(sda))
        self._timeout = timeout
        # Made once: what the simulation allocates is the program's memory.
        self._question = bytearray(32)
        self._answer = bytearray(32)

    init = __init__

    def deinit(self):
        pass

    @micropython.native
    def _do(self, address, data, length, memory=0, addrsize=0):
        """One transaction (data None: no write). What is read lies in `_answer`, from 1 on.

        Raises OSError: ENODEV, not acknowledged; ETIMEDOUT, the bus is held low, which the chip
        waits for as long as it may.
        """
        question = self._question
        answer = self._answer
        count = len(data or _EMPTY)
        size = 14 + (addrsize >> 3) + count
        if size > len(question) or length >= len(question):
            question.extend(bytes(size + length))
            answer.extend(bytes(size + length))
        writes = data is not None
        struct.pack_into("<4BHQ", question, 0, 73, self._id, address, writes, length, uptime_us())
        at = 14
        while addrsize:
            addrsize -= 8
            question[at] = memory >> addrsize & 0xFF
            at += 1
        if count:
            copy(question, at, data, 0, count)
        ask(question, length + 1, answer, size)
        if not answer[0]:
            raise OSError(_ENODEV)
        if answer[0] == 2:
            time.sleep_us(self._timeout)
            raise OSError(_ETIMEDOUT)

    def _found(self, length):
        return bytes(memoryview(self._answer)[1 : length + 1])

    def scan(self):
        found = ask(b"S" + bytes([self._id]), 16)
        return [a for a in range(8, 120) if found[a >> 3] >> (a & 7) & 1]

    @micropython.native
    def writeto(self, address, buf, stop=True):
        self._do(address, buf, 0)
        return len(buf)

    def writevto(self, address, vector, stop=True):
        return self.writeto(address, b"".join(vector), stop)

    def readfrom(self, address, length, stop=True):
        self._do(address, None, length)
        return self._found(length)

    @micropython.native
    def readfrom_into(self, address, buf, stop=True):
        self._do(address, None, len(buf))
        copy(buf, 0, self._answer, 1, len(buf))

    def readfrom_mem(self, address, memory, length, *, addrsize=8):
        self._do(address, _EMPTY, length, memory, addrsize)
        return self._found(length)

    @micropython.native
    def readfrom_mem_into(self, address, memory, buf, *, addrsize=8):
        self._do(address, _EMPTY, len(buf), memory, addrsize)
        copy(buf, 0, self._answer, 1, len(buf))

    @micropython.native
    def writeto_mem(self, address, memory, buf, *, addrsize=8):
        self._do(address, buf, 0, memory, addrsize)


class SoftI2C(I2C):
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        I2C.__init__(self, 0, scl=scl, sda=sda, freq=freq, timeout=timeout)


class UART(io.IOBase):
    """Serial line. Reads give what has come, or None; there is no waiting: `timeout` must be 0.

    The receiver's buffer, the rate and the line itself are the world's. With the wall clock, a
    pipe tells a poller that something can be read; on the virtual clock `ready_us` does.
    """

    INV_TX = 1
    INV_RX = 2

    def __init__(self, id, baudrate=115200, *args, **settings):
        self._id = id
        self._there = id in info["uarts"]
        self._baud = 115200
        self._rxbuf = 256
        self._sent_us = 0  # when all is through that was written
        if not info["virtual"] and self._there:
            self._file = open(UART0 + id, "rb")
        self._setup(True, baudrate, *args, **settings)

    def _setup(
        self,
        fresh,
        baudrate=0,
        bits=8,
        parity=None,
        stop=1,
        *,
        tx=None,
        rx=None,
        rts=None,
        cts=None,
        txbuf=-1,
        rxbuf=-1,
        timeout=0,
        timeout_char=0,
        invert=0,
        flow=0,
    ):
        if bits not in (0, 8) or parity is not None or invert or flow or timeout:
            raise NotImplementedError("the virtual board's UART: 8 bits, no parity, timeout=0")
        if rxbuf >= 0:
            self._rxbuf = rxbuf
            fresh = True
        self.flush()
        self._baud = baudrate or self._baud
        self._tell(fresh, self._baud)

    def init(self, *args, **settings):
        self._setup(False, *args, **settings)

    def deinit(self):
        self._tell(True, 0)

    def _tell(self, fresh, baud):
        self._forget(fresh)
        if self._there:
            head = struct.pack("<3B2I", 85, self._id, fresh, baud, self._rxbuf)
            tell(head + struct.pack("<Q", time.uptime_us()))

    def _ask(self, length, us):
        """Return (bytes read, bytes left, reply with the bytes at 4)."""
        if not self._there:
            return 0, 0, _EMPTY
        reply = ask(struct.pack("<2BHQ", 113, self._id, length, us), length + 4)
        got, left = struct.unpack_from("<2H", reply)
        return got, left, reply

    def _forget(self, fresh=False):
        pass

    def any(self):
        return self._ask(0, time.uptime_us())[1]

    def readinto(self, buf, length=None):
        length = min(len(buf), 4096, len(buf) if length is None else length)
        got, _, reply = self._ask(length, time.uptime_us())
        memoryview(buf)[:got] = memoryview(reply)[4 : 4 + got]
        return got or None

    def read(self, length=-1):
        buf = bytearray(self.any() if length < 0 else length)
        n = self.readinto(buf)
        return None if n is None else bytes(buf[:n])

    def readline(self):
        one = bytearray(1)
        line = bytearray()
        while self.readinto(one):
            line.extend(one)
            if one[0] == 10:
                break
        return bytes(line) if line else None

    def write(self, data):
        us = time.uptime_us()
        view = memoryview(data.encode() if isinstance(data, str) else data)
        for at in range(0, len(view), 4096) if self._there else ():
            tell(struct.pack("<2BQ", 117, self._id, us) + view[at : at + 4096])
        self._sent_us = max(self._sent_us, us) + -(-len(view) * 10000000 // self._baud)
        self._forget()
        return len(view)

    def flush(self):
        time.sleep_us(max(0, self._sent_us - time.uptime_us()))

    def txdone(self):
        return time.uptime_us() >= self._sent_us

    def ioctl(self, request, argument):
        if request == _FILENO and self._there and not info["virtual"]:
            return self._file.fileno()
        if request == _POLL:
            return (argument & 1 if self.any() else 0) | argument & 4
        return -errno.EINVAL

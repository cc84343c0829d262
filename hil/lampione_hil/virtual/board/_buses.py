"""I2C and UART: the transactions go over the wire, the devices are the host's models."""

import errno
import io
import struct
import time

from _pins import number
from _wire import UART0, ask, info, native

_EMPTY = b""
_ENODEV = 19
_POLL, _FILENO = 3, 10


class I2C:
    def __init__(self, id=-1, *, scl=None, sda=None, freq=400000, timeout=50000):
        self._id = id if isinstance(id, int) and id >= 0 else 0
        self._pins = (number(scl), number(sda))

    init = __init__

    def deinit(self):
        pass

    def _do(self, address, data, length):
        """One transaction (data None: no write). Raises OSError(ENODEV): not acknowledged."""
        head = struct.pack(
            "<4BHQ", 73, self._id, address, data is not None, length, time.uptime_us()
        )
        reply = ask(head + (data or _EMPTY), length + 1)
        if not reply[0]:
            raise OSError(_ENODEV)
        return reply

    def scan(self):
        found = ask(b"S" + bytes([self._id]), 16)
        return [a for a in range(8, 120) if found[a >> 3] >> (a & 7) & 1]

    def writeto(self, address, buf, stop=True):
        self._do(address, bytes(buf), 0)
        return len(buf)

    def writevto(self, address, vector, stop=True):
        return self.writeto(address, b"".join(vector), stop)

    def readfrom(self, address, length, stop=True):
        return bytes(self._do(address, None, length)[1:])

    def readfrom_into(self, address, buf, stop=True):
        buf[:] = self._do(address, None, len(buf))[1:]

    def _register(self, memory, addrsize):
        return memory.to_bytes(addrsize // 8, "big")

    def readfrom_mem(self, address, memory, length, *, addrsize=8):
        return bytes(self._do(address, self._register(memory, addrsize), length)[1:])

    def readfrom_mem_into(self, address, memory, buf, *, addrsize=8):
        buf[:] = self._do(address, self._register(memory, addrsize), len(buf))[1:]

    def writeto_mem(self, address, memory, buf, *, addrsize=8):
        self._do(address, self._register(memory, addrsize) + bytes(buf), 0)


class SoftI2C(I2C):
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        I2C.__init__(self, 0, scl=scl, sda=sda, freq=freq, timeout=timeout)


class UART(io.IOBase):
    """Serial line. Reads give what has come, or None."""

    INV_TX = 1
    INV_RX = 2

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **settings):
        self._file = None
        if id in info["uarts"]:
            self._file = open(UART0 + id, "r+b")
            self._look = native["select"].poll()
            self._look.register(self._file, native["select"].POLLIN)
        self.init(baudrate, bits, parity, stop, **settings)

    def init(self, baudrate=115200, bits=8, parity=None, stop=1, **settings):
        self._rx = bytearray(1)

    def deinit(self):
        pass

    def any(self):
        """1 when something can be read (the real one counts the bytes)."""
        return 1 if self._file and self._look.poll(0) else 0

    def readinto(self, buf, length=None):
        if not self._file or not self._look.poll(0):
            return None
        view = buf if length is None else memoryview(buf)[:length]
        return self._file.readinto(view)

    def read(self, length=256):
        buf = bytearray(length)
        n = self.readinto(buf)
        return None if n is None else bytes(buf[:n])

    def readline(self):
        line = bytearray()
        while self.readinto(self._rx):
            line.extend(self._rx)
            if self._rx[0] == 10:
                break
        return bytes(line) if line else None

    def write(self, data):
        return self._file.write(data) if self._file else len(data)

    def flush(self):
        pass

    def txdone(self):
        return True

    def ioctl(self, request, argument):
        if request == _FILENO and self._file:
            return self._file.fileno()
        if request == _POLL:
            return (argument & 1 if self.any() else 0) | argument & 4
        return -errno.EINVAL

"""A DALI line behind a Lunatone DALI SCI RS232 (Tridonic DALI SCI2), 38400 8N1.

Five bytes each way: control or status, three of data with a 16-bit frame in the last two, the
exclusive or of the four. Control: bit 5 answer as soon as it is sent, bit 4 send twice, the rest
3: a 16-bit frame. Status, low half: 0 sent, 1 no answer, 2 a byte, 7 an error whose number is the
last byte of data.
"""

from time import ticks_diff, ticks_ms

from micropython import const

from .dali import GARBLED, NO
from .line import drop, read_some

_WAIT_MS = const(250)  # two frames and an answer take 100; the line may be another's before
_FRAME = const(5)
_AT_ONCE = const(0x20)
_TWICE = const(0x10)
_DALI_16 = const(3)
_SENT = const(0)
_SILENCE = const(1)
_BYTE = const(2)
_ERROR = const(7)
_NOT_READ = const(3)  # an answer that is no byte
_COLLISION = const(5)


class Bridge:
    """The line behind a ready-made UART."""

    def __init__(self, uart):
        self._uart = uart
        self._out = bytearray(_FRAME)
        self._buf = bytearray(4 * _FRAME)
        self._view = memoryview(self._buf)

    async def send(self, address, data, answer=False, twice=False):
        """Send a forward frame; return the byte of its answer, NO or GARBLED.

        At most 0.3 s. Raises OSError where the bridge is silent or its line is dead.
        """
        buf = self._buf
        out = self._out
        out[0] = control = _DALI_16 | (0 if answer else _AT_ONCE) | (_TWICE if twice else 0)
        out[2] = address
        out[3] = data
        out[4] = control ^ address ^ data
        drop(self._uart, buf)
        self._uart.write(out)
        began_ms = ticks_ms()
        count = 0
        while True:
            left_ms = _WAIT_MS - ticks_diff(ticks_ms(), began_ms)
            got = left_ms > 0 and await read_some(self._uart, self._view[count:], left_ms)
            if not got:
                raise OSError("DALI: no bridge")
            count += got
            while count >= _FRAME:
                used = 1  # rubbish: a frame may begin at the next byte
                if not buf[0] ^ buf[1] ^ buf[2] ^ buf[3] ^ buf[4]:
                    used = _FRAME
                    status = buf[0] & 15
                    if status == _ERROR:
                        if answer and buf[3] in (_NOT_READ, _COLLISION):
                            return GARBLED
                        raise OSError("DALI: bridge error %d" % buf[3])
                    if status == _BYTE and answer:
                        return buf[3]
                    if status == _SILENCE or (status == _SENT and not answer):
                        return NO
                count -= used
                buf[:count] = buf[used : used + count]

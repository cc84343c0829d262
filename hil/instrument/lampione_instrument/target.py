"""A device on the I2C bus: registers, or a script of commands and what is read after each.

With registers the chip's driver answers by itself out of a memory, at any speed. A command is seen
when it is over, by an interrupt of the program's: its answer is there within a millisecond or two,
sooner than any sensor measures. What I2CTarget cannot: refuse an address while a device is busy
(until an answer is there 0xFF is read), and tell how long a command was (the longest one of the
script that fits is taken).
"""

from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from .refusal import FULL, NOT_OPEN, RANGE, Refusal

_SMALL = const(256)
_LARGE = const(4096)
_MOST = const(16)
_HEARD = const(200)
_UNKNOWN = const(3)  # bytes noted of a command that is not in the script
_IDLE_MS = const(20)


class Target:
    """The device of the settings' "i2c" ("i2c", "scl", "sda")."""

    def __init__(self, machine, part):
        self._kind = machine.I2CTarget
        self._part = part
        self._scl, self._sda = machine.Pin(part["scl"]), machine.Pin(part["sda"])
        self._device = None
        self._mem = bytearray(0)
        self._script = []  # (command, answer, after ms), the longest command first
        self._pending = None  # (when, answer)
        self.heard = b""
        self.lost = 0

    def stop(self):
        """Be no device any more."""
        if self._device:
            self._device.deinit()
            self._device = None
        self._script = []
        self._pending = None

    def open(self, address, register_bits):
        """Be the device at an address; None: none."""
        self.stop()
        if address is None:
            return
        if register_bits not in (0, 8, 16):
            raise Refusal(RANGE, "register_bits: 0, 8 or 16")
        self._mem = bytearray(b"\xff" * (_LARGE if register_bits == 16 else _SMALL))
        self.heard = b""
        self.lost = 0
        self._device = self._kind(
            self._part["i2c"],
            address,
            mem=self._mem,
            mem_addrsize=register_bits,
            scl=self._scl,
            sda=self._sda,
        )
        if not register_bits:
            self._device.irq(self._written, self._kind.IRQ_END_WRITE)

    def _need_open(self):
        if not self._device:
            raise Refusal(NOT_OPEN, "no address yet")

    def registers(self, offset, data):
        """Put bytes into the registers."""
        self._need_open()
        if offset is None or offset + len(data) > len(self._mem):
            raise Refusal(RANGE, "offset: %d bytes there are" % len(self._mem))
        self._mem[offset : offset + len(data)] = data

    def script(self, after, asked, data):
        """Let the rest of `data` be read after its first `asked` bytes were written."""
        self._need_open()
        if asked > len(data):
            raise Refusal(RANGE, "asked: more than there is")
        command = data[:asked]
        rest = [row for row in self._script if row[0] != command]
        if len(rest) >= _MOST:
            raise Refusal(FULL, "%d commands" % _MOST)
        rest.append((command, data[asked:], after))
        self._script = sorted(rest, key=lambda row: -len(row[0]))  # whole, as it is read beside

    def _written(self, _device):
        """A command is over. Comes beside the program: it changes what is whole at once."""
        mem = self._mem
        for command, answer, after in self._script:
            if mem[: len(command)] == command:
                self._note(command)
                mem[: len(mem)] = b"\xff" * len(mem)
                if after:
                    self._pending = (ticks_add(ticks_ms(), after), answer)
                else:
                    self._pending = None
                    mem[: len(answer)] = answer
                return
        self._note(bytes(mem[:_UNKNOWN]))

    def _note(self, command):
        if len(self.heard) + 1 + len(command) > _HEARD:
            self.lost = min(65534, self.lost + 1 + len(command))
        else:
            self.heard += bytes((len(command),)) + command

    def read(self):
        """Return (commands heard, how many bytes of such were lost)."""
        found = self.heard, self.lost
        self.heard = b""
        self.lost = 0
        return found

    def service(self):
        """Put an answer there whose time has come; return for how many ms there is nothing to do.

        A millisecond where a command may come whose answer takes its time.
        """
        pending = self._pending
        if pending and ticks_diff(pending[0], ticks_ms()) <= 0:
            self._mem[: len(pending[1])] = pending[1]
            if self._pending is pending:
                self._pending = None
        for row in self._script:
            if row[2]:
                return 1
        return _IDLE_MS

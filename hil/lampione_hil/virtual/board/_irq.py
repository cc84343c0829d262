"""Interrupts with the wall clock, on a wired board: a thread that waits for the wire's word.

Handlers run in the thread, beside the program: as hard ones they must not expect it to stand still.
"""

import _thread
import sys

import _wire
from _wire import INTERRUPTS, QUESTION, tell

_pins = {}  # number: handler, trigger, Pin
_targets = {}  # id: I2CTarget
_file = []
_lock = _thread.allocate_lock()
_ask = _wire.ask


def _one_at_a_time(message, length, reply=None, size=-1):
    with _lock:  # a handler may ask while the program does
        return _ask(message, length, reply, size)


_wire.ask = _one_at_a_time  # before any other module takes it


def _start():
    if not _file:
        _file.append(open(INTERRUPTS, "r+b"))
        _thread.start_new_thread(_run, ())


def _run():
    buf = bytearray(QUESTION)
    view = memoryview(buf)
    while True:
        if not _file[0].readinto(buf):
            return
        if buf[0] == 69:  # E: an edge
            found = _pins.get(buf[1])
            if found and found[1] & (1 if buf[2] else 2):
                _call(found[0], found[2])
        elif buf[0] == 73:  # I: an I2C transaction
            target = _targets.get(buf[1])
            length = buf[3] | buf[4] << 8
            data = view[7 : 7 + (buf[5] | buf[6] << 8)]
            _file[0].write(target.serve(buf[2], data, length) if target else b"\0")


def _call(handler, argument):
    try:
        handler(argument)
    except Exception as error:
        sys.print_exception(error)


def pin(id, handler, trigger, pin):
    """Call a handler at edges (1 rising, 2 falling) of a pin; None: no more."""
    if handler is None:
        _pins.pop(id, None)
        tell(b"e%d,0" % id)
    else:
        _start()
        _pins[id] = (handler, trigger, pin)
        tell(b"e%d,1" % id)


class _Irq:
    def __init__(self, target):
        self._target = target

    def flags(self):
        return self._target.fired


class I2CTarget:
    """A device with a memory on the I2C bus; events at the end of a transaction only.

    A wire carries whole transactions, so that a handler comes after the last byte, and the next
    transaction waits for it: the chip would stretch the clock, or be late.
    """

    IRQ_END_READ = 16
    IRQ_END_WRITE = 32

    def __init__(self, id, addr, *, addrsize=7, mem=None, mem_addrsize=8, scl=None, sda=None):
        if addrsize != 7 or mem is None or mem_addrsize not in (0, 8, 16):
            raise NotImplementedError("the virtual I2CTarget: 7 bits, a memory of 0, 8, 16 bits")
        self._id = id
        self._mem = mem
        self._address_bytes = mem_addrsize // 8
        self._handler = None
        self._trigger = 0
        self.memaddr = 0
        self.fired = 0
        _start()
        _targets[id] = self
        tell(b"i%d,%d" % (id, addr))

    def irq(self, handler=None, trigger=48, hard=False):
        if handler:
            self._handler, self._trigger = handler, trigger
        return _Irq(self)

    def _event(self, what):
        if self._handler and self._trigger & what:
            self.fired = what
            _call(self._handler, self)

    def serve(self, writes, data, length):
        """Do one transaction on the memory, as the driver in C does; return what is read."""
        mem = self._mem
        size = len(mem)
        if writes or not length:
            n = self._address_bytes
            if not n:
                self.memaddr = 0
            elif len(data) >= n:
                self.memaddr = int.from_bytes(bytes(data[:n]), "big") % size
            at = self.memaddr
            for byte in data[n:]:
                mem[at] = byte
                at = (at + 1) % size
            if len(data) > n:
                self._event(self.IRQ_END_WRITE)
        reply = bytearray(length + 1)
        reply[0] = 1
        if length:
            at = self.memaddr
            for i in range(length):
                reply[i + 1] = mem[(at + i) % size]
            self._event(self.IRQ_END_READ)
        return reply

    def deinit(self):
        _targets.pop(self._id, None)
        tell(b"i%d,0" % self._id)

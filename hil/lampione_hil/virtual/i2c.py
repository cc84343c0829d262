"""A board's I2C bus: its transactions go to the models on it, or to another board's I2CTarget."""

import struct

from lampione_hil.virtual.devices import I2CDevice
from lampione_hil.virtual.interrupts import QUESTION
from lampione_hil.virtual.life import VIRTUAL_EPOCH_UNIX_S, Life
from lampione_hil.virtual.running import ask_part

# Bus, address, whether it writes, how many bytes it reads, when; then data. See board/_buses.py.
_HEAD = struct.Struct("<3BHQ")
_REFUSED, _DONE, _TIMED_OUT = b"\0", b"\1", b"\2"


def transact(life: Life, body: bytes) -> None:
    """Do one transaction: a write, a read, or both in turn."""
    bus, address, writes, length, ticks_us = _HEAD.unpack_from(body)
    world = life.world
    if world.bus_held:
        life.reply(_TIMED_OUT.ljust(length + 1, b"\xff"))
        return
    foreign = _foreign(life, bus, address) if life.wired else None
    if foreign is not None:
        _ask_board(life, foreign, writes, length, body[_HEAD.size :])
        return
    now_s = life.clock.world_us(ticks_us) / 1e6
    if world.air is not None and life.home.virtual:
        world.air.present_s = VIRTUAL_EPOCH_UNIX_S + now_s
    device = world.device(address)
    found = None
    if device is not None:
        data = body[_HEAD.size :] if writes or not length else None
        found = ask_part(device, _exchange, device, data, length, now_s)
    life.reply((_REFUSED if found is None else _DONE + found).ljust(length + 1, b"\xff"))


def _exchange(device: I2CDevice, data: bytes | None, length: int, now_s: float) -> bytes | None:
    """Write (data None: no write), then read; return what was read, None: not acknowledged."""
    if data is not None and not device.write(data, now_s):
        return None
    return device.read(length, now_s) if length else b""


def _foreign(life: Life, bus: int, address: int) -> tuple[Life, int] | None:
    """Return the other board, and its I2CTarget, that answers at this address."""
    for other, number in life.home.wires.targets(life, bus):
        if other.pid and other.targets.get(number) == address:
            return other, number
    return None


def _ask_board(
    life: Life, foreign: tuple[Life, int], writes: int, length: int, data: bytes
) -> None:
    other, number = foreign
    head = struct.pack("<2B2H", number, writes, length, len(data))
    if len(data) + 1 + len(head) > QUESTION:
        life.reply(_TIMED_OUT.ljust(length + 1, b"\xff"))
        return
    other.interrupt(
        b"I" + head + data,
        lambda got: life.reply((got or _TIMED_OUT).ljust(length + 1, b"\xff")),
    )


def scan(life: Life, body: bytes) -> None:
    """Say which addresses are acknowledged."""
    found = bytearray(16)
    there = [a for a in life.world.i2c if life.world.device(a) is not None]
    for other, number in life.home.wires.targets(life, body[0]):
        if other.pid and number in other.targets:
            there.append(other.targets[number])
    for address in () if life.world.bus_held else there:
        found[address >> 3] |= 1 << (address & 7)
    life.reply(bytes(found))


def target(life: Life, body: bytes) -> None:
    """Learn at which address an I2CTarget of the board answers; 0: it is no more."""
    number, address = (int(part) for part in body.split(b","))
    if address:
        life.targets[number] = address
    else:
        life.targets.pop(number, None)

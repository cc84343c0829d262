"""What the supervisor answers on a board's wire: one function an operation."""

import json
import struct
from collections.abc import Callable

from lampione_hil.virtual import i2c
from lampione_hil.virtual.home import Wait
from lampione_hil.virtual.life import Life
from lampione_hil.virtual.running import ask_part
from lampione_hil.virtual.uart import PEEK, PIECES

_EDGES = 96  # see board/esp32.py
_RTC_BYTES = 2048  # see board/machine.py
_LOOK = struct.Struct(f"<2Hq{PIECES}q{PIECES}H")  # see board/_vuart.py
_TRACED = b"IPSTalpu"  # what a program does to its world, with the times


def answer(life: Life, message: bytes) -> None:
    """Do what one message from the board says. Rubbish is ignored: the program may send any."""
    found = _OPERATIONS.get(message[:1])
    if found is None:
        return
    if message[0] in _TRACED:
        life.digest.update(message)
    try:
        found(life, message[1:])
    except (ValueError, LookupError, struct.error):
        return


def _numbers(body: bytes) -> list[int]:
    return [int(part) for part in body.split(b",")]


def _boot(life: Life, _: bytes) -> None:
    if not life.home.virtual:
        life.clock.boot_us = (
            life.now_us()
        )  # its ticks begin now, not when its process was asked for
    life.reply(json.dumps(life.boot_info()).encode().ljust(1024))


def _ready(life: Life, _: bytes) -> None:
    life.ready()


def _prompt(life: Life, _: bytes) -> None:
    life.prompt()


def _reset(life: Life, body: bytes) -> None:
    cause, ticks_us = _numbers(body)
    at_us = life.clock.world_us(ticks_us) if life.home.virtual else None
    life.restart(cause, "watchdog" if cause == 3 else "reset", at_us)


def _soft_reset(life: Life, body: bytes) -> None:
    life.last_us = life.clock.world_us(int(body))


def _exit(life: Life, body: bytes) -> None:
    life.soft_reset(life.clock.world_us(int(body)))


def _deepsleep(life: Life, body: bytes) -> None:
    sleep_ms, ticks_us = _numbers(body)
    at_us = life.clock.world_us(ticks_us) if life.home.virtual else life.now_us()
    wakes_us = (
        life.clock.world_us(ticks_us + sleep_ms * 1000) - life.clock.world_us(ticks_us) + at_us
    )
    life.deep_sleep(at_us, wakes_us if sleep_ms else None)


def _torn(life: Life, _: bytes) -> None:
    life.power_off("power cut")


def _rtc(life: Life, body: bytes) -> None:
    value_us, ticks_us = _numbers(body)
    life.clock.set_rtc(value_us, life.clock.world_us(ticks_us))


def _rtc_keep(life: Life, body: bytes) -> None:
    life.clock.rtc_memory = body[:_RTC_BYTES]
    life.reply(b"\x01")


def _rtc_kept(life: Life, _: bytes) -> None:
    life.reply(
        struct.pack("<H", len(life.clock.rtc_memory))
        + life.clock.rtc_memory.ljust(_RTC_BYTES, b"\0")
    )


def _pwm(life: Life, body: bytes) -> None:
    pin, hz, duty, ticks_us = _numbers(body)
    life.pwm[pin] = (hz, duty)
    for line in life.uarts.values():
        line.settle(life.clock.world_us(ticks_us))
    life.world.dim(duty / 65535)
    life.note(life.clock.world_us(ticks_us), "pwm", pin, duty)
    life.home.changed(life)


def _pin(life: Life, body: bytes) -> None:
    pin, level, ticks_us = _numbers(body)
    life.pins[pin] = level
    line = life.line(tx=pin)
    if line is not None:
        ask_part(line, line.drive, level, life.clock.world_us(ticks_us) / 1e6)
    life.note(life.clock.world_us(ticks_us), "pin", pin, level)
    life.home.changed(life)


def _level(life: Life, body: bytes) -> None:
    pin, ticks_us = _numbers(body)
    line = life.line(rx=pin)
    if line is None:
        wired = life.home.wires.level(life, pin)
        level = life.pins.get(pin, life.world.levels.get(pin, 0) if wired is None else wired)
    else:
        level = ask_part(line, line.level, _at_us(life, ticks_us) / 1e6)
    life.reply(bytes([level]))


def _pulses(life: Life, body: bytes) -> None:
    pin, ticks_us = struct.unpack_from("<BQ", body)
    offsets = struct.unpack_from(f"<{(len(body) - 9) // 4}I", body, 9)
    line = life.line(tx=pin)
    head, heard = struct.pack("<2BH", 0, 0, 0), []
    if line is not None:
        now_us = life.clock.world_us(ticks_us)
        rests = ask_part(line, line.level, now_us / 1e6)
        changes = [now_us + offset for offset in offsets]
        heard = ask_part(line, line.pulses, changes, now_us / 1e6)[:_EDGES]
        head = struct.pack("<2BH", line.rx, not rests, len(heard))
        heard = [at_us - now_us for at_us in heard]
    life.reply((head + struct.pack(f"<{len(heard)}I", *heard)).ljust(4 + 4 * _EDGES, b"\0"))


def _analogue(life: Life, body: bytes) -> None:
    pin = int(body)
    wired = life.home.wires.microvolts(life, pin)
    life.reply(b"%8d" % (life.world.microvolts.get(pin, 0) if wired is None else wired))


def _float(life: Life, body: bytes) -> None:
    life.pins.pop(int(body), None)
    life.home.changed(life)


def _pulse(life: Life, body: bytes) -> None:
    life.reply(life.home.wires.pulses(life, int(body)))


def _edges(life: Life, body: bytes) -> None:
    pin, on = _numbers(body)
    if on:
        life.edges[pin] = life.home.wires.level(life, pin) or 0
    else:
        life.edges.pop(pin, None)


def _keys(life: Life, body: bytes) -> None:
    life.serial.interrupts(body == b"3")


def _i2s_send(life: Life, body: bytes) -> None:
    life.home.wires.heard(life, body[0], body[1:])


def _at_us(life: Life, ticks_us: int) -> int:
    return life.clock.world_us(ticks_us) if life.home.virtual else life.now_us()


def _uart_set(life: Life, body: bytes) -> None:
    number, fresh, baud, room, ticks_us = struct.unpack("<2B2IQ", body)
    life.uarts[number].set(baud, room, bool(fresh), _at_us(life, ticks_us))
    life.uart_moved(number)


def _uart_write(life: Life, body: bytes) -> None:
    number, ticks_us = struct.unpack_from("<BQ", body)
    life.uarts[number].write(body[9:], _at_us(life, ticks_us))
    life.uart_moved(number)


def _uart_read(life: Life, body: bytes) -> None:
    number, length, ticks_us = struct.unpack("<BHQ", body)
    line = life.uarts[number]
    line.advance(_at_us(life, ticks_us))
    data = line.read(length)
    life.uart_moved(number)
    head = struct.pack("<2H", len(data), min(line.waiting, 65535))
    life.reply(head + data.ljust(length, b"\0"))


def _uart_look(life: Life, body: bytes) -> None:
    number, taken, ticks_us = struct.unpack("<BHQ", body)
    line = life.uarts[number]
    now_us = life.clock.world_us(ticks_us)
    line.has_read(taken, now_us)
    pieces, then_us = line.foresee(max(now_us, life.granted_us))
    more = max(0, line.waiting - PEEK)  # that wait now, and do not fit into the answer
    then = -1 if then_us is None else life.clock.ticks_us(then_us)
    times = [life.clock.ticks_us(us) for us, _ in pieces] + [0] * (PIECES - len(pieces))
    sizes = [size for _, size in pieces] + [0] * (PIECES - len(pieces))
    head = _LOOK.pack(len(pieces), min(more, 65535), ticks_us if more else then, *times, *sizes)
    life.reply(head + line.peek(PEEK).ljust(PEEK, b"\0"))


def _i2s_open(life: Life, body: bytes) -> None:
    life.reply(bytes([life.i2s_open(*_numbers(body))]))


def _i2s_close(life: Life, body: bytes) -> None:
    life.i2s_close(int(body))
    life.reply(b"\x01")


def _watch(life: Life, body: bytes) -> None:
    life.bite_after_s = int(body) / 1000
    _feed(life, b"")


def _feed(life: Life, _: bytes) -> None:
    asleep = not life.bites_s
    life.bites_s = life.now_us() / 1e6 + life.bite_after_s
    if asleep:
        _guard(life, life.boots)


def _guard(life: Life, boot: int) -> None:
    """Bite when its time has come, else look again when it may have."""
    if not life.powered or life.boots != boot or not life.bites_s:
        return
    left_s = life.bites_s - life.now_us() / 1e6
    if left_s <= 0:
        life.restart(3, "watchdog")
    else:
        life.home.after(left_s, lambda: _guard(life, boot))


def _air(life: Life, body: bytes) -> None:
    station = life.station
    station.joined_at(_at_us(life, int(body)))
    rssi = life.world.rssi_dbm if station.up else -127
    life.reply(bytes([station.state, station.active, rssi & 0xFF, 0]))


def _interface(life: Life, body: bytes) -> None:
    flag, ticks_us = _numbers(body)
    life.station.set_active(bool(flag), _at_us(life, ticks_us))
    life.reply(b"\x01")


def _join(life: Life, body: bytes) -> None:
    ticks, name, password = body.decode("utf-8", "replace").split("\0")
    life.station.connect(name, password, _at_us(life, int(ticks)))
    life.reply(b"\x01")


def _leave(life: Life, body: bytes) -> None:
    life.station.disconnect(_at_us(life, int(body)))
    life.reply(b"\x01")


def _chip(life: Life, _: bytes) -> None:
    life.reply(bytes([life.world.chip_c + 100]))


def _wait(life: Life, body: bytes) -> None:
    until_us, now_us, once = _numbers(body)
    life.wait = Wait(life.clock.world_us(until_us), life.clock.world_us(now_us), bool(once))
    life.home.changed(life)


def _give_up(life: Life, _: bytes) -> None:
    if life.wait is not None:
        life.grant(life.home.virtual_us)


def _socket(life: Life, body: bytes) -> None:
    what, number, length, ticks_us = struct.unpack_from("<2BHQ", body)
    now_us, net = life.clock.world_us(ticks_us), life.home.net
    if what == b"c"[0]:
        life.sockets[number] = net.connect(life.station, life.news, now_us)
        return
    link = life.sockets[number]
    if what == b"x"[0]:
        life.sockets.pop(number).close(now_us)
        return
    count, data = 0, b""
    if what == b"s"[0]:
        count = link.send(body[12:], now_us)
    elif what == b"r"[0]:
        try:
            found = link.receive(length, now_us)
        except ConnectionError:
            found, count = b"", -2
        else:
            count = -1 if found is None else len(found)
        data = (found or b"").ljust(length, b"\0")
    status = link.status(now_us)
    next_us = link.next_us(now_us)
    at = -1 if next_us is None else life.clock.ticks_us(next_us)
    life.reply(struct.pack("<2hq", status, count, at) + data)


_OPERATIONS: dict[bytes, Callable[[Life, bytes], None]] = {
    b"B": _boot,
    b"Y": _ready,
    b"M": _prompt,
    b"R": _reset,
    b"t": _soft_reset,
    b"E": _exit,
    b"Z": _deepsleep,
    b"K": _torn,
    b"T": _rtc,
    b"m": _rtc_keep,
    b"r": _rtc_kept,
    b"P": _pwm,
    b"p": _pin,
    b"g": _level,
    b"l": _pulses,
    b"a": _analogue,
    b"I": i2c.transact,
    b"S": i2c.scan,
    b"U": _uart_set,
    b"u": _uart_write,
    b"q": _uart_read,
    b"Q": _uart_look,
    b"A": _i2s_open,
    b"c": _i2s_close,
    b"x": _i2s_send,
    b"f": _float,
    b"j": _pulse,
    b"e": _edges,
    b"h": _keys,
    b"i": i2c.target,
    b"D": _watch,
    b"F": _feed,
    b"n": _air,
    b"V": _interface,
    b"C": _join,
    b"X": _leave,
    b"k": _chip,
    b"W": _wait,
    b"w": _give_up,
    b"o": _socket,
}

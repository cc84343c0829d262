"""What a command asks is done here. Needed for a moment, and forgotten then: 2 kB.

The counter goes to flash before anything is done, so that no copy is ever obeyed again.
"""

from lampione_light.level import EMERGENCY, FULL, MAINTENANCE, OVERRIDE
from lampione_protocol.codec import decode
from lampione_protocol.schema import COMMAND_FIELDS
from micropython import const

from .post import CLOCK_SET, INFO

# Operations, outcomes and reasons, as the wire numbers them
_READ = const(0)
_LEVEL = const(1)
_RESUME = const(2)
_IDENTIFY = const(3)
_REBOOT = const(4)
_TIME = const(5)
_HELLO = const(6)
_FETCH = const(7)
_CLEAN = const(8)
_EMERGENCY = const(9)
_MAINTENANCE = const(10)
_DONE = const(1)
_REFUSED = const(2)
_NONE = const(0)
_UNKNOWN = const(3)
_RANGE = const(4)
_NO_PART = const(5)
_NOT_HELD = const(6)
_BUSY = const(7)
_TOO_OLD = const(8)
_LOCKED = const(9)

_CHALLENGE_MS = const(10000)  # an answer later than this says nothing about the time
_IDENTIFY_S = const(5)
_IDENTIFY_MAX_S = const(600)
_STEP_S = const(2)  # a step of the clock from here on is an Event
_CONTROLLER = const(3)  # the clock's quality
_AUTHOR = const(0x3FFFF)  # of a counter, what an Event can carry


def obey(commands, counter: int, buf: bytearray, start: int, end: int) -> None:  # type: ignore[no-untyped-def]
    """Do what the command in `buf[start:end]` says, for commands.Commands.

    Raises ReplayError, and ProtocolError when it cannot be understood.
    """
    # Fields keep their places for ever: the schema is append-only.
    op, expires, challenge, ask, level, ramp, for_s, time, ms, first, last = decode(
        COMMAND_FIELDS, buf, start, end
    )[:11]
    reason = commands.admit(counter, expires, challenge, op == _TIME, op in (_READ, _HELLO, _FETCH))
    if op == _TIME and not reason and commands.challenge_age_ms() > _CHALLENGE_MS:
        reason = _TOO_OLD
    value = None
    wait_ms = 0
    if reason:
        pass
    elif op in (_LEVEL, _RESUME, _IDENTIFY, _EMERGENCY, _MAINTENANCE):
        author = counter & _AUTHOR
        reason, wait_ms = _light(commands, op, level, (ramp or 0) * 100, for_s or 0, author)
    elif op == _READ:
        commands.on_health()
        value = commands.lighting.orders.left_ms() // 1000 if commands.lighting else None
    elif op == _TIME:
        if time is None or not _set_clock(commands, time, ms or 0):
            reason = _RANGE
    elif op == _HELLO:
        commands.on_hello(ask)
    elif op == _FETCH:
        value = first
        reason = _fetch(commands, counter, first, last)
    elif op == _CLEAN:
        if not commands.on_clean or not commands.on_clean():
            reason = _NO_PART
    elif op != _REBOOT:
        reason = _UNKNOWN
    if reason:
        commands.result(counter, op, _REFUSED, reason, value)
    elif wait_ms:
        commands.accept(counter, op, wait_ms)
    else:
        seq = commands.result(counter, op, _DONE, _NONE, value)
        if op == _REBOOT:
            commands.on_reboot(seq)


def _set_clock(commands, seconds: int, ms: int) -> bool:  # type: ignore[no-untyped-def]
    clock = commands.post.clock
    known = clock.quality() and abs(clock.now() - seconds) < _STEP_S
    if not clock.set(seconds, ms, _CONTROLLER):
        return False
    if not known:  # ties this boot's uptime to the calendar
        commands.post.event(CLOCK_SET, INFO, clock.uptime_s())
    return True


def _light(commands, op: int, level, ramp_ms: int, for_s: int, author: int) -> tuple:  # type: ignore[no-untyped-def]
    """Give the lamp an order; return (why not, ms until it is carried out)."""
    lighting = commands.lighting
    wait_ms = 0
    if not lighting:
        return _NO_PART, 0
    if lighting.locked() and op != _MAINTENANCE:
        return _LOCKED, 0
    if op == _LEVEL:
        if level is None or not for_s:  # an override without an end would outlive its reason
            return _RANGE, 0
        if not lighting.order(OVERRIDE, level * 100, ramp_ms, for_s * 1000, author):
            return _BUSY, 0
        wait_ms = min(ramp_ms, for_s * 1000)
    elif op == _RESUME:
        lighting.end(OVERRIDE, EMERGENCY)
    elif op == _EMERGENCY:
        if not for_s:
            return _RANGE, 0
        lighting.order(EMERGENCY, FULL, 0, for_s * 1000, author)
    elif op == _MAINTENANCE:
        if for_s:
            lighting.order(MAINTENANCE, 0, 0, for_s * 1000, author)
        else:
            lighting.end(MAINTENANCE)
    else:
        wait_ms = min(for_s or _IDENTIFY_S, _IDENTIFY_MAX_S) * 1000
        lighting.lamp.identify(wait_ms)
    commands.drop_pending()
    return _NONE, wait_ms


def _fetch(commands, counter: int, first, last) -> int:  # type: ignore[no-untyped-def]
    box = commands.post.outbox
    if first is None or last is None or first > last:
        return _RANGE
    if last < box.oldest_held or first >= box.next_seq:
        return _NOT_HELD
    return _NONE if commands.on_fetch(counter, first, last) else _BUSY

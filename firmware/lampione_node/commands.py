"""What the controller may ask, and what becomes of it.

A command reaches this file authenticated. Its counter goes to flash before anything is done, so
that no copy of it is ever obeyed again.
"""

import asyncio
import os
from time import ticks_add, ticks_diff, ticks_ms

from lampione_protocol.codec import decode
from lampione_protocol.errors import ReplayError
from lampione_protocol.schema import COMMAND_FIELDS, RESULT, RESULT_FIELDS
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
_ACCEPTED = const(0)
_DONE = const(1)
_REFUSED = const(2)
_NONE = const(0)
_EXPIRED = const(1)
_NO_CHALLENGE = const(2)
_UNKNOWN = const(3)
_RANGE = const(4)
_NO_PART = const(5)
NOT_HELD = const(6)
_BUSY = const(7)
_TOO_OLD = const(8)

_CHALLENGE_MS = const(10000)  # an answer later than this says nothing about the time
_IDENTIFY_S = const(5)
_IDENTIFY_MAX_S = const(600)
_STEP_S = const(2)  # a step of the clock from here on is an Event
_CONTROLLER = const(3)  # the clock's quality


class Commands:
    """Carries out commands.

    Args:
        post: for the results.
        state: whose `counter` is the last one accepted, on flash.
        lamp: None when the profile has none.

    `challenge` is what the latest Hello said. Others do what this file cannot and are told by
    `on_hello(answer)`, `on_fetch(counter, first, last)` (returns False when busy), `on_health()`,
    `on_clean()` (returns False where there is nothing to clean) and `on_reboot(seq)`, `seq` being
    the result that should be out before.
    """

    def __init__(self, post, state, lamp) -> None:  # type: ignore[no-untyped-def]
        self._post = post
        self.state = state
        self._lamp = lamp
        self.challenge = bytes(4)
        self._challenge_ms = 0
        self.on_hello = self.on_fetch = self.on_health = self.on_reboot = self.on_clean = None
        self._wake = asyncio.Event()
        self._pending = None  # (counter, op, ticks when it is over)
        self._result = [None] * len(RESULT_FIELDS)

    def new_challenge(self) -> bytes:
        """Draw the challenge of a Hello that is about to go out."""
        self.challenge = os.urandom(3) + b"\x01"  # never the four zeros that mean none
        self._challenge_ms = ticks_ms()
        return self.challenge

    def result(self, counter: int, op: int, outcome: int, reason: int = _NONE, value=None) -> int:  # type: ignore[no-untyped-def]
        """Commit a Result; return its number."""
        values = self._result
        clock = self._post.clock
        values[0] = clock.now()
        values[1] = clock.quality()
        values[2] = counter
        values[3] = op
        values[4] = outcome
        values[5] = reason
        if self._lamp:
            self._lamp.update()
            values[6] = self._lamp.level_percent
        values[7] = value
        return self._post.send(RESULT, RESULT_FIELDS, values)

    def refuse_fetch(self, counter: int, seq: int) -> None:
        """Say that frame `seq` of a fetch, and maybe more, cannot be had."""
        self.result(counter, _FETCH, _REFUSED, NOT_HELD, seq)

    def admit(self, counter: int, expires, challenge, strict=False, harmless=False) -> int:  # type: ignore[no-untyped-def]
        """Spend a command's counter, on flash before anything is done; return why not to obey.

        While the clock is unset a command needs the challenge, a strict one always, one that
        does no harm never. Raises ReplayError.
        """
        state = self.state
        if counter <= state.counter:
            raise ReplayError(state.counter, counter)
        state.counter = counter
        state.save()
        clock = self._post.clock
        set_ = clock.quality()
        if set_ and (expires is None or clock.now() > expires):
            return _EXPIRED
        if (strict or not (set_ or harmless)) and challenge != self.challenge:
            return _NO_CHALLENGE
        return _NONE

    def execute(self, counter: int, buf: bytearray, start: int, end: int) -> None:
        """Do what the command in `buf[start:end]` says.

        Raises ReplayError, and ProtocolError when it cannot be understood.
        """
        # Fields keep their places for ever: the schema is append-only.
        op, expires, challenge, ask, level, ramp, for_s, time, ms, first, last = decode(
            COMMAND_FIELDS, buf, start, end
        )[:11]
        reason = self.admit(counter, expires, challenge, op == _TIME, op in (_READ, _HELLO, _FETCH))
        if op == _TIME and not reason:
            if ticks_diff(ticks_ms(), self._challenge_ms) > _CHALLENGE_MS:
                reason = _TOO_OLD
        value = None
        wait_ms = 0
        if reason:
            pass
        elif op in (_LEVEL, _RESUME, _IDENTIFY):
            reason, wait_ms = self._light(op, level, ramp or 0, for_s)
        elif op == _READ:
            self.on_health()
            value = self._lamp.override_left_ms() // 1000 if self._lamp else None
        elif op == _TIME:
            if time is None or not self._set_clock(time, ms or 0):
                reason = _RANGE
        elif op == _HELLO:
            self.on_hello(ask)
        elif op == _FETCH:
            value = first
            reason = self._fetch(counter, first, last)
        elif op == _CLEAN:
            if not self.on_clean or not self.on_clean():
                reason = _NO_PART
        elif op != _REBOOT:
            reason = _UNKNOWN
        if reason:
            self.result(counter, op, _REFUSED, reason, value)
        elif wait_ms:
            self.result(counter, op, _ACCEPTED)
            self._pending = counter, op, ticks_add(ticks_ms(), wait_ms)
            self._wake.set()
        else:
            seq = self.result(counter, op, _DONE, _NONE, value)
            if op == _REBOOT:
                self.on_reboot(seq)

    def _set_clock(self, seconds: int, ms: int) -> bool:
        clock = self._post.clock
        known = clock.quality() and abs(clock.now() - seconds) < _STEP_S
        if not clock.set(seconds, ms, _CONTROLLER):
            return False
        if not known:  # ties this boot's uptime to the calendar
            self._post.event(CLOCK_SET, INFO, clock.uptime_s())
        return True

    def _light(self, op: int, level, ramp: int, for_s) -> tuple:  # type: ignore[no-untyped-def]
        """Give the lamp an order; return (why not, ms until it is carried out)."""
        lamp = self._lamp
        wait_ms = 0
        if not lamp:
            return _NO_PART, 0
        if op == _LEVEL:
            if level is None or not for_s:  # an override without an end would outlive its reason
                return _RANGE, 0
            if not lamp.set_override(level, ramp * 100, for_s * 1000):
                return _BUSY, 0
            wait_ms = min(ramp * 100, for_s * 1000)
        elif op == _RESUME:
            lamp.resume()
        else:
            wait_ms = min(for_s or _IDENTIFY_S, _IDENTIFY_MAX_S) * 1000
            lamp.identify(wait_ms)
        if self._pending:  # the order before this one will not be carried to its end
            self.result(self._pending[0], self._pending[1], _REFUSED, _BUSY)
            self._pending = None
        return _NONE, wait_ms

    def _fetch(self, counter: int, first, last) -> int:  # type: ignore[no-untyped-def]
        box = self._post.outbox
        if first is None or last is None or first > last:
            return _RANGE
        if last < box.oldest_held or first >= box.next_seq:
            return NOT_HELD
        return _NONE if self.on_fetch(counter, first, last) else _BUSY

    async def step(self) -> None:
        """Say "done" when a ramp or a signal is over; return after 10 s at the latest."""
        self._wake.clear()
        wait_ms = _CHALLENGE_MS
        if self._pending:
            wait_ms = min(wait_ms, ticks_diff(self._pending[2], ticks_ms()))
            if wait_ms <= 0:
                counter, op, _ = self._pending
                self._pending = None
                self.result(counter, op, _DONE)
                return
        try:
            await asyncio.wait_for_ms(self._wake.wait(), wait_ms)
        except asyncio.TimeoutError:
            pass

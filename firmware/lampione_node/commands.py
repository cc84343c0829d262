"""What the controller may ask, and what becomes of it.

A command reaches this file authenticated. Its counter goes to flash before anything is done, so
that no copy of it is ever obeyed again.
"""

import asyncio
import os
from time import ticks_add, ticks_diff, ticks_ms

from lampione_protocol.errors import ReplayError
from lampione_protocol.schema import RESULT, RESULT_FIELDS
from micropython import const

from .forget import forget
from .rare import rare

# Operations, outcomes and reasons, as the wire numbers them
_FETCH = const(7)
_ACCEPTED = const(0)
_DONE = const(1)
_REFUSED = const(2)
_NONE = const(0)
_EXPIRED = const(1)
_NO_CHALLENGE = const(2)
NOT_HELD = const(6)
_BUSY = const(7)

_REST_MS = const(10000)


class Commands:
    """Carries out commands.

    Args:
        post: for the results.
        state: whose `counter` is the last one accepted, on flash.
        lighting: None when the profile has no lamp.

    `challenge` is what the latest Hello said. Others do what this file cannot and are told by
    `on_hello(answer)`, `on_fetch(counter, first, last)` (returns False when busy), `on_health()`,
    `on_clean()` (returns False where there is nothing to clean) and `on_reboot(seq)`, `seq` being
    the result that should be out before.
    """

    def __init__(self, post, state, lighting) -> None:  # type: ignore[no-untyped-def]
        self.post = post
        self.state = state
        self.lighting = lighting
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
        clock = self.post.clock
        values[0] = clock.now()
        values[1] = clock.quality()
        values[2] = counter
        values[3] = op
        values[4] = outcome
        values[5] = reason
        if self.lighting:
            lamp = self.lighting.lamp
            lamp.update()
            values[6] = lamp.level_percent
        values[7] = value
        return self.post.send(RESULT, RESULT_FIELDS, values)

    def refuse_fetch(self, counter: int, seq: int) -> None:
        """Say that frame `seq` of a fetch, and maybe more, cannot be had."""
        self.result(counter, _FETCH, _REFUSED, NOT_HELD, seq)

    @rare
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
        clock = self.post.clock
        set_ = clock.quality()
        if set_ and (expires is None or clock.now() > expires):
            return _EXPIRED
        if (strict or not (set_ or harmless)) and challenge != self.challenge:
            return _NO_CHALLENGE
        return _NONE

    def execute(self, counter: int, buf: bytearray, start: int, end: int) -> None:
        """Do what the command in `buf[start:end]` says; what that needs is loaded for it.

        Raises ReplayError, and ProtocolError when it cannot be understood.
        """
        from .obey import obey

        try:
            obey(self, counter, buf, start, end)
        finally:
            forget("lampione_node.obey")

    def challenge_age_ms(self) -> int:
        """Return how long ago the challenge was drawn."""
        return ticks_diff(ticks_ms(), self._challenge_ms)

    def drop_pending(self) -> None:
        """Say that the order before will not be carried to its end, if there is one."""
        if self._pending:
            self.result(self._pending[0], self._pending[1], _REFUSED, _BUSY)
            self._pending = None

    def accept(self, counter: int, op: int, wait_ms: int) -> None:
        """Say that a command is being carried out, and in so long that it is done."""
        self.result(counter, op, _ACCEPTED)
        self._pending = counter, op, ticks_add(ticks_ms(), wait_ms)
        self._wake.set()

    async def step(self) -> None:
        """Say "done" when a ramp or a signal is over; return after 10 s at the latest."""
        self._wake.clear()
        wait_ms = _REST_MS
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

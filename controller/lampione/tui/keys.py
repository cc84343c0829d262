"""One key after the other: each has had its effect before the next is looked at.

Textual hands a burst of keys to the widget that has the focus when they come. Typed ahead, as on
a slow line, the letters behind a `:` would go to the view and not to the line that it opens, and
be taken for the view's own keys.
"""

from collections import deque
from functools import partial
from typing import Any

from textual import events
from textual.app import App, ScreenStackError
from textual.message import Message
from textual.widget import Widget

_ROUNDS = 3  # a key comes to its action, that to its message, and that to whoever asked
_LOST_S = 2.0  # what followed a key went down with a window that closed: the keys go on
_LOOKS = 200  # for a window to be there, before the next key goes wherever it may


class Passed(Message):
    """Goes the way that a key went, behind it."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds


class OneKeyAtATime(App[None], inherit_bindings=False):
    """See the module."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._held: deque[events.Key] = deque()
        self._passing = False
        self._turn = 0

    async def on_event(self, event: events.Event) -> None:
        """Hand a key on, or hold it."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._passing:
            self._held.append(event)
        else:
            await self._pass(event)

    async def _pass(self, event: events.Key) -> None:
        self._passing = True
        self._turn += 1
        self.set_timer(_LOST_S, partial(self._free, self._turn))
        target = self._target()
        await super().on_event(event)
        self._follow(target, _ROUNDS)

    def _free(self, turn: int) -> None:
        """Go on if this key is still under way: one key that is lost must not hold all others."""
        if self._passing and turn == self._turn:
            self.call_later(self._next)

    def _target(self) -> Widget | None:
        """Return what keys go to; None: the screens have gone, and with them whoever looks."""
        try:
            return self.focused or self.screen
        except ScreenStackError:
            return None

    def _follow(self, target: Widget | None, rounds: int) -> None:
        """Send something behind the key: when it comes back here, so has the key."""
        if target is not None and not target.post_message(Passed(rounds)):
            self._wait(_LOOKS)  # it has gone, by this very key

    def on_passed(self, message: Passed) -> None:
        """The key has come back here, or went no further; what it set off may be under way."""
        if message.rounds > 1:
            self._follow(self._target(), message.rounds - 1)
        else:
            self._wait(_LOOKS)

    def _wait(self, looks: int) -> None:
        """Go on once the window that a key opened can be typed into."""
        if self._target() is None:
            return
        screen = self.screen
        typed = screen.is_mounted and (screen.focused or not screen.focus_chain)
        if typed or looks == 0:
            self.call_later(self._next)
        else:
            self.set_timer(0.005, lambda: self._wait(looks - 1))

    async def _next(self) -> None:
        self._passing = False
        if self._held:
            await self._pass(self._held.popleft())

"""A command line for on and one for off: whatever else switches power on a bench.

    power = { kind = "command", on = "labgrid-client -p post power on",
              off = "labgrid-client -p post power off",
              status = "labgrid-client -p post power get" }

No shell reads it. labgrid stays in an environment of its own (it replaces pyserial): the whole path
of its client stands here.
"""

import re
from typing import Literal

from pydantic import Field

from lampione_hil.real import outside
from lampione_hil.real.power.switch import PowerError, Switch

_STATE = re.compile(r"\b(on|off)\b", re.IGNORECASE)


def parse(text: str) -> bool | None:
    """Return what the last word `on` or `off` of a text says; None: there is none."""
    words = _STATE.findall(text)
    return words[-1].lower() == "on" if words else None


class CommandSwitch(Switch):
    """See Switch.

    status: prints a text whose last `on` or `off` tells the state.
    off_s: may be shorter here, for what has no capacitors.
    """

    kind: Literal["command"]
    on_command: outside.Words = Field(alias="on")
    off_command: outside.Words = Field(alias="off")
    status: outside.Words | None = None
    timeout_s: float = Field(default=30.0, gt=0)
    off_s: float = Field(default=2.0, ge=0.0, le=60.0)

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return f"the switch {self.on_command[0]}"

    def state(self) -> bool | None:
        """Return what the status command says; None: there is none."""
        if self.status is None:
            return None
        text = self._run(self.status)
        found = parse(text)
        if found is None:
            raise PowerError(
                f"`{' '.join(self.status)}` says neither on nor off, but {text.strip()[:80]!r}: "
                "give another command as status"
            )
        return found

    def _turn(self, on: bool) -> None:
        self._run(self.on_command if on else self.off_command)

    def _run(self, words: tuple[str, ...]) -> str:
        try:
            return outside.run(words, timeout_s=self.timeout_s)
        except outside.OutsideError as error:
            raise PowerError(str(error)) from None

"""A port of a USB hub that switches its ports one by one, by the program uhubctl."""

import re
from typing import Literal, NamedTuple

from pydantic import Field

from lampione_hil.real import outside
from lampione_hil.real.power.switch import PowerError, Switch

_HUB = re.compile(r"^(Current|New) status for hub (\S+)")
_PORT = re.compile(r"^\s+Port (\d+): ([0-9a-fA-F]{4})((?: [\w.]+)*)")
_INSTALL = "type `sudo apt install uhubctl`"


class PortStatus(NamedTuple):
    """A port as uhubctl shows it: the hub's status word, and whether it says power."""

    word: int
    power: bool


def parse(text: str) -> dict[tuple[str, int], PortStatus]:
    """Return {(hub, port): its latest status} of what uhubctl printed; the rest is skipped."""
    found: dict[tuple[str, int], PortStatus] = {}
    hub = ""
    for line in text.splitlines():
        if match := _HUB.match(line):
            hub = match[2]
        elif hub and (match := _PORT.match(line)):
            found[hub, int(match[1])] = PortStatus(int(match[2], 16), "power" in match[3].split())
    return found


class Uhubctl(Switch):
    """See Switch.

    hub, port: as uhubctl names them: `Current status for hub 1-1.4`, `Port 2`.
    program: its name, or a command line such as `sudo -n uhubctl`.
    tries: how often it says off; some hubs hear it the second time only.
    """

    kind: Literal["uhubctl"]
    hub: str = Field(pattern=r"^\d+(-\d+(\.\d+)*)?$")
    port: int = Field(ge=1, le=32)
    program: outside.Words = ("uhubctl",)
    tries: int = Field(default=1, ge=1, le=100)
    timeout_s: float = Field(default=20.0, gt=0)

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return f"port {self.port} of hub {self.hub}"

    def state(self) -> bool:
        """Return whether the port has power; a hub of USB 3 shows two ports where one plug is."""
        ports = parse(self._run())
        mine = [status for (_, port), status in ports.items() if port == self.port]
        if (self.hub, self.port) not in ports:
            there = ", ".join(sorted({hub for hub, _ in ports})) or "none"
            raise PowerError(
                f"uhubctl shows no port {self.port} of hub {self.hub}, but hubs: {there}; "
                "type `uhubctl` and write hub and port as they stand there"
            )
        return any(status.power for status in mine)

    def _turn(self, on: bool) -> None:
        self._run("-a", "on" if on else "off", *([] if on else ["-r", str(self.tries)]))

    @property
    def _advice(self) -> str:
        return "try `tries = 3`, or a hub that uhubctl's page lists"

    def _run(self, *action: str) -> str:
        command = [*self.program, "-l", self.hub, "-p", str(self.port), *action]
        try:
            return outside.run(command, timeout_s=self.timeout_s, install=_INSTALL)
        except outside.OutsideError as error:
            text = str(error)
        if "permission" in text.lower():
            raise PowerError(
                f"no right to switch {self.name}: allow it by a udev rule (uhubctl's page, "
                'Linux USB permissions), or `program = "sudo -n uhubctl"`'
            )
        if "No compatible devices" in text:
            raise PowerError(
                f"no hub {self.hub} whose ports can be switched: type `uhubctl` to see those "
                "there are"
            )
        raise PowerError(text)

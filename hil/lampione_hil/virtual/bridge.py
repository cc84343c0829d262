"""The USB bridge of a development board: the cable, the port here and over TCP, the reset lines."""

from typing import TYPE_CHECKING

from lampione_hil.virtual.home import Home
from lampione_hil.virtual.rfc2217 import ResetLines, Rfc2217Port

if TYPE_CHECKING:
    from lampione_hil.virtual.life import Life


class Bridge:
    """Between a board's serial line and whoever has its cable."""

    def __init__(self, home: Home, life: "Life") -> None:
        self._selector = home.selector
        self._life = life
        self._lines = ResetLines(home.after, life.hold, life.release)
        self._network_port: Rfc2217Port | None = None

    def cable(self, plugged: bool) -> str:
        """Put the cable in, which powers the board, or pull it; return the port."""
        serial = self._life.serial
        if plugged:
            serial.plug()
            self._life.power_on()
        else:
            self._life.power_off("unplugged")
            serial.unplug()
            self._hang_up()
        return serial.port

    def rfc2217(self) -> str:
        """Return the URL of the serial line; empty while the cable is out."""
        serial = self._life.serial
        if self._network_port is None and serial.port:
            self._network_port = Rfc2217Port(
                self._selector, self._lines, serial.type, serial.forget
            )
            serial.heard = self._network_port.show
        return self._network_port.url if self._network_port is not None else ""

    def close(self) -> None:
        """End both ports."""
        self._hang_up()
        self._life.serial.close()

    def _hang_up(self) -> None:
        if self._network_port is not None:
            self._network_port.close()
            self._network_port = self._life.serial.heard = None

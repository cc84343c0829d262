"""What a D4i gear measures of itself and counts for ever."""

from dataclasses import dataclass

STANDBY_W = 0.5
_BUS_W = 0.3  # of the line's supply and of the auxiliary one, which the load side does not count


@dataclass
class Meter:
    """The counters and readings of a gear with a lamp of `rated_w`.

    light: what the lamp shows of its full power, 0 to 1; an efficient LED follows its current.
    """

    rated_w: float = 60.0
    supply_v: float = 231.0
    supply_hz: int = 50
    gear_c: float = 41.0
    lamp_v: float = 48.0
    derating: bool = False
    gear_failed: bool = False
    lamp_failed: bool = False
    light: float = 0.0
    energy_wh: float = 0.0
    apparent_vah: float = 0.0
    load_wh: float = 0.0
    operating_s: float = 0.0
    burnt_s: float = 0.0
    gear_starts: int = 0
    lamp_starts: int = 0
    failures: int = 0

    @property
    def power_w(self) -> float:
        """Drawn from the mains."""
        return STANDBY_W + self.rated_w * self.light

    @property
    def power_factor(self) -> float:
        """Poor where little is drawn."""
        return 0.5 + 0.47 * min(1.0, self.power_w / self.rated_w)

    @property
    def apparent_va(self) -> float:
        """Volts times amperes."""
        return self.power_w / self.power_factor

    @property
    def load_w(self) -> float:
        """For the light alone."""
        return self.power_w - _BUS_W

    @property
    def lamp_ma(self) -> float:
        """Through the lamp."""
        return 1000 * self.rated_w * self.light / self.lamp_v

    def shine(self, light: float) -> None:
        """Let the lamp show so much."""
        if light and not self.light:
            self.lamp_starts += 1
        self.light = light

    def count(self, seconds: float) -> None:
        """Let time pass with all as it is."""
        hours = seconds / 3600
        self.energy_wh += self.power_w * hours
        self.apparent_vah += self.apparent_va * hours
        self.load_wh += self.load_w * hours
        self.operating_s += seconds
        if self.light:
            self.burnt_s += seconds

"""How the parts of a profile are wired, and what each can be told. The firmware reads the same.

Whole numbers and short words only. `firmware/lampione_node/parts/` says what each setting does.
"""

import math
from typing import Annotated, Literal, NamedTuple, Self

from lampione_protocol.names import SENSORS
from pydantic import Field, model_validator

from lampione.config.light import Lamp as LampSettings
from lampione.config.table import Table

UNITS = ("i2c", "i2s", "uart")
PINS = ("scl", "sda", "sck", "ws", "sd", "tx", "rx", "pin")
SENSORS_OF = {"gases": ("no2", "o3")}  # every other part has the sensor of its name


class Chip(NamedTuple):
    """What a board's chip leaves to the parts.

    pins: free GPIOs; those that the flash, the USB, the console and the start-up need are not.
    units: of each kind of bus, {kind: numbers}.
    """

    pins: frozenset[int]
    units: dict[str, frozenset[int]]


_TWO = frozenset({0, 1})
# ESP32-S3 datasheet, tables 2-1 and 2-11 to 2-14: strapping 0, 3, 45, 46; USB 19, 20; flash and
# PSRAM 26 to 37; console 43, 44. ESP32: strapping 0, 2, 5, 12, 15; console 1, 3 and UART 0; flash 6
# to 11; 34 to 39 are inputs only.
CHIPS = {
    "esp32-s3": Chip(
        frozenset({1, 2, *range(4, 19), 21, *range(38, 43), 47, 48}),
        {"i2c": _TWO, "i2s": _TWO, "uart": frozenset({0, 1, 2})},
    ),
    "esp32": Chip(
        frozenset({4, 13, 14, *range(16, 20), *range(21, 24), 25, 26, 27, 32, 33}),
        {"i2c": _TWO, "i2s": _TWO, "uart": frozenset({1, 2})},
    ),
}


class I2c(Table):
    """A part on an I2C bus, which parts share: unit, clock, data."""

    i2c: int
    scl: int
    sda: int


class Uart(Table):
    """A part on a serial line of its own: unit, our transmitter's pin, our receiver's."""

    uart: int
    tx: int
    rx: int


class Sound(Table):
    """The microphone on I2S: unit, bit clock, word select, data."""

    i2s: int
    sck: int
    ws: int
    sd: int
    eq: Literal["ics43434", "inmp441"] | None = None
    offset_cdb: int = Field(default=0, ge=-3000, le=3000)
    peak_db: Literal[0] | Annotated[int, Field(ge=75, le=120)] = 100


class Climate(I2c):
    """Temperature and humidity."""

    kind: Literal["sht45", "bme280"] = "sht45"


class Sps30(I2c):
    """Particles by an SPS30."""

    kind: Literal["sps30"] = "sps30"


class ParticlesUart(Uart):
    """Particles by a part with a serial line."""

    kind: Literal["pms5003", "sds011"]


Millivolts10 = Annotated[int, Field(ge=0, le=15000)]
Sensitivity = Annotated[int, Field(ge=50, le=2000)]


class Gases(I2c):
    """NO2 and ozone: the unit's certificate belongs to the node, see `calibration`."""

    warm_min: int = Field(default=120, ge=0, le=4320)
    no2_we: Millivolts10 | None = None
    no2_ae: Millivolts10 | None = None
    no2_s: Sensitivity | None = None
    ox_we: Millivolts10 | None = None
    ox_ae: Millivolts10 | None = None
    ox_s_no2: Sensitivity | None = None
    ox_s_o3: Sensitivity | None = None


class Geometry(Table):
    """How a radar looks at the street: angles between the road and the line of sight to the
    section 15 m before the pole, in the lane toward the radar and in the other (0: the same).
    """

    angle_deg: int = Field(default=25, ge=5, le=60)
    away_deg: int = Field(default=0, ge=0, le=60)


class RadarUart(Uart, Geometry):
    """Traffic by a radar that computes speeds itself."""

    kind: Literal["ops243", "ld2415h"] = "ops243"


class RadarIf(Geometry):
    """Traffic by a bare Doppler module on an I2S converter."""

    kind: Literal["doppler"]
    mhz: int = Field(default=24125, ge=10000, le=25000)
    i2s: int
    sck: int
    ws: int
    sd: int


class Energy(Uart):
    """The lamp's energy meter."""

    address: int = Field(default=1, ge=1, le=247)


class Tilt(I2c):
    """Tilt and shocks: gravity as installed, in mg, all three or none."""

    ref_x: int | None = Field(default=None, ge=-2000, le=2000)
    ref_y: int | None = Field(default=None, ge=-2000, le=2000)
    ref_z: int | None = Field(default=None, ge=-2000, le=2000)
    tilt_deg: int = Field(default=5, ge=1, le=45)
    impact_mg: int = Field(default=500, ge=100, le=2000)

    @model_validator(mode="after")
    def _gravity(self) -> Self:
        given = [ref for ref in (self.ref_x, self.ref_y, self.ref_z) if ref is not None]
        if given and (len(given) < 3 or not 700 <= math.hypot(*given) <= 1300):
            raise ValueError("ref_x, ref_y and ref_z: all three, together about 1000 mg")
        return self


class Lamp(Table):
    """The luminaire's dimming input, a PWM pin."""

    pin: int


class Parts(Table):
    """The parts that the firmware builds; one that is not given is absent."""

    climate: Climate | None = None
    particulates: Annotated[Sps30 | ParticlesUart, Field(union_mode="left_to_right")] | None = None
    gases: Gases | None = None
    sound: Sound | None = None
    radar: Annotated[RadarUart | RadarIf, Field(union_mode="left_to_right")] | None = None
    light: I2c | None = None
    energy: Energy | None = None
    tilt: Tilt | None = None
    lamp: Lamp | None = None

    def settings(self) -> dict[str, dict[str, int | str]]:
        """Return them as a board's settings have them."""
        found: dict[str, dict[str, int | str]] = self.model_dump(
            exclude_none=True, exclude_defaults=True
        )
        return found


class Profile(Table):
    """Which parts a node has, where they are wired, and how its lamp is to burn."""

    hardware: Literal["esp32-s3", "esp32"]
    sensors: tuple[Literal[*SENSORS], ...] = Field(strict=False)  # type: ignore[valid-type]
    parts: Parts
    lamp: LampSettings = LampSettings()
    program: str | None = None
    radio: str | None = None
    outbox_bytes: int = Field(default=524288, ge=16384, le=16 * 1024 * 1024)

    @model_validator(mode="after")
    def _wired(self) -> Self:
        chip = CHIPS[self.hardware]
        owners: dict[str, str] = {}  # of units and pins: who has them
        wired = self.parts.settings()
        for part, wiring in wired.items():
            bus = next((kind for kind in UNITS if kind in wiring), None)
            # Parts on one I2C bus share its pins; everything else is a part's own.
            owner = f"i2c {wiring['i2c']}" if bus == "i2c" else f"parts.{part}"
            for key, number in wiring.items():
                where = f"parts.{part}.{key} = {number}"
                if key in UNITS:
                    units = sorted(chip.units[key])
                    if number not in units:
                        raise ValueError(
                            f"{where}: {self.hardware} has {key} {units[0]} to {units[-1]}"
                        )
                elif key in PINS:
                    if number not in chip.pins:
                        raise ValueError(f"{where}: not a free pin of {self.hardware}")
                else:
                    continue
                thing = f"pin {number}" if key in PINS else f"{key} {number}"
                said = f"{key} of {owner}"
                if owners.setdefault(thing, said) != said:
                    raise ValueError(f"{where}: {thing} is {owners[thing]} already")
                if owners.setdefault(said, thing) != thing:
                    raise ValueError(f"{where}: {said} is {owners[said]} already")
        listed = {name for part in wired for name in SENSORS_OF.get(part, (part,))} - {"lamp"}
        for sensor in SENSORS:
            if (sensor in self.sensors) != (sensor in listed):
                raise ValueError(f"{sensor} must be both in `sensors` and in `parts`, or in none")
        return self

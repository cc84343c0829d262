"""What a board is: its chip, its MicroPython; and whether our firmware is for it."""

import ast
from dataclasses import dataclass

from lampione_hil.real.errors import NotMicroPythonError, WrongChipError, WrongVersionError
from lampione_hil.real.repl import Repl

OLDEST = (1, 26)
_MPY = (6, 3)  # the format that mpy-cross writes, and its revision of native code
# By sys.implementation._mpy >> 10 (MicroPython's docs, "The .mpy files").
_ARCHITECTURES = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa",
    "xtensawin", "rv32imc", "rv64imc",
)  # fmt: skip
_VIRTUAL = ("linux", "darwin")


@dataclass(frozen=True)
class Chip:
    """A board's own words."""

    platform: str
    machine: str
    version: tuple[int, int, int]
    mpy: int
    build: str  # sys.version
    paths: tuple[str, ...]
    unique_id: str
    block_bytes: int
    blocks_free: int
    inflates: bool
    rom_bytes: int = 0  # of a partition for ROMFS; 0: none

    @property
    def march(self) -> str:
        """mpy-cross' name of its architecture; empty when it runs no native code."""
        number = self.mpy >> 10 & 0x0F
        return _ARCHITECTURES[number] if number < len(_ARCHITECTURES) else ""

    @property
    def micropython(self) -> str:
        """Its version as people write it."""
        return ".".join(map(str, self.version))

    def check(self, where: str) -> None:
        """See that our firmware runs on it. Raises WrongChipError, WrongVersionError."""
        if self.platform != "esp32" and self.platform not in _VIRTUAL:
            raise WrongChipError(
                f"{where}: this is {self.machine or self.platform}: Lampione's firmware is for the "
                "ESP32; --force writes it nevertheless"
            )
        if self.version[:2] < OLDEST:
            raise WrongVersionError(
                f"{where}: MicroPython {self.micropython} is too old: install "
                f"{OLDEST[0]}.{OLDEST[1]} or later with `lampione flash --micropython IMAGE`"
            )
        if not self.march:
            raise WrongVersionError(
                f"{where}: this MicroPython runs no native code: install one that does with "
                "`lampione flash --micropython IMAGE`"
            )
        if (self.mpy & 0xFF, self.mpy >> 8 & 3) != _MPY:
            raise WrongVersionError(
                f"{where}: this MicroPython runs .mpy {self.mpy & 0xFF}.{self.mpy >> 8 & 3}, the "
                f"firmware is {_MPY[0]}.{_MPY[1]}: install another with "
                "`lampione flash --micropython IMAGE`"
            )


def ask(repl: Repl) -> Chip:
    """Return what the board says of itself; the agent is there. Raises NotMicroPythonError."""
    said = repl.exec("facts()")
    try:
        platform, machine, version, mpy, build, paths, unique_id, size, free, packed, rom = (
            ast.literal_eval(said.decode().strip())
        )
        return Chip(
            platform, machine, tuple(version), mpy, build, tuple(paths), unique_id, size, free,
            packed, rom,
        )  # fmt: skip
    except (ValueError, SyntaxError, TypeError):
        raise NotMicroPythonError(
            f"{repl.port}: it answers, but not as MicroPython does: {said[-60:]!r}"
        ) from None

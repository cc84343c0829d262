"""Faults for a copy of the firmware's sources, each one small edit that a suite has to notice.

An edit that does not apply exactly once fails loudly: the source has moved, and so has the fault.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("firmware", "protocol")


class StaleMutantError(ValueError):
    """The text that a mutant replaces is not there, or there more than once."""


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Args:
        name: what is wrong, in a few words.
        file: below the checkout.
        old, new: what stands there once, and what takes its place.
        tests: of hil/suites that must fail on it.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Change the file below `root`. Raises StaleMutantError."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise StaleMutantError(
                f"{self.name}: {self.old!r} stands {text.count(self.old)} times in {self.file}"
            )
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def copy_sources(folder: Path) -> Path:
    """Copy what a board runs into `folder`, as it lies in the checkout; return the folder."""
    ignore = shutil.ignore_patterns("__pycache__", "*.lock", "vectors")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    return folder


def mutated(mutant: Mutant, folder: Path) -> Path:
    """Return a copy of the sources in `folder` with the fault in it. Raises StaleMutantError."""
    copy_sources(folder)
    mutant.apply(folder)
    return folder


_NODE = "firmware/lampione_node/"
_LIGHT = "protocol/lampione_light/"
_WIRE = "protocol/lampione_protocol/"

MUTANTS = (
    Mutant(
        "dimming curve without its lower half",
        _NODE + "drivers/dimmer.py",
        "share = min(level, _FULL)",
        "share = max(min(level, _FULL), 1500)",
        ("test_dimming.py::test_every_level",),
    ),
    Mutant(
        "logarithmic curve of two decades",
        _NODE + "drivers/dimmer.py",
        "math.log10(share / _FULL) / 3",
        "math.log10(share / _FULL) / 2",
        ("test_dimming.py::test_logarithmic_driver",),
    ),
    Mutant(
        "light one level too low in a DALI frame",
        _NODE + "drivers/dali_gear.py",
        "OLD",
        "NEW",
        ("test_dimming.py::test_dali_curve",),
    ),
    Mutant(
        "a ramp that jumps",
        _NODE + "obey.py",
        "lighting.order(OVERRIDE, level * 100, ramp_ms, for_s * 1000, author)",
        "lighting.order(OVERRIDE, level * 100, 0, for_s * 1000, author)",
        ("test_ramps.py::test_straight_line",),
    ),
    Mutant(
        "dark at the start",
        _NODE + "light.py",
        "output = _output(part, lamp, 0 if source else design)",
        "output = _output(part, lamp, 0)",
        ("test_boot.py::test_light_first",),
    ),
    Mutant(
        "dark on a fault of the control",
        _NODE + "lamp.py",
        "level = self.design_percent * 100\n        self.reason = _FAULT if self._fault",
        "level = 0 if self._fault else self.design_percent * 100\n"
        "        self.reason = _FAULT if self._fault",
        ("test_failsafe.py::test_stopped",),
    ),
    Mutant(
        "a level that forgets its override's end",
        _NODE + "orders.py",
        "order[ELAPSED] = min(length, order[ELAPSED] + elapsed_ms)",
        "order[ELAPSED] = min(length - (not boosts), order[ELAPSED] + elapsed_ms)",
        ("test_failsafe.py::test_override_ends",),
    ),
    Mutant(
        "a locked lamp lights after a power cut",
        _NODE + "light.py",
        "source = _Locked() if _locked() else None",
        "source = None",
        ("test_failsafe.py::test_locked_lamp_stays_dark",),
    ),
    Mutant(
        "watchdog never fed",
        _NODE + "supervisor.py",
        "            if self._wdt:\n                self._wdt.feed()",
        "            if self._wdt and not self.restarts:\n                self._wdt = None",
        ("test_watchdog.py::test_fed_while_all_is_well",),
    ),
    Mutant(
        "watchdog fed though a task hangs",
        _NODE + "supervisor.py",
        "if not self._missing & ~self._resting:",
        "if True:",
        ("test_watchdog.py::test_a_task_that_hangs",),
    ),
    Mutant(
        "an in-place rewrite of the state",
        _NODE + "kept.py",
        "            os.rename(temporary, path)\n",
        '            with open(path, "wb") as file:\n'
        "                file.write(data + crc32(data).to_bytes(4, \"big\"))\n",
        ("test_power_cut.py::test_state",),
    ),
    Mutant(
        "wrong CRC polynomial",
        _NODE + "drivers/crc8.py",
        "0x131",
        "0x107",
        ("test_sensors.py::test_value",),
    ),
    Mutant(
        "a checksum that is not looked at",
        _NODE + "drivers/sht45.py",
        "if crc8(buf, 0, 2) != buf[2] or crc8(buf, 3, 5) != buf[5]:",
        "if False:",
        ("test_sensors.py::test_fault",),
    ),
    Mutant(
        "stale values sent as fresh",
        _NODE + "drivers/watch.py",
        "if age_ms > self._fresh_ms:",
        "if False:",
        ("test_sensors.py::test_fault",),
    ),
    Mutant(
        "a leaked buffer",
        _NODE + "report.py",
        '        """Post the Report of an interval that has just ended."""\n',
        '        """Post the Report of an interval that has just ended."""\n'
        '        self._leak = getattr(self, "_leak", ()), bytearray(100)\n',
        ("test_memory.py::test_memory",),
    ),
    Mutant(
        "a dropped report",
        _NODE + "report.py",
        "        self._post.send(REPORT, REPORT_FIELDS, values)\n        for part",
        "        if start % 7:\n            self._post.send(REPORT, REPORT_FIELDS, values)\n"
        "        for part",
        ("test_reports.py::test_no_interval_is_missing",),
    ),
    Mutant(
        "a report sent again with another value",
        _NODE + "identity.py",
        "self.epoch = os.urandom(EPOCH_BYTES)",
        "self.epoch = bytes(EPOCH_BYTES)",
        ("test_boot.py::test_identity",),
    ),
    Mutant(
        "what nobody has acknowledged is not sent again",
        _NODE + "uplink.py",
        "self._old.seek(box.acked + 1)\n        self._live_from",
        "self._old.seek(self._sent + 1)\n        self._live_from",
        ("test_outbox.py::test_long_outage",),
    ),
    Mutant(
        "the oldest go without a word",
        _NODE + "outbox.py",
        "            self.dropped += lost",
        "            self.dropped += 0",
        ("test_outbox.py::test_overflow",),
    ),
    Mutant(
        "the network is never joined again",
        _NODE + "wifi.py",
        "if not self.joined():\n                await ensure",
        "if not self.joined() and not self.joins:\n                await ensure",
        ("test_radio.py::test_lost_and_back",),
    ),
    Mutant(
        "a replayed command is obeyed",
        _NODE + "commands.py",
        "if counter <= state.counter:",
        "if counter < 0:",
        ("test_commands.py::test_replay",),
    ),
    Mutant(
        "a challenge is not asked for",
        _NODE + "commands.py",
        "challenge != self.challenge:",
        "challenge is None:",
        ("test_commands.py::test_no_challenge",),
    ),
    Mutant(
        "the clock takes a time of years ago",
        _NODE + "clock.py",
        "if l_seconds < _PLAUSIBLE_S:",
        "if l_seconds < 0:",
        ("test_clock.py::test_set",),
    ),
    Mutant(
        "a config that is never taken back",
        _NODE + "setup.py",
        "OLD",
        "NEW",
        ("test_config.py::test_unconfirmed",),
    ),
    Mutant(
        "a config rewritten in its place",
        _NODE + "config.py",
        '        os.rename(folder + "/new", folder + "/good")',
        "        # in place\n"
        '        with open(folder + "/new", "rb") as source, open(folder + "/good", "wb") as file:\n'
        "            file.write(source.read())\n"
        '        os.remove(folder + "/new")',
        ("test_power_cut.py::test_config",),
    ),
    Mutant(
        "A-weighting with a pole in the wrong place",
        _NODE + "sensing/flat.py",
        "x -= s4 >> 9  # 737.9 Hz",
        "x -= s4 >> 10  # 737.9 Hz",
        ("test_noise.py::test_weighting",),
    ),
    Mutant(
        "speeds without the mounting's angle",
        _NODE + "parts/radar.py",
        'angle = max(5, min(60, part.get("angle_deg", 25)))',
        'angle = max(5, min(5, part.get("angle_deg", 25)))',
        ("test_radar.py::test_speeds",),
    ),
    Mutant(
        "a level of the sun's in local winter time",
        _LIGHT + "civil.py",
        "OLD",
        "NEW",
        ("test_clock.py::test_program",),
    ),
    Mutant(
        "unknown as zero on the wire",
        _WIRE + "codec.py",
        "OLD",
        "NEW",
        ("test_protocol.py::test_vectors",),
    ),
)

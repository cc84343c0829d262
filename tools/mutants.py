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
        test: of hil/suites, which must fail on it.
        quick: whether `make test` tries it; the soak tries all.
    """

    name: str
    file: str
    old: str
    new: str
    test: str
    quick: bool = False

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
        "wrong dimming curve",
        _NODE + "drivers/dimmer.py",
        "share = min(level, _FULL)",
        "share = max(min(level, _FULL), 1500)",
        "test_dimming.py::test_every_level",
        quick=True,
    ),
    Mutant(
        "a logarithmic curve of two decades",
        _NODE + "drivers/dimmer.py",
        "math.log10(share / _FULL) / 3",
        "math.log10(share / _FULL) / 2",
        "test_dimming.py::test_logarithmic_driver",
    ),
    Mutant(
        "a DALI gear is sent less",
        _NODE + "drivers/dali_output.py",
        "await gear.dapc(arc)",
        "await gear.dapc(max(arc - 3, 0))",
        "test_dimming.py::test_dali_curve",
    ),
    Mutant(
        "a ramp that jumps",
        _NODE + "obey.py",
        "lighting.order(OVERRIDE, level * 100, ramp_ms, for_s * 1000, author)",
        "lighting.order(OVERRIDE, level * 100, 0, for_s * 1000, author)",
        "test_ramps.py::test_straight_line",
    ),
    Mutant(
        "dark at the start",
        _NODE + "light.py",
        "output = _output(part, lamp, 0 if source else design)",
        "output = _output(part, lamp, 0)",
        "test_boot.py::test_light_first",
    ),
    Mutant(
        "dark on a fault of the control",
        _NODE + "lamp.py",
        "        level = self.design_percent * 100\n",
        "        level = 0 if self._fault else self.design_percent * 100\n",
        "test_failsafe.py::test_stopped",
    ),
    Mutant(
        "a level that forgets its override's end",
        _NODE + "orders.py",
        "order[ELAPSED] = min(length, order[ELAPSED] + elapsed_ms)",
        "most = length if boosts else max(0, length - 60000)\n"
        "            order[ELAPSED] = min(most, order[ELAPSED] + elapsed_ms)",
        "test_failsafe.py::test_override_ends",
    ),
    Mutant(
        "a locked lamp is lit by a power cut",
        _NODE + "light.py",
        "source = _Locked() if _locked() else None",
        "source = None",
        "test_failsafe.py::test_locked_lamp_stays_dark",
    ),
    Mutant(
        "a missed watchdog feed",
        _NODE + "supervisor.py",
        "                self._wdt.feed()",
        "                pass",
        "test_watchdog.py::test_fed_while_all_is_well",
    ),
    Mutant(
        "a watchdog fed though a task hangs",
        _NODE + "supervisor.py",
        "if not self._missing & ~self._resting:",
        "if True:",
        "test_watchdog.py::test_what_hangs",
    ),
    Mutant(
        "an in-place rewrite",
        _NODE + "kept.py",
        "            os.rename(temporary, path)\n",
        '            with open(path, "wb") as file:\n'
        "                file.write(data)\n"
        "                file.flush()\n"
        '                file.write(crc32(data).to_bytes(4, "big"))\n',
        "test_power_cut.py::test_state",
        quick=True,
    ),
    Mutant(
        "a wrong CRC polynomial",
        _NODE + "drivers/crc8.py",
        r"\x00\x31\x62\x53\xc4\xf5\xa6\x97",
        r"\x00\x07\x0e\x09\x1c\x1b\x12\x15",
        "test_sensors.py::test_value[sht45]",
    ),
    Mutant(
        "a checksum that nobody looks at",
        _NODE + "drivers/sht45.py",
        "if crc8(buf, 0, 2) != buf[2] or crc8(buf, 3, 5) != buf[5]:",
        "if False:",
        "test_sensors.py::test_fault[sht45]",
    ),
    Mutant(
        "stale values sent as fresh",
        _NODE + "drivers/watch.py",
        "if age_ms > self._fresh_ms:",
        "if False:",
        "test_sensors.py::test_fault[lis3dh]",
    ),
    Mutant(
        "a leaked buffer",
        _NODE + "report.py",
        '        """Post the Report of an interval that has just ended."""\n',
        '        """Post the Report of an interval that has just ended."""\n'
        '        self.leak = getattr(self, "leak", ()), bytearray(100)\n',
        "test_memory.py::test_many_reports",
    ),
    Mutant(
        "a dropped report",
        _NODE + "report.py",
        "        self._post.send(REPORT, REPORT_FIELDS, values)\n",
        "        if start % 7 != 5:\n            self._post.send(REPORT, REPORT_FIELDS, values)\n",
        "test_reports.py::test_no_interval_is_missing",
        quick=True,
    ),
    Mutant(
        "one epoch for every boot",
        _NODE + "identity.py",
        "self.epoch = os.urandom(EPOCH_BYTES)",
        "self.epoch = bytes(EPOCH_BYTES)",
        "test_boot.py::test_identity",
    ),
    Mutant(
        "what was made without a network is not sent",
        _NODE + "uplink.py",
        "        self._old.seek(box.acked + 1)\n        self._live_from",
        "        self._old.seek(box.next_seq)\n        self._live_from",
        "test_radio.py::test_no_network_at_the_start",
    ),
    Mutant(
        "the oldest go without a word",
        _NODE + "outbox.py",
        "            self.dropped += lost",
        "            self.dropped += 0",
        "test_outbox.py::test_overflow",
    ),
    Mutant(
        "an hour's wait after a lost connection",
        _NODE + "uplink.py",
        "wait_ms = backoff_ms(self._failures)",
        "wait_ms = 3600000",
        "test_radio.py::test_lost_and_back",
    ),
    Mutant(
        "a replayed command is obeyed",
        _NODE + "commands.py",
        "if counter <= state.counter:",
        "if counter < 0:",
        "test_commands.py::test_replay",
    ),
    Mutant(
        "an unanswered challenge is enough",
        _NODE + "commands.py",
        "challenge != self.challenge:",
        "challenge is None:",
        "test_commands.py::test_no_challenge",
    ),
    Mutant(
        "a time of years ago is taken",
        _NODE + "clock.py",
        "if l_seconds < _PLAUSIBLE_S:",
        "if l_seconds < 0:",
        "test_clock.py::test_implausible",
    ),
    Mutant(
        "a trial without an end",
        _NODE + "setup.py",
        "if self._post.clock.uptime_s() >= self._end_s:",
        "if False:",
        "test_config.py::test_unconfirmed",
    ),
    Mutant(
        "a restart that does not end a trial",
        _NODE + "config.py",
        "            mark(folder, RUN, trial_s, counter)\n",
        "            pass\n",
        "test_config.py::test_by_a_restart",
    ),
    Mutant(
        "A-weighting with a pole an octave off",
        _NODE + "sensing/flat.py",
        "x -= s4 >> 9  # 737.9 Hz",
        "x -= s4 >> 10  # 737.9 Hz",
        "test_noise.py::test_weighting",
    ),
    Mutant(
        "speeds without the mounting's angle",
        _NODE + "parts/radar.py",
        'angle = max(5, min(60, part.get("angle_deg", 25)))',
        'angle = max(5, min(5, part.get("angle_deg", 25)))',
        "test_radar.py::test_speeds[ops243]",
    ),
    Mutant(
        "no summer time",
        _LIGHT + "civil.py",
        "return begin <= now < _last_sunday(year, 10) * DAY_S + 3600",
        "return now < begin < now",
        "test_program.py::test_sun_and_clock",
    ),
    Mutant(
        "unknown is zero on the wire",
        _WIRE + "codec.py",
        "        return -1\n",
        "        return 0\n",
        "test_protocol.py::test_vectors",
    ),
)

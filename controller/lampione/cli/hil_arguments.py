"""The grammar of `lampione hil`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values

_HANDLERS = "lampione.cli.hil:"
_BENCH = "lampione.cli.hil_bench:"
INCONCLUSIVE = 5
_CODES = f"""\
exit codes of a run:
  0    the release verdict is pass
  1    it is fail
  2    the command line, the rig file or a suite is wrong
  {INCONCLUSIVE}    it is inconclusive: the report says why
  130  ended with Ctrl-C; the boards are off
"""


def add(commands: Any, common: argparse.ArgumentParser, group: Any) -> None:
    """Add `hil` to the commands; `group` makes those inside it. See `parser`."""
    hil = commands.add(
        "hil",
        _HANDLERS + "run",
        "test the firmware on a bench of boards, real or virtual",
        "  lampione hil run                       every suite on three virtual boards\n"
        "  lampione hil run --rig bench.toml --smoke\n"
        "  lampione hil doctor --rig bench.toml   is this bench sound?\n",
    )
    actions = group(hil, "action", common, required=True)

    run = actions.add(
        "run",
        _HANDLERS + "run",
        "run suites and write a report that ends in a release verdict",
        "  lampione hil run\n"
        "  lampione hil run --rig bench.toml --smoke --out reports/today\n"
        "  lampione hil run -k dimming --count 3        shows every outcome\n"
        "  lampione hil run --firmware ../other/firmware --json\n"
        "  lampione hil run my_suites/\n\n" + _CODES,
    )
    _rig(run)
    _suites(run)
    run.add_argument("--count", type=count, default=1, metavar="N", help="run every test N times")
    run.add_argument(
        "--firmware",
        type=values.folder,
        metavar="DIR",
        help="the firmware under test: main.py and packages, or a checkout (default: ours)",
    )
    run.add_argument(
        "--out",
        type=values.folder,
        metavar="DIR",
        help="where the report goes (default: hil-reports/DATE-TIME)",
    )
    run.add_argument(
        "--no-audit",
        action="store_true",
        help="a controller that runs is not told: whoever begins the run tells it (as the screen)",
    )
    run.add_argument(
        "-n",
        dest="workers",
        type=count,
        metavar="N",
        help="boards at a time (default: those of the rig, one a core at most)",
    )

    listed = actions.add(
        "list",
        _HANDLERS + "tests",
        "list the tests, what they need, and what the rig lacks for them",
        "  lampione hil list\n"
        "  lampione hil list --rig bench.toml --smoke\n"
        "  lampione hil list --json | jq -r 'select(.lacks!=\"\").test'\n",
    )
    _rig(listed)
    _suites(listed)

    doctor = actions.add(
        "doctor",
        _BENCH + "examine",
        "look whether a bench is sound, and make the key that it signs with",
        "  lampione hil doctor                    does power really cut, does reset reset?\n"
        "  lampione hil doctor --rig bench.toml\n\n"
        "What it finds goes into the reports of the next 30 days; without it, or when it found\n"
        "something bad, no verdict is a pass. Exit code 1: the bench is not sound.\n",
    )
    _rig(doctor)

    verify = actions.add(
        "verify",
        _BENCH + "verify",
        "say whether a conformance record is as it was signed, and by whom",
        "  lampione hil verify hil-reports/2026-05-04-101112\n"
        "  lampione hil verify record.json --key 'a1b2 c3d4 …'\n\n"
        "Exit code 1: it is not what was signed, or not by that key.\n",
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="a record, or the folder of a run")
    verify.add_argument("--key", metavar="FINGERPRINT", help="of the bench that you trust")

    compare = actions.add(
        "compare",
        _BENCH + "differ",
        "say what moved between two records, beyond noise",
        "  lampione hil compare hil-reports/A hil-reports/B\n"
        "  lampione hil compare old.json new.json --json | jq .moved\n\n"
        "Repeated measurements (run --count 3) give the noise; without them a tenth of the\n"
        "limits' width counts as moved. Exit code 0: nothing moved; 1: something\n"
        "did; 2: one of them is no record.\n",
    )
    compare.add_argument("before", type=Path, metavar="A", help="a record, or the folder of a run")
    compare.add_argument("after", type=Path, metavar="B", help="the same")


def _rig(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rig", type=Path, metavar="FILE", help="the rig's file (default: three virtual boards)"
    )


def _suites(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "suites", nargs="*", type=Path, metavar="SUITE", help="folders or files (default: ours)"
    )
    command.add_argument(
        "-k", dest="keyword", default="", metavar="WORDS", help="tests with these words in the name"
    )
    command.add_argument("--smoke", action="store_true", help="the short suite only")


def count(text: str) -> int:
    """Read a number from 1 to 1000. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)

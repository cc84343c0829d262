"""A bench, as a screen follows it: its tests, a run in a process of its own, what it measured.

`lampione hil ... --json` does the work, so that a run is the same from wherever it is begun, and
Ctrl-C's way of ending it too: boards are switched off, the report is written.
"""

import contextlib
import datetime
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lampione_hil.testing.measuring import limits

from lampione.desk.desk import Desk
from lampione.desk.text import clean
from lampione.desk.work import Answer, Job
from lampione.room.deeds import BENCH

COMMAND = [sys.executable, "-m", "lampione"]
REPORTS = Path("hil-reports")  # as `lampione hil run` has it
OUTCOMES = {
    "pass": ("good", "✓ pass"),
    "fail": ("bad", "✗ fail"),
    "broken": ("warn", "! broken"),
    "skip": ("dim", "– skip"),
}
VERDICTS = {"pass": "good", "fail": "bad", "inconclusive": "warn"}
_PASSED, _INTERRUPTED = 0, 130
_OURS = re.compile("lampione( hil)?: ")  # the command's complaints
_SHOWN = 3
Toned = tuple[str, str]
"""(tone, text)"""
Object = Mapping[str, Any]


class BenchingError(Exception):
    """The command said what went wrong."""


@dataclass
class Test:
    """One test. lacks: what the rig lacks for it. runs: what came of it in this run, in order."""

    __test__ = False  # pytest's own tests import it

    name: str
    needs: Sequence[str] = ()
    lacks: str = ""
    runs: tuple[Object, ...] = ()

    @property
    def suite(self) -> str:
        """The file that it stands in."""
        return self.name.partition("::")[0]

    @property
    def short(self) -> str:
        """Its own name."""
        return self.name.rpartition("::")[2]

    @property
    def state(self) -> Toned:
        """What came of it: a glyph and a word; of several runs the worst."""
        if not self.runs:
            return ("dim", "– lacks") if self.lacks else ("dim", "· waiting")
        worst = max(self.runs, key=lambda run: list(OUTCOMES).index(run["outcome"]) % 3)
        return OUTCOMES[worst["outcome"]]

    @property
    def measured(self) -> Toned:
        """How many measurements lie within their limits."""
        taken = [m for run in self.runs for m in run["measurements"]]
        good = sum(bool(m["ok"]) for m in taken)
        if not taken:
            return "dim", ""
        return ("" if good == len(taken) else "bad", f"{good} of {len(taken)}")

    def details(self) -> list[Toned]:
        """Everything about it, a line each: what is wrong first."""
        found: list[Toned] = [("dim", f"needs {', '.join(self.needs)}")] if self.needs else []
        if self.lacks:
            found.append(("warn", f"the rig lacks {self.lacks}"))
        for run in self.runs:
            if run["why"]:
                found.append((OUTCOMES[run["outcome"]][0], run["why"]))
            measured = sorted(run["measurements"], key=lambda m: bool(m["ok"]))
            found += [_measurement(m) for m in measured]
        return found or [("dim", "it did not run yet")]


def _measurement(m: Object) -> Toned:
    value = "none" if m["value"] is None else f"{m['value']:.6g} {m['unit']}".strip()
    mark = "✓" if m["ok"] else "✗"
    text = f"{mark} {m['name']:<28} {value:<16} {limits(m['low'], m['high'])}"
    return ("good" if m["ok"] else "bad"), text


class Benching:
    """See the module. Everything is called in the front end's thread.

    Attributes:
        rig: its file; None: three virtual boards. words: that names of tests must have. smoke: the
            short suite only.
        tests: of the rig and these words; in a run with what came of each.
        doing: "list", "doctor", "run", or "": nothing goes on.
        verdict: of the last run here. folder: of its report; before: of the one before that.
        findings: of the doctor, or what differs from the report before.
        said: (tone, text) of what was said last.

    Args:
        changed: called when something is to be shown anew.
    """

    def __init__(self, desk: Desk, changed: Callable[[], None]) -> None:
        self._desk = desk
        self._changed = changed
        state = [] if desk.state is None else ["--state", str(desk.state)]
        self._command = [*COMMAND, *state, "hil"]
        self._child: subprocess.Popen[bytes] | None = None
        self.rig: Path | None = None
        self.words = ""
        self.smoke = True
        self.tests: list[Test] = []
        self.doing = ""
        self.verdict: Object | None = None
        self.folder: Path | None = None
        self.findings: list[Toned] = []
        self.said: Toned = ("", "")
        self._stopping = False
        desk.undertakings.append(self)

    @property
    def ran(self) -> int:
        """How many tests have an outcome."""
        return sum(bool(test.runs) for test in self.tests)

    def going(self) -> str | None:
        """See work.Undertaking."""
        if self.doing != "run":
            return None
        return (
            f"{self.ran} of {len(self.tests)} tests have run on the bench. The run ends, its "
            "boards are switched off, and the report says that it was stopped."
        )

    def stop(self) -> None:
        """End what goes on, as Ctrl-C does: boards are switched off, it is waited for."""
        if self._child is not None and not self._stopping:
            self._stopping = True
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGINT)

    def choose(
        self, *, rig: str | None = None, words: str | None = None, smoke: bool | None = None
    ) -> None:
        """Choose the rig, words, or the short suite, and list the tests anew."""
        if self.doing:
            return
        if rig is not None:
            self.rig = Path(rig).expanduser().absolute() if rig.strip() else None
        self.words = self.words if words is None else words.strip()
        self.smoke = self.smoke if smoke is None else smoke
        self.refresh()

    def refresh(self) -> None:
        """List the tests that are chosen, with what the rig lacks for each."""
        found: list[Test] = []

        def each(line: Object) -> None:
            found.append(Test(line["test"], line["needs"], line["lacks"]))

        def done(answer: Answer) -> None:
            self.tests = found if answer.error is None else []
            able = sum(not test.lacks for test in found)
            self._say(answer, ("", f"{len(found)} tests, {able} of which the rig can run"))

        self._start("list", ["list", *self._chosen()], each, done)

    def doctor(self) -> None:
        """Look whether the bench is sound, and make the key that it signs with."""
        self.findings = []

        def each(line: Object) -> None:
            if line["kind"] == "check":
                tone, mark = {True: ("good", "✓"), False: ("bad", "✗")}.get(
                    line["ok"], ("dim", "–")
                )
                what = f": {line['what_to_do']}" if line["what_to_do"] else ""
                text = f"{mark} {line['board'] or '':<12} {line['name']}: {line['said']}{what}"
                self.findings.append((tone, text))
            else:
                sound = "sound" if line["sound"] else "not sound"
                self.said = (
                    "good" if line["sound"] else "bad",
                    f"rig {line['rig']} is {sound}; it signs with the key {line['key']}",
                )

        self._start("doctor", ["doctor", *self._rig()], each, self._say)

    def run(self, only: Sequence[str] = ()) -> None:
        """Run what is chosen, or only these of the tests, and report."""
        tests = [test for test in self.tests if not only or test.name in only]
        self.tests = tests
        for test in tests:
            test.runs = ()
        by_name = {test.name: test for test in tests}
        self.verdict, self.findings = None, []
        self.folder = _fresh(f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}")
        self.said = ("note", "it begins")
        chosen = self._chosen()
        if only:
            names = dict.fromkeys(test.short.partition("[")[0] for test in tests)
            chosen = [*self._rig(), "-k", " or ".join(names)]

        def each(line: Object) -> None:
            if line["kind"] == "test":
                test = by_name.get(line["test"])
                if test is None:
                    test = by_name[line["test"]] = Test(line["test"], line["needs"])
                    self.tests.append(test)
                test.runs = (*test.runs, line)
                self.said = ("note", f"{self.ran} of {len(self.tests)} tests have run")
            elif line["kind"] == "verdict":
                self.verdict = line
                self.folder = Path(line["folder"])

        def done(answer: Answer) -> None:
            if self.verdict is not None:
                word = self.verdict["verdict"]
                reasons = "; ".join(self.verdict["reasons"])
                stopped = "stopped, its boards are off; " if answer.result == _INTERRUPTED else ""
                text = f"{stopped}release verdict: {word}" + (f": {reasons}" if reasons else "")
                self.said = (VERDICTS.get(word, "warn"), text)
                self._say(answer)
                self._audit("stopped" if stopped else word, text)
            else:
                self._say(answer, ("warn", "stopped before anything was run"))

        # Who runs it is signed in here, and not there.
        self._start("run", ["run", "--no-audit", "--out", str(self.folder), *chosen], each, done)

    def _audit(self, result: str, verdict: str) -> None:
        """Have the audit hear of a run, if a controller runs."""
        if self._desk.link is not None:
            return

        def done(answer: Answer) -> None:
            if answer.error is not None:
                self.said = ("bad", f"{verdict}; the audit does not have this run: {answer.error}")
                self._changed()

        rig = "three virtual boards" if self.rig is None else str(self.rig)
        detail = {"result": result, "rig": rig, "tests": self.ran, "report": str(self.folder)}
        self._desk.ask("deed", done, action=BENCH, node=None, detail=detail)

    def reports(self) -> list[Path]:
        """Return the folders of runs that have a record, the newest last."""
        return sorted(path.parent for path in REPORTS.glob("*/record.json"))

    def compare(self) -> None:
        """Say what moved since the run before the last."""
        both = self.reports()[-2:]
        if len(both) < 2:
            self.said = ("warn", "there are not two reports yet: run twice")
            self._changed()
            return
        a, b = both

        def each(line: Object) -> None:
            self.findings = list(_differences(line))
            count = len(line["moved"])
            text = "nothing moved" if line["same"] else f"{count} measurements moved"
            self.said = ("good" if line["same"] else "warn", f"{a.name} → {b.name}: {text}")

        self._start("compare", ["compare", str(a), str(b)], each, self._say)

    def verify(self) -> None:
        """Say whether the newest record is as it was signed, and by whom."""
        newest = self.reports()[-1:]
        if not newest:
            self.said = ("warn", "there is no report yet")
            self._changed()
            return

        def each(line: Object) -> None:
            whose = "" if line["known"] else ", which is not this bench's"
            text = f"{newest[0]}: as it was signed on {line['made'][:10]} by {line['signed_by']}"
            self.said = ("good" if line["known"] else "warn", text + whose)

        self._start("verify", ["verify", str(newest[0])], each, self._say)

    def _rig(self) -> list[str]:
        return [] if self.rig is None else ["--rig", str(self.rig)]

    def _chosen(self) -> list[str]:
        words = ["-k", self.words] if self.words else []
        return [*self._rig(), *words, *(["--smoke"] if self.smoke else [])]

    def _say(self, answer: Answer, said: Toned | None = None) -> None:
        if answer.error is not None:
            self.said = ("bad", clean(answer.error))
        elif said is not None:
            self.said = said

    def _start(
        self,
        doing: str,
        arguments: Sequence[str],
        each: Callable[[Object], None],
        done: Callable[[Answer], None],
    ) -> None:
        if self.doing:
            return
        self.doing, self._stopping = doing, False

        def work(job: Job) -> int:
            return self._follow(job, [*self._command, *arguments, "--json"])

        def told(line: Object) -> None:
            each(line)
            self._changed()

        def over(answer: Answer) -> None:
            self.doing = ""
            done(answer)
            self._changed()

        self._desk.run(work, over, told)
        self._changed()

    def _follow(self, job: Job, command: Sequence[str]) -> int:
        """Run a command to its end, and tell each line; return its exit code."""
        told = False
        with tempfile.TemporaryFile() as complaints:
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={**os.environ, "NO_COLOR": "1"},
                start_new_session=True,  # whoever closes the terminal ends it through us, once
            ) as child:
                self._child = child
                try:
                    assert child.stdout is not None
                    for line in child.stdout:
                        with contextlib.suppress(ValueError):
                            job.tell(json.loads(line))
                            told = True
                finally:
                    code = child.wait()
                    self._child = None
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
            # Also after all went well: a board that could not be switched off, a full disk.
            own = [_OURS.sub("", line) for line in said if _OURS.match(line)]
            if own:
                raise BenchingError("; ".join(own[-_SHOWN:]))
            if not told and code not in (_PASSED, _INTERRUPTED):
                raise BenchingError(said[-1] if said else f"it ended with code {code}")
            return code


def _fresh(now: str) -> Path:
    """Return a folder that is not there yet: two runs may begin within one second."""
    names = itertools.chain([now], (f"{now}-{n}" for n in itertools.count(2)))
    return next(REPORTS / name for name in names if not (REPORTS / name).exists())


def _differences(found: Object) -> Iterator[Toned]:
    """Write what `hil compare` found, a line each."""
    for what in ("verdicts", "firmware", "revisions", "rigs"):
        a, b = found[what]
        if a != b:
            yield "", f"{what:<12} {a or '–'} → {b or '–'}"
    for test, a, b in found["outcomes"]:
        yield ("bad" if b != "pass" else "good"), f"{a} → {b}  {test}"
    for m in found["moved"]:
        a, b = ("none" if v is None else f"{v:.5g}" for v in (m["before"], m["after"]))
        where = limits(m["low"], m["high"])
        name = f"{m['test'].rpartition('::')[2]}: {m['name']}"
        yield "warn", f"{name} {a} → {b} {m['unit']} ({where})"
    for title, tests in (("went", found["only_before"]), ("came", found["only_after"])):
        for test in tests:
            yield "dim", f"{title}  {test}"
    yield "dim", f"{found['still']} measurements did not move"

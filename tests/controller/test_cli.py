"""The command line without a controller: grammar, errors, exit codes, what `--help` costs."""

import argparse
import io
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import keys
from lampione.cli import parser, values
from lampione.cli.output import Printer, wrapped
from lampione.cli.send import order_of
from lampione.desk.text import age, clean
from lampione.durations import LONGEST_S

COMMANDS = (
    "demo", "serve", "broker", "keys", "config", "nodes", "watch", "show", "history", "statistics",
    "gaps", "refused", "send", "program", "board", "flash", "hil", "provision", "export", "http",
    "audit", "operators", "lock", "unlock", "locks", "notes",
)  # fmt: skip


def lampione(
    *arguments: str, environment: dict[str, str] | None = None, timeout_s: float = 60
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lampione", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def test_a_question_that_cannot_be_read_is_a_wrong_command_line() -> None:
    done = lampione("nodes", "--where", "laeq >> 3")
    assert done.returncode == 2
    assert "a value is missing before '>'" in done.stderr


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    program = (
        "import sys, time\n"
        "from lampione.cli.run import run\n"
        "code = run(['--help'])\n"
        "heavy = {'pydantic', 'numpy', 'textual', 'rich', 'cryptography', 'paho', 'sqlite3'}\n"
        "print(code, sorted(heavy & set(sys.modules)), time.process_time(), file=sys.stderr)"
    )
    costs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
        )
        code, heavy, cpu_s = done.stderr.split(" ", 2)[0], *done.stderr.rsplit(" ", 1)
        assert code == "0"
        assert heavy.endswith("[]"), heavy
        costs.append(float(cpu_s))
    assert min(costs) < 0.15


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse([command, "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert f"lampione {command}" in told.split("examples:")[1]
    assert "--json" in told
    assert "--state" in told


def examples(command: argparse.ArgumentParser) -> list[str]:
    """Return what stands behind `lampione` in the examples of a command and of those below it."""
    text = (command.epilog or "").partition("examples:\n")[2].partition("\n\n")[0]
    lines = re.sub(r"\\\n +", "", text).splitlines()
    found = [line.split("lampione ", 1)[1] for line in lines if "lampione " in line]
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found += examples(below)
    return found


def test_every_example_is_a_command_line_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    built = parser.build()
    lines = examples(built)
    assert len(lines) > 140
    for line in lines:
        # Up to a pipe, a file or the end of a substitution, or to what it means, after two blanks.
        words = re.match(r"(?: ?(?:'[^']*'|\$\(.*?\)|[^ '|;)<>]))*", line)
        assert words
        try:
            built.parse_args(shlex.split(re.sub(r"\$\(.*?\)", "X", words[0])))
        except SystemExit:
            pytest.fail(f"lampione {line}: {capsys.readouterr().err}")


def test_help_documents_the_exit_codes() -> None:
    told = lampione("--help").stdout
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "130 "):
        assert re.search(rf"^  {code}", told, re.MULTILINE), code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["send", "x", "level", "101"], "'101' is not a level: write 0 to 100"),
        (["send", "x", "level", "40", "--for", "10"], "'10' is not a duration: write 5s, 10m"),
        (["send", "x", "level", "40", "--ramp", "10m"], "--ramp: from 0s to 409.4s are possible"),
        (["send", "x", "level", "40", "--for", "0s"], "--for: from 1s to 12d are possible"),
        (["send", "x", "maintenance", "--for", "5m", "--end"], "--end: not allowed with"),
        (["send", "x", "dance"], "invalid choice: 'dance'"),
        (["send", "x"], "required: COMMAND"),
        (["send", "x", "level"], "required: PERCENT"),
        (["demo", "--interval", "0"], "whole seconds from 1 to 510"),
        (["demo", "--interval", "2.5s"], "whole seconds from 1 to 510"),
        (["demo", "--spl", "loud"], "'loud' is not a sound level"),
        (["history", "x", "--fields", "laeq,lqae"], "a report has no field 'lqae': it has start"),
        (["statistics"], "name the nodes, or say --all"),
        (["statistics", "x", "--all"], "give either nodes or --all"),
        (["statistics", "x", "--noise", "eu", "--class", "IV"], "--class goes with --noise it"),
        (["statistics", "x", "--since", "June"], "'June' is no time: write how long ago, as 7d"),
        (["statistics", "x", "--since", "1h", "--until", "2h"], "ends before it begins"),
        (["statistics", "x", "--zone", "Milan"], "'Milan' is not a time zone"),
        (["statistics", "x", "--noise", "eu", "--air"], "--air: not allowed with"),
        (["broker", "start", "--port", "70000"], "'70000' is not a port: write 1 to 65535"),
        (["watch", "--for", "99999999999999d"], "is too long a time: 10000d at most"),
        (["history", "x", "--since", "9" * 400 + "d"], "is too long a time: 10000d at most"),
        (["demo", "--interval", "9" * 400], "whole seconds from 1 to 510"),
        (["send", "x", "level", "40", "--ramp", "-5s"], "'-5s' is a negative time: write 5s"),
        (["send", "x", "read", "--wait", "0s"], "--wait: from 1s to 30d are possible"),
        (["send", "x", "read", "--wait", "31d"], "--wait: from 1s to 30d are possible"),
        (["demo", "--dump", ""], "--dump: the folder's name is empty"),
        (["serve", "--broker", "foo"], "a broker's URL is mqtt://host:port"),
        (["serve", "--shard", "Ü"], "'Ü' cannot be a shard's name: use a-z, 0-9 and '-'"),
        (["keys", "new", "a", "Ünï"], "'Ünï' cannot be a node's name: use a-z, 0-9 and '-'"),
        (["nodes", "--jsn"], "unrecognized arguments: --jsn"),
        (["nodse"], "invalid choice: 'nodse'"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(arguments: list[str], message: str) -> None:
    done = lampione(*arguments, "--state", "/nonexistent")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("lampione")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_empty_folder_name_is_not_this_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lampione", "--state", "", "keys", "new", "a"],
        capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--state: the folder's name is empty" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_matter(closed: str, tmp_path: Path) -> None:
    state = tmp_path / "s"
    for arguments, code in (("keys new a", 0), ("keys new a", 1), ("nodes", 3), ("nods", 2)):
        line = f'"{sys.executable}" -m lampione --state "$0" {arguments} {closed}'
        done = subprocess.run(
            ["sh", "-c", line, state],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Error" not in done.stderr
    assert list(keys.load(state / "keys.json")) == ["a"]


def test_what_a_terminal_cannot_show_becomes_a_question_mark() -> None:
    program = (
        "from lampione.cli.output import Printer, prepare_streams as p; p()\n"
        "Printer(as_json=False).table(['a'], [['● Ü']], right=frozenset())\n"
        "Printer(as_json=True).json({'a': '● Ü'})"
    )
    for encoding, shown in (("ascii", "? ?"), ("latin-1", "? Ü"), ("utf-8", "● Ü")):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            timeout=60,
            check=True,
        )
        _, line, data = done.stdout.decode(encoding).splitlines()
        assert line == shown
        assert json.loads(data) == {"a": "● Ü"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["nodes"],
        ["watch", "--for", "1s"],
        ["show", "bligny-1"],
        ["send", "bligny-1", "resume"],
        ["history", "bligny-1"],
        ["statistics", "bligny-1"],
        ["gaps", "--json"],
        ["refused"],
    ],
)
def test_no_controller_is_one_line_and_code_3(arguments: list[str], tmp_path: Path) -> None:
    done = lampione("--state", str(tmp_path), *arguments)
    assert done.returncode == 3
    assert "lampione serve" in done.stderr
    assert done.stderr.count("\n") == 1


def test_debug_shows_where() -> None:
    done = lampione("--state", "/nonexistent", "nodes", environment={"LAMPIONE_DEBUG": "1"})
    assert "Traceback" in done.stderr


def test_common_options_stand_before_or_after_the_command() -> None:
    for line in (["--state", "d", "--json", "nodes"], ["nodes", "--json", "--state", "d"]):
        options = parser.parse(line)
        assert options.json is True
        assert options.state == Path("d")
    order = parser.parse(["--json", "send", "x", "resume", "--state", "d"])
    assert (order.json, order.state, order.node) == (True, Path("d"), "x")


def test_the_environment_names_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPIONE_STATE", "/var/y")
    options = parser.parse(["nodes"])
    assert (options.state, options.own_state) == (Path("/var/y"), False)
    assert parser.parse(["nodes", "--state", "d"]).state == Path("d")


def test_state_folder_is_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMPIONE_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/var/x")
    assert parser.parse(["nodes"]).state == Path("/var/x/lampione")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert parser.parse(["nodes"]).state == Path("/home/x/.local/state/lampione")


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("level 40 --ramp 5s --for 10m", {"op": "level", "level": 40, "ramp_s": 5, "for_s": 600}),
        ("level 0%", {"op": "level", "level": 0, "for_s": 3600}),
        ("identify --for 30s", {"op": "identify", "for_s": 30}),
        ("resume", {"op": "resume"}),
        ("read", {"op": "read"}),
        ("reboot", {"op": "reboot"}),
        ("time", {"op": "time"}),
        ("hello", {"op": "hello"}),
    ],
)
def test_orders(line: str, order: dict[str, object]) -> None:
    assert order_of(parser.parse(["send", "bligny-1", *line.split()])) == order


@given(st.integers(0, 40), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert values.duration_s(text) == ((days * 24 + hours) * 60 + minutes) * 60 + seconds


@given(st.text(alphabet="0123456789smhd. -", max_size=8))
def test_durations_are_read_whole_or_refused(text: str) -> None:
    whole = re.fullmatch(r"([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+", text)
    if whole is None:
        with pytest.raises(Exception, match="is not a duration"):
            values.duration_s(text)
        return
    try:
        assert 0 <= values.duration_s(text) <= LONGEST_S
    except argparse.ArgumentTypeError as error:
        assert "is too long a time" in str(error)  # noqa: PT017
        units_s = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
        parts = re.findall(r"([0-9.]+)(ms|s|m|h|d)", text)
        assert sum(float(n) * units_s[u] for n, u in parts) > LONGEST_S


@given(st.floats(0, 1e9))
def test_ages_fit_their_column(seconds: float) -> None:
    assert 2 <= len(age(seconds)) <= 4


def test_ages() -> None:
    assert [age(s) for s in (None, -1, 0, 59.9, 60, 3599, 3600, 172799, 172800)] == [
        "–", "0s", "0s", "59s", "1m", "59m", "1h", "47h", "2d",
    ]  # fmt: skip


@given(st.text())
def test_nothing_that_a_node_says_steers_the_terminal(text: str) -> None:
    assert all(c.isprintable() or ord(c) > 0x9F for c in clean(text))
    assert len(clean(text)) == len(text)


class Narrow(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@given(
    st.lists(
        st.tuples(st.text("abc ", min_size=1, max_size=18), st.text("xyz0", max_size=14)),
        min_size=1, max_size=12, unique_by=lambda column: column[0],
    ),
    st.integers(40, 90),
    st.integers(1, 2),
)  # fmt: skip
def test_a_table_fits_its_terminal(columns: list[tuple[str, str]], room: int, keys: int) -> None:
    heads = [head for head, _ in columns]
    cells = [cell for _, cell in columns]
    narrow = Narrow()
    with mock.patch.dict(os.environ, {"COLUMNS": str(room), "NO_COLOR": "1"}):
        Printer(as_json=False, stream=narrow).table(
            heads, [cells, cells], right=frozenset(heads[1:]), keys=keys
        )
    lines = narrow.getvalue().splitlines()
    # The keys and one column of 18 each fit in any case where there is one key.
    assert keys == 2 or all(len(line) <= room for line in lines), lines
    said = " ".join(lines).split()
    assert all(said.count(cell) >= 2 for cell in cells if cell)


def test_a_wide_table_is_cut_between_columns() -> None:
    out = Narrow()
    with mock.patch.dict(os.environ, {"COLUMNS": "30", "NO_COLOR": "1"}):
        Printer(as_json=False, stream=out).table(
            ["node", "laeq dB", "no2 ppb", "temperature °C", "x"],
            [["bligny-1", "62.4", "17", "-3.2", "y"]],
            right=frozenset({"laeq dB", "no2 ppb", "temperature °C"}),
        )
    assert out.getvalue().splitlines() == [
        "          laeq  no2",
        "node        dB  ppb",
        "bligny-1  62.4   17",
        "",
        "          temperature",
        "node               °C  x",
        "bligny-1         -3.2  y",
    ]


def test_a_long_error_is_broken_between_words() -> None:
    with mock.patch.dict(os.environ, {"COLUMNS": "40"}):
        lines = wrapped("lampione: there is no field 'foo': " + ", ".join(["laeq"] * 30)).split(
            "\n"
        )
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("laeq") == 30


def test_tables_line_up_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).table(["a", "n"], [["x", "1"], ["long", "22"]], right=frozenset("n"))
    assert capsys.readouterr().out == "a      n\nx      1\nlong  22\n"
    Printer(as_json=True).json({"b": b"\x01", "s": {1}, "t": (1, 2)})
    assert json.loads(capsys.readouterr().out) == {"b": "01", "s": [1], "t": [1, 2]}


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "lampione", "--version"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141


def test_version() -> None:
    assert lampione("--version").stdout.startswith("lampione 0.")


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    threads, lines = 8, 500
    # Unbuffered: each write lets the other threads go on.
    with io.TextIOWrapper((tmp_path / "out").open("wb", buffering=0), write_through=True) as stream:
        out = Printer(as_json=True, stream=stream)

        def say(board: int) -> None:
            for n in range(lines):
                out.json({"board": board, "step": n})

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(say, range(threads)))
    said = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    for board in range(threads):
        assert [s["step"] for s in said if s["board"] == board] == list(range(lines))

"""A record as one HTML page that needs nothing from outside: for a screen, a telephone, paper."""

import importlib.resources
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from lampione_hil.testing import plots
from lampione_hil.testing.measuring import limits
from lampione_hil.testing.verdict import of_test

_GLYPHS = {
    "pass": "✔",
    "fail": "✘",
    "inconclusive": "?",
    "flaky": "≈",
    "broken": "⚠",
    "skip": "–",
}
_WORDS = {"flaky": "flaky, failed", "broken": "bench broken", "skip": "skipped"}
_SERIES = 4  # values from which on a chart says more than rows


def page(record: dict[str, Any]) -> str:
    """Return the page."""
    verdict = record["verdict"]["verdict"]
    style = (
        importlib.resources.files("lampione_hil.testing").joinpath("page.css").read_text("utf-8")
    )
    title = escape(f"{verdict}: {record['rig']['name']}, {record['made'][:10]}")
    body = "\n".join(
        [
            _head(record),
            _numbers(record),
            _failures(record),
            _coverage(record),
            _tests(record),
            _measurements(record),
            _bench(record),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{title}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(record: dict[str, Any]) -> str:
    verdict = record["verdict"]
    word = verdict["verdict"]
    reasons = _list(verdict["reasons"], "reasons")
    remarks = _list(verdict["remarks"], "remarks")
    signed = record["signed_by"]
    who = f"signed by {escape(signed['fingerprint'])}" if signed else "not signed"
    return (
        f'<header class="{word}">\n<p class="kind">Lampione conformance report</p>\n'
        f'<h1><span aria-hidden="true">{_GLYPHS[word]}</span> {word}</h1>\n{reasons}{remarks}'
        f'<p class="who">{escape(record["made"].replace("T", " ").replace("+00:00", " UTC"))}, '
        f"rig {escape(record['rig']['name'])}, {who}</p>\n</header>"
    )


def _numbers(record: dict[str, Any]) -> str:
    count: dict[str, int] = {}
    for test in record["tests"]:
        count[of_test(test)] = count.get(of_test(test), 0) + 1
    total = max(len(record["tests"]), 1)
    bar = "".join(
        f'<i class="{kind}" style="width:{count[kind] * 100 / total:.3f}%"></i>'
        for kind in _GLYPHS
        if kind in count
    )
    words = "".join(f"<li>{_badge(kind)} {count[kind]}</li>" for kind in _GLYPHS if kind in count)
    values = [m for test in record["tests"] for run in test["runs"] for m in run["measurements"]]
    outside = sum(not m["ok"] for m in values)
    return (
        f'<section aria-label="in numbers">\n<div class="bar" aria-hidden="true">{bar}</div>\n'
        f'<ul class="numbers">{words}<li>{len(values)} measurements, {outside} outside</li>'
        f"<li>{_time(record['seconds'])}</li></ul>\n</section>"
    )


def _failures(record: dict[str, Any]) -> str:
    parts = []
    for test in record["tests"]:
        same: dict[tuple[str, str], list[str]] = {}
        for run in test["runs"]:
            if run["outcome"] in ("fail", "broken"):
                same.setdefault((run["why"], run["details"]), []).append(str(run["turn"]))
        for (why, details), turns in same.items():
            of = f", run {', '.join(turns)} of {len(test['runs'])}" if len(test["runs"]) > 1 else ""
            known = f"<p>Known to be flaky: {escape(test['flaky'])}</p>" if test["flaky"] else ""
            more = f"<pre>{escape(details)}</pre>" if details != why else ""
            head = f"{_badge(of_test(test))} {_name(test['test'])}{of}"
            body = f"<p>{escape(why)}</p>{known}{more}"
            parts.append(f"<details open><summary>{head}</summary>\n{body}</details>")
    return _section("What failed", "\n".join(parts)) if parts else ""


def _coverage(record: dict[str, Any]) -> str:
    by: dict[str, list[str]] = {}
    for test in record["tests"]:
        if of_test(test) == "skip":
            by.setdefault(test["runs"][0]["why"], []).append(test["test"])
    for test in record["asked"]["left_out"]:
        by.setdefault("not asked for", []).append(test)
    for test in record["did_not_run"]:
        by.setdefault("the run ended before it", []).append(test)
    if not by:
        return _section("Coverage", "<p>Every test ran.</p>")
    rows = [
        [f"{escape(why)}{_below(_count(len(tests)))}", "<br>".join(map(_name, tests))]
        for why, tests in sorted(by.items())
    ]
    return _section("Coverage that is missing", _table(("Why", "Which tests"), rows))


def _measurements(record: dict[str, Any]) -> str:
    suites: dict[str, list[dict[str, Any]]] = {}
    for test in record["tests"]:
        suites.setdefault(test["test"].partition("::")[0], []).append(test)
    parts = []
    for suite, tests in suites.items():
        charts: list[str] = []
        rows: list[list[str]] = []
        for test in tests:
            _series(test, charts, rows)
        if rows:
            charts.append(_table(("Measurement", "Value", "Limits", ""), rows))
        if charts:
            inside = "\n".join(charts)
            parts.append(f"<section><h3>{_breaks(suite)}</h3>\n{inside}</section>")
    return _section("Measurements", "\n".join(parts)) if parts else ""


def _series(test: dict[str, Any], charts: list[str], rows: list[list[str]]) -> None:
    """Add a test's measurements: a long series is a chart; few, and what is outside, rows."""
    name = _breaks(test["test"].partition("::")[2])
    for title, unit, ms in plots.grouped(test["runs"]):
        if len(ms) >= _SERIES:
            bad = sum(not m["ok"] for m in ms)
            note = f"{len(ms)} values, {f'{bad} outside' if bad else 'all within'}"
            drawn, how = plots.chart(title, unit, ms)
            of = escape(title) + (f" in {escape(unit)}" if unit else "")
            caption = f"<figcaption><b>{name}</b><br>{of}{how}: {note}</figcaption>"
            charts.append(f"<figure>{caption}{drawn}</figure>")
        rows += [_value_row(m, name) for m in ms if len(ms) < _SERIES or not m["ok"]]


def _value_row(m: dict[str, Any], test: str) -> list[str]:
    value = "none" if m["value"] is None else f"{m['value']:.6g}"
    unit = escape(f" {m['unit']}" if m["unit"] else "")
    badge = "" if m["ok"] else f"{_badge('fail', 'outside')} "
    return [
        f'{badge}{escape(m["name"])}<br><span class="dim">{test}</span>',
        f"<b>{value}{unit}</b>",
        escape(limits(m["low"], m["high"])) + unit,
        plots.strip(m),
    ]


def _tests(record: dict[str, Any]) -> str:
    rows = []
    for test in record["tests"]:
        runs = test["runs"]
        every = " ".join(run["outcome"] for run in runs) if len(runs) > 1 else ""
        why = next((run["why"] for run in runs if run["why"]), "")
        boards = sorted({str(b[0]) for run in runs for b in run["boards"]})
        kind = of_test(test)
        rows.append(
            [
                _badge(kind) + _below(every),
                _name(test["test"]) + _below(why),
                escape(", ".join(boards)) or "–",
                _time(sum(run["seconds"] for run in runs)),
            ]
        )
    return _section("Tests", _table(("Outcome", "Test", "Board", "Took"), rows))


def _bench(record: dict[str, Any]) -> str:
    rig, versions = record["rig"], record["versions"]
    firmware = record["firmware"]
    facts = [
        ("Firmware", f"{firmware['id']}, revision {firmware['revision'] or 'not known'}"),
        ("MicroPython", versions["micropython"] or "–"),
        ("Lampione", versions["lampione"] or "–"),
        ("Computer", f"{versions['system']}, Python {versions['python']}"),
        ("Rig", f"{rig['name']}, file {rig['digest']}"),
        *((f"Board {b['name']}", f"{b['kind']}, serial number {b['serial_number'] or '–'}")
          for b in rig["boards"]),
        *((f"Instrument {i['name']}", _calibrated(i)) for i in rig["instruments"]),
        ("Asked for", _asked(record["asked"])),
    ]  # fmt: skip
    signed = record["signed_by"]
    facts.append(("Signed by", f"key {signed['fingerprint']}" if signed else "nobody"))
    rows = [[escape(name), escape(value)] for name, value in facts]
    text = _table(("", ""), rows, head=False)
    doctor = record["doctor"]
    if doctor is not None:
        checks = [
            [_badge({True: "pass", False: "fail", None: "skip"}[c["ok"]]), escape(c["name"]),
             escape(c["board"]), escape(c["said"])]
            for c in doctor["checks"]
        ]  # fmt: skip
        text += f"\n<h3>What the doctor found on {escape(doctor['at'][:10])}</h3>\n"
        text += _table(("", "Check", "Board", "Found"), checks)
    return _section("The bench", text)


def _calibrated(instrument: dict[str, Any]) -> str:
    dates = [
        f"{q} {day}{' (expired)' if q in instrument['expired'] else ''}"
        for q, day in sorted(instrument["calibrated"].items())
    ]
    return f"calibrated: {', '.join(dates) or 'never'}"


def _asked(asked: dict[str, Any]) -> str:
    words = [f"suites {', '.join(asked['suites'])}"]
    words += [f"-k {asked['keyword']}"] if asked["keyword"] else []
    words += ["--smoke"] if asked["smoke"] else []
    words += [f"every test {asked['count']} times"] if asked["count"] > 1 else []
    return ", ".join(words)


def _section(title: str, text: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{text}\n</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], head: bool = True) -> str:
    first = "".join(f"<th>{escape(h)}</th>" for h in heads)
    text = f"<thead><tr>{first}</tr></thead>" if head else ""
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table>{text}<tbody>\n{body}\n</tbody></table></div>'


def _list(lines: Sequence[str], kind: str) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>\n' if lines else ""


def _count(tests: int) -> str:
    return "1 test" if tests == 1 else f"{tests} tests"


def _below(text: str) -> str:
    return f'<br><span class="dim">{escape(text)}</span>' if text else ""


def _badge(kind: str, word: str = "") -> str:
    shown = word or _WORDS.get(kind, kind)
    return (
        f'<span class="badge {kind}"><span aria-hidden="true">{_GLYPHS[kind]}</span> {shown}</span>'
    )


def _name(test: str) -> str:
    """A test's name, which may break at the right places."""
    file, _, name = test.partition("::")
    return (
        f'<span class="name"><span class="dim">{_breaks(file)}::</span><wbr>{_breaks(name)}</span>'
    )


def _breaks(text: str) -> str:
    return escape(text).replace("_", "_<wbr>").replace("/", "/<wbr>")


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"

"""`lampione program`: what a lighting program does all the year round, and its mistakes."""

import argparse
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lampione_light import civil
from lampione_protocol.schema import EPOCH_2020

from lampione.cli import program_map
from lampione.cli.errors import FAILED, OK
from lampione.cli.output import Printer, columns, printer
from lampione.cli.program_source import Subject, chosen, subjects
from lampione.program import lint, simulate, words
from lampione.program.findings import SEVERITIES, Finding

_STYLES = {"error": ("red", "bold"), "warning": ("yellow",), "note": ("dim",)}
_UNKNOWN = "–"
_WIDEST = 100  # of a line that is read


def check(options: argparse.Namespace) -> int:
    """`lampione program check`."""
    out = printer(options)
    year = _year(options)
    counts: Counter[str] = Counter()
    programs = subjects(options)
    for name, of_profiles in programs.items():
        found = _together(
            (subject, lint.check(
                subject.blob, subject.node, year, parts=subject.parts, names=subject.plans
            ))
            for subject in of_profiles
        )  # fmt: skip
        counts.update(finding.severity for _, finding in found)
        if out.as_json:
            for profile, finding in found:
                out.json(_finding_json(name, profile, finding))
        else:
            _print_findings(out, name, of_profiles, found, year)
    if not out.as_json:
        if programs:
            out.line(", ".join(_count(counts[s], s) for s in SEVERITIES))
        else:
            out.line(
                "the fleet has no program: every lamp is at its design level from dusk to dawn"
            )
    return FAILED if counts["error"] else OK


def _year(options: argparse.Namespace) -> int:
    year: int | None = options.year
    return time.localtime().tm_year if year is None else year


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("s" if count != 1 else "")


def _together(
    judged: Iterator[tuple[Subject, list[Finding]]],
) -> list[tuple[str | None, Finding]]:
    """Return what holds for every profile once, with None; the rest with the profile's name."""
    every: dict[tuple[str, ...], list[tuple[str, Finding]]] = {}
    profiles = 0
    for subject, findings in judged:
        profiles += 1
        for finding in findings:
            key = (finding.kind, finding.place, finding.says)
            every.setdefault(key, []).append((subject.profile, finding))
    return sorted(
        (
            (None if len(found) == profiles else found[0][0], found[0][1])
            for found in every.values()
        ),
        key=lambda pair: SEVERITIES.index(pair[1].severity),
    )


def _finding_json(program: str, profile: str | None, finding: Finding) -> dict[str, Any]:
    nights = [_date(day) for day in finding.nights]
    return {"program": program, "profile": profile, **finding._asdict(), "nights": nights}


def _date(day: int) -> str:
    return "{}-{:02}-{:02}".format(*civil.date_of(day))


def _print_findings(
    out: Printer,
    program: str,
    of_profiles: list[Subject],
    found: list[tuple[str | None, Finding]],
    year: int,
) -> None:
    width = min(columns(), _WIDEST)
    where = ", ".join(
        f"{s.site} ({s.profile})" + ("" if s.used else ", as if there; no node uses it")
        for s in of_profiles
    )
    out.line(out.paint(f"program {program}", "bold") + f", {year}: {where}")
    if not found:
        out.line("  nothing to say: every step takes effect on every night")
    for profile, finding in found:
        severity = out.paint(f"{finding.severity:<8}", *_STYLES[finding.severity])
        only = f" (profile {profile})" if profile else ""
        out.line(f"  {severity} {out.paint(finding.place, 'bold')}{only}")
        said = [finding.says]
        if finding.nights:
            night = "night" if len(finding.nights) == 1 else "nights"
            said.append(f"{night} of {words.nights(finding.nights)}")
        said.append(f"to do: {finding.do}")
        for text in said:
            for line in textwrap.wrap(text, width - 11, subsequent_indent="  "):
                out.line(f"{'':11}{line}")
    out.line()


def show(options: argparse.Namespace) -> int:
    """`lampione program show`."""
    out = printer(options)
    subject = chosen(options)
    year = simulate.year(subject.blob, subject.node, _year(options))
    if out.as_json:
        for found in _year_json(subject, year):
            out.json(found)
        return OK
    used = Counter(lit.night.plan for lit in year.nights)
    out.line(
        f"{out.paint(f'program {subject.program}', 'bold')}, node {subject.node}, {subject.site},"
        f" {year.year}"
    )
    plans = ", ".join(
        f"{subject.plans.get(number, number)} {_count(count, 'night')}"
        for number, count in used.most_common()
    )
    for line in textwrap.wrap(f"plans: {plans}", columns()):
        out.line(line)
    out.line("by the sun alone, without traffic, walkers, orders and upkeep")
    _draw(out, subject, year, each=options.rows == "night", many=len(used) > 1)
    out.line()
    _print_months(out, year)
    empty = _empty_street(subject, year)
    if empty:
        out.line(f"with next to no traffic at any time: {_saved(empty)}")
    return OK


def _empty_street(subject: Subject, year: simulate.Year) -> simulate.Totals | None:
    """Return the totals where traffic never keeps the level up; None where it changes nothing."""
    if "radar" not in subject.parts:
        return None
    empty = simulate.year(subject.blob, subject.node, year.year, reduction=2).totals
    return empty if empty.full_load_s < year.totals.full_load_s else None


def _draw(out: Printer, subject: Subject, year: simulate.Year, *, each: bool, many: bool) -> None:
    width = columns()
    count = program_map.per_hour(width)
    ascii_only = not out.unicode
    levels = (
        f"{_shade(out, n, program_map.glyph(n, ascii_only))} {n * 100 // program_map.SHADES}"
        for n in range(1, program_map.SHADES + 1)
    )
    out.line(f"level up to, %:  {'  '.join(levels)}")
    out.line("noon to noon by the wall clock; +1 h, -1 h: that night it is put forward, back")
    for month, rows in program_map.rows(year, count, each=each, ascii_only=ascii_only):
        name = program_map.MONTHS[month - 1]
        out.line(
            out.paint(f"{name:<{program_map.LABEL}}{program_map.axis(count)}".rstrip(), "bold")
        )
        for row in rows:
            drawn = "".join(_shade(out, cells.shade, cells.text) for cells in row.cells)
            after = row.after
            if many:
                plan = str(subject.plans.get(row.plan, row.plan))
                room = width - program_map.LABEL - 24 * count - len(after) - 1
                after += f" {plan}" if len(plan) <= room else ""
            out.line(f"{row.label} {drawn}{after}".rstrip())


def _shade(out: Printer, number: int, text: str) -> str:
    return out.paint(text, "dim" if number == program_map.MISSING else f"level{number}")


def _print_months(out: Printer, year: simulate.Year) -> None:
    heads = [
        "month", "nights", "lit h", "level %", "kWh", "full-on kWh", "saved kWh", "saved %",
    ]  # fmt: skip
    lines = [_cells(program_map.MONTHS[month - 1], totals) for month, totals in year.months()]
    lines.append(_cells(str(year.year), year.totals))
    out.table(heads, lines, right=frozenset(heads[1:]))
    out.line()
    out.line(f"{year.year}: lit {year.totals.lit_s / 3600:,.0f} h, {_saved(year.totals)}")


def _saved(totals: simulate.Totals) -> str:
    share = f"{_number(totals.saved_percent)} %"
    if totals.kwh is None:
        return f"{share} saved against full-on; rated_w says what that is in kWh"
    return (
        f"{_number(totals.kwh)} kWh; full-on {_number(totals.full_on_kwh)} kWh;"
        f" saved {_number(totals.saved_kwh)} kWh, {share}"
    )


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.1f}"


def _cells(name: str, totals: simulate.Totals) -> list[str]:
    return [
        name,
        str(totals.nights),
        _number(totals.lit_s / 3600),
        *map(
            _number,
            (totals.level_percent, totals.kwh, totals.full_on_kwh, totals.saved_kwh,
             totals.saved_percent),
        ),
    ]  # fmt: skip


def _year_json(subject: Subject, year: simulate.Year) -> Iterator[Mapping[str, Any]]:
    """Yield a line a night, a month, and the year; times are Unix seconds."""
    about = {"program": subject.program, "node": subject.node, "site": subject.site}
    for lit in year.nights:
        levels = [
            (round(when + EPOCH_2020, 1), round(level / 100, 2))
            for line in lit.lines
            for when, level in ((line.start, line.first), (line.end, line.last))
        ]
        yield {
            "kind": "night",
            **about,
            "night": _date(lit.night.day),
            "plan": subject.plans.get(lit.night.plan, lit.night.plan),
            "on": lit.on + EPOCH_2020 if lit.on < lit.off else None,
            "off": lit.off + EPOCH_2020 if lit.on < lit.off else None,
            "clock_change_h": (86400 - (lit.night.end - lit.night.noon)) // 3600,
            **_totals_json(lit.totals),
            "levels": levels,
        }
    for month, totals in year.months():
        found = _totals_json(totals)
        yield {"kind": "month", **about, "month": f"{year.year}-{month:02}", **found}
    yield {"kind": "year", **about, "year": year.year, **_totals_json(year.totals)}
    empty = _empty_street(subject, year)
    if empty:
        yield {"kind": "year without traffic", **about, "year": year.year, **_totals_json(empty)}


def _totals_json(totals: simulate.Totals) -> dict[str, Any]:
    found: dict[str, float | None] = {
        "lit_h": totals.lit_s / 3600,
        "level_percent": totals.level_percent,
        "kwh": totals.kwh,
        "full_on_kwh": totals.full_on_kwh,
        "saved_kwh": totals.saved_kwh,
        "saved_percent": totals.saved_percent,
    }
    rounded = {k: None if v is None else round(v, 3) for k, v in found.items()}
    return {"nights": totals.nights, **rounded}

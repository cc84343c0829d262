"""Measurements against their limits, as inline SVG that follows the page's colours."""

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 640, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 26
_FAR = 50  # from the first to the last: the axis is logarithmic
_NARROW = 0.2  # of the range: limits that are hardly to be seen in it
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def grouped(runs: Sequence[dict[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return (title, unit, measurements) of a test: those whose names differ in a number together.

    Each measurement has got "x": the number in its name, else its place.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        for m in run["measurements"]:
            numbers = _NUMBER.findall(m["name"])
            title = _NUMBER.sub("#", m["name"]) if len(numbers) == 1 else m["name"]
            x = float(numbers[0]) if len(numbers) == 1 else None
            found.setdefault((title, m["unit"]), []).append({**m, "x": x, "turn": run["turn"]})
    groups = []
    for (title, unit), ms in found.items():
        alone = len({m["name"] for m in ms}) == 1
        for at, m in enumerate(ms):
            if alone or m["x"] is None:
                m["x"] = float(at + 1)
        shown = ms[0]["name"] if alone else title
        groups.append((shown, unit, sorted(ms, key=lambda m: (m["x"], m["turn"]))))
    return groups


def strip(m: dict[str, Any]) -> str:
    """Draw one value: the band of its limits, and where it lies."""
    low, high, value = m["low"], m["high"], m["value"]
    known = [float(v) for v in (low, high, value) if v is not None]
    if not known:
        return ""
    least, most = min(known), max(known)
    margin = (most - least) * 0.25 or abs(most) * 0.25 or 1.0
    least, most = least - margin, most + margin

    def at(v: float) -> float:
        return 2 + (v - least) / (most - least) * 196

    left = 0.0 if low is None else at(low)
    right = 200.0 if high is None else at(high)
    parts = [
        '<svg class="strip" viewBox="0 0 200 16" role="img" aria-label="value against its limits">',
        '<line class="axis" x1="0" y1="8" x2="200" y2="8"/>',
        f'<rect class="band" x="{left:.1f}" y="3" width="{max(right - left, 1):.1f}" height="10"/>',
    ]
    parts += [f'<line class="limit" x1="{at(v):.1f}" y1="1" x2="{at(v):.1f}" y2="15"/>'
              for v in (low, high) if v is not None]  # fmt: skip
    if value is not None:
        parts.append(_mark(at(value), 8, m["ok"], 4))
    return "".join(parts) + "</svg>"


def chart(title: str, unit: str, ms: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Draw a series: values over the number in their names, the limits as a band.

    Return it, and in words how it is drawn.
    """
    middles = _middles(ms)
    how = ", as the distance from the middle of its limits" if middles else ""
    ms = [_moved(m, middle) for m, middle in zip(ms, middles, strict=True)] if middles else ms
    values = [float(v) for m in ms for v in (m["value"], m["low"], m["high"]) if v is not None]
    if not values:
        return "", ""
    xs = [float(m["x"]) for m in ms]
    ticks_y = _ticks(min(values), max(values))
    low_y, high_y = min(*values, ticks_y[0]), max(*values, ticks_y[-1])
    high_y += (high_y == low_y) * (abs(high_y) or 1.0)
    far = min(xs) > 0 and max(xs) / min(xs) >= _FAR
    scale = math.log if far else float
    low_x, wide = scale(min(xs)), (scale(max(xs)) - scale(min(xs))) or 1.0

    def px(x: float) -> float:
        return _LEFT + (scale(x) - low_x) / wide * (WIDTH - _LEFT - _RIGHT)

    def py(y: float) -> float:
        return HEIGHT - _BOTTOM - (y - low_y) / (high_y - low_y) * (HEIGHT - _TOP - _BOTTOM)

    label = escape(f"{title} in {unit or 'plain numbers'}{how}, {len(ms)} values", quote=True)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">',
        _band(ms, px, py, low_y, high_y),
    ]
    for y in ticks_y:
        parts.append(f'<path class="grid" d="M{_LEFT} {py(y):.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 6, py(y) + 4, "end", y))
    for x in _decades(min(xs), max(xs)) if far else _ticks(min(xs), max(xs), 8):
        if min(xs) <= x <= max(xs):
            anchor = "end" if px(x) > WIDTH - 2 * _RIGHT else "middle"
            parts.append(_text(px(x), HEIGHT - 8, anchor, x))
    known = [(px(m["x"]), py(m["value"]), m["ok"]) for m in ms if m["value"] is not None]
    if len({x for x, _, _ in known}) == len(known):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in known)
        parts.append(f'<polyline class="line" points="{points}"/>')
    radius = 3.5 if len(known) <= 60 else 2.0
    parts += [_mark(x, y, ok, radius) for x, y, ok in known]
    return "".join(parts) + "</svg>", how


def _middles(ms: Sequence[dict[str, Any]]) -> list[float]:
    """Return the middles of the limits where these are too narrow to be seen otherwise."""
    if any(m["low"] is None or m["high"] is None for m in ms):
        return []
    middles = [(m["low"] + m["high"]) / 2 for m in ms]
    widest = max(m["high"] - m["low"] for m in ms)
    return middles if widest < _NARROW * (max(middles) - min(middles)) else []


def _moved(m: dict[str, Any], by: float) -> dict[str, Any]:
    keys = ("value", "low", "high")
    return {**m, **{key: None if m[key] is None else m[key] - by for key in keys}}


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1,) if last - first > 4 else (1, 3) if last - first > 2 else (1, 2, 5)
    return [step * 10.0**power for power in range(first, last + 1) for step in steps]


def _band(ms: Sequence[dict[str, Any]], px: Any, py: Any, low_y: float, high_y: float) -> str:
    by_x = {m["x"]: m for m in ms}
    xs = sorted(by_x)
    if len(xs) == 1:
        xs = [xs[0], xs[0]]
    tops = [(x, by_x[x]["high"]) for x in xs]
    bottoms = [(x, by_x[x]["low"]) for x in xs]
    if all(v is None for _, v in tops + bottoms):
        return ""
    ends = [(px(x), py(high_y if v is None else v)) for x, v in tops]
    back = [(px(x), py(low_y if v is None else v)) for x, v in reversed(bottoms)]
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in ends + back)
    parts = [f'<polygon class="band" points="{text}"/>']
    for edge in (tops, bottoms):
        if all(v is not None for _, v in edge):
            points = " ".join(f"{px(x):.1f},{py(v):.1f}" for x, v in edge)
            parts.append(f'<polyline class="limit" points="{points}"/>')
    return "".join(parts)


def _mark(x: float, y: float, ok: bool, radius: float) -> str:
    """A dot for what is within, a cross for what is not: never colour alone."""
    if ok:
        return f'<circle class="ok" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
    r = radius + 1.5
    return (
        f'<path class="bad" d="M{x - r:.1f} {y - r:.1f}L{x + r:.1f} {y + r:.1f}'
        f'M{x - r:.1f} {y + r:.1f}L{x + r:.1f} {y - r:.1f}"/>'
    )


def _ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from low to high, no more than `most` and two more."""
    if high <= low:
        return [low]
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * k for k in (1, 2, 5, 10) if size * k >= raw * 0.999)
    first = math.floor(low / step)
    count = math.ceil(high / step - 1e-9) - first
    return [round((first + n) * step, 12) for n in range(count + 1)]


def _text(x: float, y: float, anchor: str, value: float) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{value:.6g}</text>'

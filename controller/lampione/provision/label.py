"""A node's label: its name, its place, a QR code, as an SVG for a label printer."""

from pathlib import Path
from xml.sax.saxutils import escape

import segno

WIDTH_MM, HEIGHT_MM = 62.0, 29.0  # the endless roll's common size
_MARGIN_MM = 2.0
_QUIET = 4  # modules, ISO/IEC 18004
_WIDE = 0.62  # of a bold letter's height, the widest that a name has
_LEAST_MM = 1.7


def content(shard: str, node: str) -> str:
    """Return what the QR code says."""
    return f"lampione:{shard}/{node}"


def svg(shard: str, node: str, site: str, serial: str | None) -> str:
    """Return a label. What is too long gets smaller letters, then a second line."""
    code = segno.make(content(shard, node), error="m", micro=False)
    side = HEIGHT_MM - 2 * _MARGIN_MM
    modules = len(code.matrix) + 2 * _QUIET
    module = side / modules
    path = "".join(
        f"M{x + _QUIET} {y + _QUIET}h1v1h-1z"
        for y, row in enumerate(code.matrix)
        for x, dark in enumerate(row)
        if dark
    )
    left = _MARGIN_MM + side + 1.0
    width = WIDTH_MM - _MARGIN_MM - left
    texts, y = [], _MARGIN_MM + 1.5
    for words, largest, weight in (
        (node, 5.2, "bold"),
        (site, 3.4, "normal"),
        (serial or "", 2.4, "normal"),
    ):
        lines, size = fitted(words, width, largest)
        for line in lines:
            y += size * 1.15
            texts.append(
                f'<text x="{left:.2f}" y="{y:.2f}" font-size="{size:.2f}" '
                f'font-weight="{weight}">{escape(line)}</text>'
            )
        y += 1.0
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM:g}mm" height="{HEIGHT_MM:g}mm" '
        f'viewBox="0 0 {WIDTH_MM:g} {HEIGHT_MM:g}">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<path transform="translate({_MARGIN_MM:g} {_MARGIN_MM:g}) scale({module:.5f})" '
        f'shape-rendering="crispEdges" d="{path}"/>\n'
        f'<g font-family="sans-serif">\n' + "\n".join(texts) + "\n</g>\n</svg>\n"
    )


def fitted(text: str, width_mm: float, largest_mm: float) -> tuple[list[str], float]:
    """Return a text's lines, two at most, and the height of its letters."""
    if not text:
        return [], largest_mm
    one = width_mm / (_WIDE * len(text))
    if one >= 0.7 * largest_mm or len(text) < 2:
        return [text], min(one, largest_mm)
    first, second = _halves(text)
    two = width_mm / (_WIDE * max(len(first), len(second)))
    return [first, second], max(min(two, largest_mm * 0.85), _LEAST_MM)


def _halves(text: str) -> tuple[str, str]:
    """Split a text near its middle, behind a hyphen or at a space where there is one."""
    middle = len(text) / 2
    places = [n + 1 for n, letter in enumerate(text[:-1]) if letter in "- "] or [round(middle)]
    at = min(places, key=lambda place: abs(place - middle))
    return text[:at].rstrip(), text[at:]


def write(folder: Path, shard: str, node: str, site: str, serial: str | None) -> Path:
    """Write a node's label into a folder; return its path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{node}.svg"
    path.write_text(svg(shard, node, site, serial), encoding="utf-8")
    return path

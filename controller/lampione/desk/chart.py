"""A plot in braille for the command line: a line with its gaps, values left, times below."""

import numpy as np

from lampione.desk import braille
from lampione.desk.braille import HIGH, WIDE
from lampione.desk.series import Series, Window, scale, thinned, ticks

_LEFT = 9  # letters of the values' column


def lines(series: Series, window: Window, columns: int, rows: int) -> list[str]:
    """Return the lines of a plot, `rows` with the times below."""
    across, down = max(columns - _LEFT, 4), max(rows - 2, 2)
    low, high = scale(series.points)
    dots = braille.blank(across, down)
    width, height = across * WIDE - 1, down * HIGH - 1
    for piece in series.pieces():
        thin = thinned(piece, window.since, window.length_s / (width + 1))
        at = np.array(thin)
        x = (at[:, 0] - window.since) / window.length_s * width
        y = (high - at[:, 1]) / (high - low) * height
        points = np.stack((x, y), 1)
        ends = points[1:] if len(points) > 1 else points
        braille.draw(dots, np.concatenate((points[: len(ends)], ends), 1))
    digits = 0 if high - low >= 20 else 1
    told = {0: f"{high:.{digits}f}", down - 1: f"{low:.{digits}f}"}
    if down > 4:
        told[down // 2] = f"{high - (high - low) * (down // 2 + 0.5) / down:.{digits}f}"
    found = [
        f"{told.get(row, ''):>{_LEFT - 2}} {'┤' if row in told else '│'}{text}".rstrip()
        for row, text in enumerate(braille.letters(dots))
    ]
    axis = ["─"] * across
    names = [" "] * (across + _LEFT)
    for when, text in ticks(window, across // 10):
        column = min(int((when - window.since) / window.length_s * across), across - 1)
        axis[column] = "┬"
        start = max(0, min(_LEFT + column - len(text) // 2, len(names) - len(text)))
        if all(letter == " " for letter in names[max(start - 1, 0) : start + len(text)]):
            names[start : start + len(text)] = text
    return [*found, f"{'':{_LEFT - 1}}└{''.join(axis)}", "".join(names).rstrip()]

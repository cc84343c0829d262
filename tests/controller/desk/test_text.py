"""Lines that have to fit."""

import textwrap

from hypothesis import given
from hypothesis import strategies as st
from lampione.desk.text import fitted


@given(
    st.lists(st.text("ab ", max_size=60), min_size=1, max_size=20),
    st.integers(6, 12),
    st.booleans(),
)
def test_what_is_shown_fits_and_the_rest_is_counted(texts: list[str], rows: int, end: bool) -> None:
    lines = [("", f"{n} {text}") for n, text in enumerate(texts)]
    seen = fitted(lines, rows, 40, end=end)
    assert sum(max(1, len(textwrap.wrap(text, 40))) for _, text in seen) <= rows
    assert seen[0] == lines[0]
    left = [line for line in lines if line not in seen]
    if left:
        assert seen[1 if end else -1] == ("dim", f"enter shows {len(left)} lines more")
        assert (lines[-1] in seen) == end or len(left) == len(lines) - 1
    else:
        assert seen == lines

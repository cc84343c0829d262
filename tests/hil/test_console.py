"""What a board prints, on its way to the port."""

from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.virtual.console import TAIL, Console

TEXT = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\n\n", b"line\n"])).map(b"".join)


@given(TEXT, st.lists(st.integers(0, 40)))
def test_lines_end_with_cr_lf_however_they_are_cut(text: bytes, cuts: list[int]) -> None:
    whole, pieces, shown = Console(), Console(), b""
    expected = whole.take(text)
    rest = text
    for cut in cuts:
        shown += pieces.take(rest[:cut])
        rest = rest[cut:]
    shown += pieces.take(rest)
    assert shown == expected
    assert b"\n" not in expected.replace(b"\r\n", b"")
    assert expected.replace(b"\r\n", b"\n") == text.replace(b"\r\n", b"\n")


@given(st.integers(1, 30))
def test_the_raw_prompt_is_seen_across_a_cut(cut: int) -> None:
    banner = b"\r\nraw REPL; CTRL-B to exit\r\n>"
    console = Console()
    console.take(banner[:cut])
    console.take(banner[cut:])
    assert console.raw
    assert console.take(b"binary\n") == b"binary\n", "files pass through the raw REPL"
    console.take(b'MicroPython\r\nType "help()" for more information.\r\n>>> ')
    assert not console.raw


def test_the_tail_is_bounded() -> None:
    console = Console()
    for n in range(3000):
        console.take(b"%060d\n" % n)
    assert len(console.tail) == TAIL
    assert console.tail.endswith(b"2999\r\n")
    console.power_on()
    assert not console.tail

"""What people ask: read whole, or refused with words."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.live.words import (
    Asked,
    Compare,
    Every,
    Faulty,
    Not,
    Some,
    Word,
    WordsError,
    fields_of,
    parse,
)

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True).filter(
    lambda name: name not in ("and", "or", "not", "has")
)
COMPARISONS = st.builds(
    Compare,
    NAMES,
    st.sampled_from(("=", "!=", "<", "<=", ">", ">=")),
    st.text(st.characters(exclude_characters='"', exclude_categories=["C"]), max_size=9),
)
WORDS = st.builds(
    lambda text: Word(text.lower()),
    st.text(st.characters(exclude_characters='"', exclude_categories=["C"]), max_size=9),
)
ASKED: st.SearchStrategy[Asked] = st.recursive(
    COMPARISONS | WORDS | st.just(Faulty()),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(Every, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Some, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


def written(asked: Asked) -> str:
    if isinstance(asked, Compare):
        return f'{asked.field}{asked.operator}"{asked.value}"'
    if isinstance(asked, Word):
        return f'"{asked.text}"'
    if isinstance(asked, Faulty):
        return "faults"
    if isinstance(asked, Not):
        return f"not ({written(asked.of)})"
    return (" and " if isinstance(asked, Every) else " or ").join(
        f"({written(part)})" for part in asked.of
    )


@given(ASKED)
def test_what_is_written_is_read(asked: Asked) -> None:
    assert parse(written(asked)) == asked


@given(st.text(alphabet='ab1 ()<>=!"\tandornothas.*-', max_size=40))
def test_anything_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(WordsError):
        fields_of(parse(text))


def test_and_binds_closer_than_or() -> None:
    low, loud, dark = (
        Compare("pm10", "<", "5"),
        Compare("laeq", ">", "65"),
        Compare("lamp_level", "=", "0"),
    )
    assert parse("pm10<5 or laeq > 65 AND lamp_level=0") == Some((low, Every((loud, dark))))
    assert fields_of(parse("a=1 or (b=2 and not a=3)")) == ["a", "b"]


def test_what_stands_side_by_side_is_all_wanted() -> None:
    assert parse("Viale off") == Every((Word("viale"), Word("off")))
    assert parse("!online laeq>65") == Every((Not(Word("online")), Compare("laeq", ">", "65")))
    assert parse("a b or c") == Some((Every((Word("a"), Word("b"))), Word("c")))
    assert parse('faults !"faults" faults has lamp') == Every(
        (Faulty(), Not(Word("faults")), Compare("faults", "has", "lamp"))
    )
    assert parse("!(a or b) laeq!=3") == Every(
        (Not(Some((Word("a"), Word("b")))), Compare("laeq", "!=", "3"))
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a word is missing at the end"),
        ("!", "a word is missing at the end"),
        ("laeq>", "a value is missing at the end"),
        ("laeq > (3)", "a value is missing before '('"),
        ("(laeq>3", "not closed"),
        ("laeq>3 > 2", "'>' is not expected there"),
        ("laeq>3)", "'.' is not expected there"),
        ("a=1 and", "a word is missing at the end"),
        ('a="', "cannot read"),
        ("(" * 60 + "a=1" + ")" * 60, "too many parentheses"),
        ("not " * 60 + "a=1", "too many parentheses"),
        ("a" * 3000, "at most"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(WordsError, match=words.replace("(", r"\(")):
        parse(text)

"""Topics: what is a name, and what is ours."""

import string

from hypothesis import given
from hypothesis import strategies as st
from lampione_protocol import topics

names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=24)
leaves = st.sampled_from([topics.UP, topics.DOWN, topics.STATE])


@given(names, names, leaves)
def test_round_trip(shard: str, node: str, leaf: str) -> None:
    made = topics.topic(shard, node, leaf)
    assert made == f"lampione/v1/{shard}/{node}/{leaf}"
    assert topics.parse(made) == (shard, node, leaf)


@given(st.text(max_size=40))
def test_names_hold_nothing_that_a_broker_reads(name: str) -> None:
    allowed = set(string.ascii_lowercase + string.digits + "-")
    assert topics.is_name(name) == (0 < len(name) <= 24 and set(name) <= allowed)


@given(st.text("lampione/v1+#-up$.", max_size=40))
def test_parse_takes_ours_alone(name: str) -> None:
    parsed = topics.parse(name)
    if parsed is not None:
        assert topics.topic(*parsed) == name
        assert all(topics.is_name(part) for part in parsed[:2])


def test_not_ours() -> None:
    for name in (
        "lampione/v1/a/b",
        "lampione/v1/a/b/up/",
        "lampione/v2/a/b/up",
        "lampione/v1/a/b/sideways",
        "lampione/v1//b/up",
        "lampione/v1/+/b/up",
        "lampione/v1/a/B/up",
        "/lampione/v1/a/b/up",
        "",
    ):
        assert topics.parse(name) is None
    assert topics.topic("milan", "+", "up") == "lampione/v1/milan/+/up"

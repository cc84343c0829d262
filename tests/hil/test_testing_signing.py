"""Records that are signed: one way to write them, and nothing in them can be changed."""

import base64
import copy
import json
import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil.board import BenchError
from lampione_hil.testing import signing
from lampione_hil.testing.compare import compare
from lampione_hil.testing.signing import BenchKey, SignatureError, canonical

from tests.hil.records import measured, ran, record

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

# RFC 8785, appendix B: the bits of a double, and how it is written.
NUMBERS_OF_THE_RFC = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS_OF_THE_RFC)
def test_numbers_as_the_standard_writes_them(bits: str, text: str) -> None:
    assert canonical(struct.unpack(">d", bytes.fromhex(bits))[0]) == text.encode()


def test_the_standards_example() -> None:
    """RFC 8785, 3.2.2 and 3.2.3: literals, strings, the order of keys by UTF-16."""
    assert canonical([56, {"d": True, "10": None, "1": []}]) == b'[56,{"1":[],"10":null,"d":true}]'
    assert canonical('€$\x0f\nA\'B"\\\\"/') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()
    keys = ["€", "\r", "\ufb33", "1", "😀", "\x80", "ö"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 0)))) == [
        *("\r", "1", "\x80", "ö", "€", "😀", "\ufb33")
    ]


@given(VALUES)
def test_there_is_one_way_to_write_a_value(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(text)) == text
    assert canonical(json.loads(json.dumps(value))) == text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 10**400, "\ud800", {1: 2}, {"a": b""}, {"\ud800": 1}]
)
def test_what_has_no_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> BenchKey:
    return BenchKey.make(tmp_path_factory.mktemp("bench"))


def test_a_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    bench = tmp_path / "state" / "bench"
    assert BenchKey.load(bench) is None
    made = BenchKey.make(bench)
    path = bench / "bench.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(bench.stat().st_mode) == 0o700
    assert BenchKey.make(bench).public == made.public
    assert list(bench.iterdir()) == [path]
    path.chmod(0o644)
    with pytest.raises(BenchError, match=r"can be read by others: chmod 600"):
        BenchKey.load(bench)
    path.chmod(0o600)
    path.write_text("nothing")
    with pytest.raises(BenchError, match="holds no Ed25519 key"):
        BenchKey.make(bench)


def test_what_is_signed_survives_a_file(key: BenchKey, tmp_path: Path) -> None:
    made = record(ran("test_ü", "pass", measurements=[[measured("v", 0.1 + 0.2)]]))
    signed = key.sign({**made, "verdict": {"verdict": "pass", "reasons": []}})
    assert signing.verify(signed) == key.fingerprint
    for name, options in (("a", {"indent": 1}), ("b", {"ensure_ascii": False, "sort_keys": True})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text(json.dumps(signed, **options), "utf-8")
        assert signing.verify(signing.read(tmp_path / name)) == key.fingerprint
        assert signing.verify(signing.read(tmp_path / name / "record.json")) == key.fingerprint
    assert key.sign(signed) == signed, "signing again changes nothing"


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all leaves of a JSON value."""
    if isinstance(value, dict):
        return [p for k, inner in value.items() for p in places(inner, (*at, k))]
    if isinstance(value, list):
        return [p for k, inner in enumerate(value) for p in places(inner, (*at, k))]
    return [at]


def test_no_leaf_of_it_can_be_changed(key: BenchKey) -> None:
    signed = key.sign(record(ran("test_a", "pass", measurements=[[measured("v", 1.5, 1, 2)]])))
    for place in places(signed):
        forged: Any = copy.deepcopy(signed)
        inside = forged
        for step in place[:-1]:
            inside = inside[step]
        inside[place[-1]] = "x" if inside[place[-1]] != "x" else "y"
        with pytest.raises(SignatureError, match=r"proves nothing|nobody has signed"):
            signing.verify(forged)
    for name in signed:
        with pytest.raises(SignatureError):
            signing.verify({k: v for k, v in signed.items() if k != name})
    with pytest.raises(SignatureError):
        signing.verify({**signed, "more": 1})


def test_another_key_is_another_fingerprint(key: BenchKey, tmp_path: Path) -> None:
    other = BenchKey.make(tmp_path)
    forged = {**key.sign(record()), "signed_by": other.sign(record())["signed_by"]}
    with pytest.raises(SignatureError, match="changed after it was signed"):
        signing.verify(forged)
    assert signing.verify(other.sign(record())) != key.fingerprint


@given(st.sampled_from(["signature", "key"]), st.binary(max_size=80) | TEXT)
def test_whatever_stands_for_a_signature_is_refused(
    key: BenchKey, where: str, value: bytes | str
) -> None:
    forged: Any = copy.deepcopy(key.sign(record()))
    text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    (forged if where == "signature" else forged["signed_by"])[where] = text
    with pytest.raises(SignatureError):
        signing.verify(forged)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no record"),
        ("[]", "does not say"),
        ('{"format": "lampione-hil-record", "version": 9}', "version 9: not known here"),
        ('{"format": "x", "format": "lampione-hil-record"}', "a key stands twice"),
        ('{"format": NaN}', "NaN is no JSON"),
        ("[" * 100_000, "is no record"),
    ],
)
def test_what_is_no_record(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(BenchError, match=said):
        signing.read(tmp_path)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"record.json: No such file"):
        signing.read(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_record_is_refused_or_can_be_compared(
    tmp_path: Path, data: st.DataObject
) -> None:
    made = record(ran("test_a", "pass", "fail", measurements=[[measured("v", 1.5, 1, 2)]] * 2))
    damaged: Any = {**made, "verdict": {"verdict": "pass", "reasons": []}}
    whole = copy.deepcopy(damaged)
    place = data.draw(st.sampled_from(places(damaged)))
    inside = damaged
    for step in place[: data.draw(st.integers(1, len(place))) - 1]:
        inside = inside[step]
    if data.draw(st.booleans()) and isinstance(inside, dict):
        inside.pop(data.draw(st.sampled_from(sorted(inside))))
    else:
        at = data.draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else [0]))
        inside[at] = data.draw(VALUES)
    (tmp_path / "record.json").write_text(json.dumps(damaged))
    try:
        found = signing.read(tmp_path)
    except BenchError as error:
        assert "is no record" in str(error) or "not known here" in str(error)  # noqa: PT017
        return
    compare(whole, found).as_json()

"""Operators: names, roles, PINs, and a file that may be anything."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione.room import operators, tags, who
from lampione.room.operators import Doorkeeper, OperatorsError
from lampione.room.tags import LockedError, Tag, check_lock, check_unlock
from lampione.room.tries import FORGET_S, NAMES_MOST, Tries
from lampione.room.who import ROLES, NotAllowedError, Who


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / operators.FILE
    found = operators.changed(None, "anna", "configure", "4711")
    operators.save(path, operators.changed(found, "night", "view", None))
    return path


def test_the_file_is_private_and_holds_no_pin(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert "4711" not in file.read_text()
    file.chmod(0o640)
    with pytest.raises(OperatorsError, match="chmod 600"):
        operators.load(file)


def test_who_says_his_pin_is_who_he_is(file: Path) -> None:
    keeper = Doorkeeper(file)
    assert keeper.enter("anna", "4711", "pts/1") == ("anna", "configure", "pts/1", None, True)
    assert keeper.enter("night", None, "").role == "view"
    for name, pin in (("anna", "4712"), ("anna", None), ("anna", ""), ("carla", None)):
        with pytest.raises(OperatorsError) as error:
            keeper.enter(name, pin, "")
        assert "4712" not in str(error.value)


def test_after_some_wrong_pins_not_even_the_right_one_is_tried_for_a_while(file: Path) -> None:
    now = 0.0
    keeper = Doorkeeper(file, lambda: now)
    for wait_s in (60, 120, 240, 480, 900, 900):
        for name in ("anna", "nobody"):  # which of them is an operator nobody learns
            while True:
                with pytest.raises(OperatorsError) as error:
                    keeper.enter(name, "0000", "")
                if f"wait {wait_s} s" in str(error.value):
                    break
                assert str(error.value) == "name and PIN do not fit; whoever has a PIN gives it"
        with pytest.raises(OperatorsError, match="too many tries"):
            keeper.enter("anna", "4711", "")
        assert keeper.enter("night", None, "").operator == "night"
        now += wait_s
    assert keeper.enter("anna", "4711", "").role == "configure"
    with pytest.raises(OperatorsError, match="do not fit"):
        keeper.enter("anna", "0000", "")  # and from the beginning


def test_tries_are_forgotten_and_few_are_told() -> None:
    now = 0.0
    tries = Tries(lambda: now)
    told = [tries.failed("anna", known=True, tried=not tries.wait_s("anna")) for _ in range(1000)]
    assert [n for n in told if n] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    others = [tries.failed(f"n{n}", known=False, tried=True) for n in range(3 * NAMES_MOST)]
    assert len([n for n in others if n]) == 12
    now += FORGET_S + 1
    assert tries.wait_s("anna") == 0
    assert tries.failed("anna", known=True, tried=True) == 1


def test_who_comes_without_a_word(file: Path, tmp_path: Path) -> None:
    keeper = Doorkeeper(file)
    assert keeper.arrived("night", "").role == "view"
    assert "PIN" in str(keeper.arrived("anna", "").why)
    assert keeper.arrived("anna", "").role == "view"
    assert "no operator" in str(keeper.arrived("root", "").why)
    alone = Doorkeeper(tmp_path / "none.json")
    assert alone.arrived("root", "") == ("root", "configure", "", None, False)
    assert alone.enter("carla", None, "").role == "configure"


def test_somebody_always_may_configure(file: Path) -> None:
    found = operators.load(file)
    assert found is not None
    changes: tuple[Callable[[], object], ...] = (
        lambda: operators.without(found, "anna"),
        lambda: operators.changed(found, "anna", "operate", None),
        lambda: operators.changed(None, "carla", "operate", None),
        lambda: operators.changed(found, "carla", None, None),
        lambda: operators.changed(found, "anna", None, "123"),
        lambda: operators.changed(found, "anna b", "view", None),
        lambda: operators.without(found, "carla"),
    )
    for change in changes:
        with pytest.raises(OperatorsError):
            change()
    kept = operators.changed(found, "anna", "configure", None)
    assert kept["anna"] == found["anna"]
    assert operators.changed(found, "anna", None, "")["anna"].hash is None


one = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from([*ROLES, "root", 7, None]),
        "pin": st.none() | st.text(max_size=3) | st.fixed_dictionaries(
            {}, optional={
                "salt": st.sampled_from(["00" * 16, "00", "zz", 1]),
                "scrypt": st.sampled_from(["00" * 32, "00", None]),
            },
        ),
    },
)  # fmt: skip
files = st.binary(max_size=40) | st.dictionaries(
    st.sampled_from(["operators", "x"]),
    st.dictionaries(st.text(max_size=4), one | st.none(), max_size=3) | st.lists(st.integers()),
).map(lambda found: json.dumps(found).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files)
def test_a_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "operators.json"
    path.touch(mode=0o600)
    path.write_bytes(content)
    try:
        found = operators.load(path)
    except OperatorsError:
        return
    assert found is not None
    for name, each in found.items():
        assert operators.check_name(name) == name
        assert each.role in ROLES


def test_a_role_may_what_those_below_it_may() -> None:
    for op in who.NEEDS:
        may = []
        for role in ROLES:
            try:
                who.check(Who("anna", role), op)
                may.append(role)
            except NotAllowedError:
                continue
        assert may == list(ROLES[ROLES.index(who.needed(op)) :])
    with pytest.raises(NotAllowedError, match="anna has operate"):
        who.check(Who("anna", "operate"), "rollout", {"do": "abort"})
    who.check(Who("anna", "view"), "rollout", {"rollout": 1})


TAG = Tag("a-1", "anna", "new driver", 1.0)


def test_a_lock_needs_the_name_again_and_a_reason() -> None:
    assert check_lock(None, "a-1", " new \n driver ", "a-1") == "new driver"
    for tag, reason, confirm in (
        (None, "work", "a-2"), (None, " ", "a-1"), (TAG, "work", "a-1"), (None, "x" * 201, "a-1"),
    ):  # fmt: skip
        with pytest.raises(LockedError):
            check_lock(tag, "a-1", reason, confirm)
    assert tags.refusal(TAG) == "a-1 is locked by anna: new driver"


def test_a_lock_is_taken_off_by_its_author_or_with_a_reason() -> None:
    anna, alone = Who("anna", "operate", by_pin=True), Who("anna", "configure")
    assert check_unlock(TAG, "a-1", anna, None) is None
    assert check_unlock(TAG, "a-1", alone, "done") == "done"
    with pytest.raises(LockedError, match="a name without a PIN proves nothing"):
        check_unlock(TAG, "a-1", alone, None)
    assert check_unlock(TAG, "a-1", Who("bruno", "operate"), "she called") == "she called"
    for tag, reason in ((TAG, None), (TAG, "  "), (None, "why")):
        with pytest.raises(LockedError):
            check_unlock(tag, "a-1", Who("bruno", "operate"), reason)

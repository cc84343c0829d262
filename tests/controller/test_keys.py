"""The key file: private, whole or not at all, never shown."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.keys import KeyFileError, Keys, _parse, load, new


def test_new_keys_are_private_and_all_different(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    old = os.umask(0)
    try:
        assert new(path, ["a-1", "b-2", "a-1"]) == ["a-1", "b-2"]
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = load(path)
    assert new(path, ["c-3"]) == ["c-3"]
    keys = load(path)
    assert {name: keys[name] for name in first} == first
    assert sorted(keys) == ["a-1", "b-2", "c-3"]
    assert len(set(keys.values())) == 3
    assert all(len(key) == 32 for key in keys.values())
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    new(path, ["a-1"])
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(KeyFileError, match="chmod 600"):
            load(path)


def test_a_node_that_has_a_key_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    new(path, ["a-1"])
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="a-1"):
        new(path, ["b-2", "a-1"])
    assert path.read_bytes() == before


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="keys new"):
        load(tmp_path / "none.json")
    with pytest.raises(KeyFileError, match="cannot be a node's name"):
        new(tmp_path / "keys.json", ["Via Bligny"])
    with pytest.raises(KeyFileError, match="No such file"):
        new(tmp_path / "no" / "keys.json", ["a-1"])


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=4) | st.just("00" * 32),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["version", "nodes", "a-1"]), inner)
        ),
    ).map(lambda document: json.dumps(document).encode())
)
def test_damage_is_one_plain_error_without_a_secret(text: bytes) -> None:
    try:
        keys = _parse(Path("keys.json"), text)
    except KeyFileError as error:
        assert "00" * 32 not in str(error)  # noqa: PT017
    else:
        assert all(len(key) == 32 for key in keys.values())


def test_endless_nesting_is_no_key_file() -> None:
    with pytest.raises(KeyFileError, match="is not a key file"):
        _parse(Path("keys.json"), b"[" * 100_000)


def test_a_full_disk_leaves_the_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    new(path, ["a-1"])
    before = path.read_bytes()
    program = (
        "import resource, sys; from pathlib import Path; from lampione import keys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))\n"
        "keys.new(Path(sys.argv[1]), ['b-2'])"
    )
    for limit in ("0", "100"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), limit],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stderr.endswith(f"KeyFileError: {path}: File too large\n")
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_of_an_earlier_crash_does_not_hinder(tmp_path: Path) -> None:
    (tmp_path / "keys.json.new").touch(0o400)
    new(tmp_path / "keys.json", ["a-1"])
    assert list(load(tmp_path / "keys.json")) == ["a-1"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]


def test_keys_do_not_show_themselves() -> None:
    assert repr(Keys({"a-1": b"\x01" * 32})) == "Keys(['a-1'])"


def test_a_group_has_a_key_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert new(path, ["a-1"], ["park"]) == ["a-1"]
    first = load(path)
    assert len(first.groups["park"]) == 16
    assert new(path, ["a-2"], ["park", "path"]) == ["a-2"]
    second = load(path)
    assert second.groups["park"] == first.groups["park"]
    assert sorted(second) == ["a-1", "a-2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert second.groups["park"].hex() not in repr(second)
    with pytest.raises(KeyFileError, match="cannot be a group's name"):
        new(path, [], ["The Park"])
    path.write_text(path.read_text().replace(second.groups["park"].hex(), "00"))
    with pytest.raises(KeyFileError, match="the entry of 'park' is damaged"):
        load(path)

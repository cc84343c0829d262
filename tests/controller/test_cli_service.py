"""`lampione broker` and `lampione keys`, with the real broker and a real key file."""

import json
from pathlib import Path

from lampione import keys, seeds
from lampione.demo.processes import free_port

from tests.controller.test_cli import lampione


def test_broker_starts_once_is_seen_and_stops(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "s"))
    assert lampione(*state, "broker", "status").returncode == 1
    started = lampione(*state, "broker", "start", "--port", str(free_port()), "--json")
    try:
        assert started.returncode == 0, started.stderr
        first = json.loads(started.stdout)
        assert first["url"].startswith("mqtt://127.0.0.1:")
        assert json.loads(lampione(*state, "broker", "--json").stdout) == first
        again = lampione(*state, "broker", "start")
        assert "runs already" in again.stdout
        assert str(first["pid"]) in again.stdout
    finally:
        stopped = lampione(*state, "broker", "stop", "--json")
    assert json.loads(stopped.stdout)["stopped"] is True
    assert "no broker of ours runs" in lampione(*state, "broker", "stop").stdout


def test_keys_for_the_whole_fleet_and_never_twice(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "s"))
    assert lampione(*state, "keys", "new", "bligny-1").returncode == 0
    done = lampione(*state, "keys", "new", "--all", "--json")
    names = {node.id for node in seeds.load().running}
    assert set(json.loads(done.stdout)["made"]) == names - {"bligny-1"}
    made = keys.load(tmp_path / "s" / "keys.json")
    assert set(made) == names
    assert not any(key.hex() in done.stdout for key in made.values())
    again = lampione(*state, "keys", "new", "bligny-1")
    assert again.returncode == 1
    assert again.stderr.count("\n") == 1
    assert "bligny-1" in again.stderr
    assert "every node has its key" in lampione(*state, "keys", "new", "--all").stdout


def test_keys_need_to_know_whose(tmp_path: Path) -> None:
    for arguments in (["keys", "new"], ["keys", "new", "x", "--all"]):
        done = lampione("--state", str(tmp_path / "s"), *arguments)
        assert done.returncode == 2
        assert "--all" in done.stderr


def test_a_fleet_file_with_a_mistake_is_named(tmp_path: Path) -> None:
    fleet = tmp_path / "rome.toml"
    fleet.write_text("[fleet]\nname = 'Rome'\n")
    done = lampione("--state", str(tmp_path), "keys", "new", "--all", "--fleet", str(fleet))
    assert done.returncode == 1
    assert done.stderr.startswith("lampione: rome.toml: fleet shard: is missing")

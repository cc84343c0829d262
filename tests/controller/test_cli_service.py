"""`lampione broker` and `lampione keys`, with the real broker and a real key file."""

import json
import stat
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


def test_the_files_of_a_citys_broker(tmp_path: Path) -> None:
    where = ("--state", str(tmp_path / "s"))
    made = ("--ca", str(tmp_path / "ca"), "--out", str(tmp_path / "out"))
    done = lampione(*where, "broker", "config", "--nodes", "3", "--tls", *made, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["urls"] == [f"mqtts://127.0.0.1:{port}" for port in (8883, 8884, 8885)]
    assert said["nodes"] == len(seeds.load().running)
    assert "ingest-milan" in said["certificates"]
    again = lampione(*where, "broker", "config", "--nodes", "3", "--tls", *made)
    assert "new certificates" not in again.stdout
    assert "{shard}" in again.stdout
    hosts = ("--hosts", "a.example,b.example,c.example")
    lies = ("--installed", "/etc/lampione")
    assert lampione(*where, "broker", "config", "--tls", *hosts, *lies, *made).returncode == 0
    text = (tmp_path / "out" / "nats-2" / "nats.conf").read_text()
    assert '"nats-route://a.example:6222", "nats-route://c.example:6222"' in text
    assert '"/etc/lampione/nats-2/server.key"' in text
    assert lampione(*where, "broker", "config", "--tls", "--sync", "0s", *made).returncode == 0
    text = (tmp_path / "out" / "nats-2" / "nats.conf").read_text()
    assert 'sync_interval: "always"' in text  # what a 0 means to people, not to NATS
    mosquitto = lampione(*where, "broker", "config", "--mosquitto", *made)
    assert mosquitto.returncode == 0, mosquitto.stderr
    assert (tmp_path / "out" / "mosquitto" / "acl").exists()
    for wrong in (
        (*hosts,),
        ("--tls", "--hosts", "a,b"),
        ("--mosquitto", "--nodes", "3"),
        ("--tls", "--hosts", 'a,b;c,"d'),
        ("--tls", "--hosts", "a,b\nlistener 1,c"),
        ("--mosquitto", "--installed", "/etc\nallow_anonymous true"),
    ):
        assert lampione(*where, "broker", "config", *wrong, *made).returncode == 2


def test_a_worker_needs_a_store(tmp_path: Path) -> None:
    keys.new(tmp_path / "keys.json", ["bligny-1"])
    tmp_path.chmod(0o700)
    state = ("--state", str(tmp_path))
    done = lampione(*state, "worker", "--broker", "mqtt://127.0.0.1:1")
    assert done.returncode == 2
    assert "--store" in done.stderr


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


def test_a_folder_that_is_open_to_others_is_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "with us"
    shared.mkdir()
    shared.chmod(0o755)
    for command in (["serve"], ["broker", "start"], ["keys", "new", "x"], ["demo", "--headless"]):
        done = lampione("--state", str(shared), *command)
        assert done.returncode == 1
        assert f"run `chmod 700 '{shared}'`" in done.stderr
        assert done.stderr.count("\n") == 1
        assert stat.S_IMODE(shared.stat().st_mode) == 0o755
        assert not list(shared.iterdir())
    file = tmp_path / "file"
    file.touch()
    assert "is a file" in lampione("--state", str(file), "serve").stderr


def test_the_controller_of_a_demo_never_makes_its_folder(tmp_path: Path) -> None:
    done = lampione(
        *("--state", str(tmp_path / "gone"), "serve", "--until-eof"),
        *("--broker", "mqtt://127.0.0.1:1"),
    )
    assert done.returncode == 1
    assert done.stderr == f"lampione: {tmp_path / 'gone'}: No such file or directory\n"
    assert not list(tmp_path.iterdir())


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

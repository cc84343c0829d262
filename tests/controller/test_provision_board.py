"""A node's files on a real file system: put in place whole, kept where they are the node's own."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lampione import keys, seeds
from lampione.broker_url import BrokerUrl
from lampione.config import blob, flash
from lampione.config.model import Wifi
from lampione.provision import files, on_board
from lampione.provision.ca import Authority
from lampione.provision.errors import ProvisionError
from lampione.provision.files import NodeFiles
from lampione.provision.on_board import Found
from lampione_hil.board import BenchError
from lampione_hil.real.repl import Repl
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

SEED = seeds.load()
WIFI = Wifi.model_validate({"ssid": "city", "password": "hunter2hunter2"})
OWN = {"/outbox/1": b"sealed frames", "/state/numbers": b"counts", "/config/old": b"the one before",
       "/lib/x.mpy": b"firmware"}  # fmt: skip


@pytest.fixture
def board(bench: VirtualBench) -> VirtualBoard:
    made = bench.board(
        f"p{len(bench.boards)}", OWN, world=World(street=None, air=SteadyAir()), flash_bytes=1 << 18
    )
    made.power_on()
    return made


Make = Callable[..., NodeFiles]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    keys.new(tmp_path / "keys.json", ["bligny-1", "umbria-1"])
    secrets = keys.load(tmp_path / "keys.json")
    authority = Authority.open(tmp_path / "ca", "Milan", apart_from=tmp_path / "s")

    def made(
        node: str = "bligny-1", url: str = "mqtt://10.0.0.5", seed: seeds.Seed = SEED
    ) -> NodeFiles:
        return files.make(
            seed, node, secrets, authority, BrokerUrl.parse(url), WIFI, tmp_path, interval_s=3
        )  # fmt: skip

    return made


def look(board: VirtualBoard) -> Found:
    with Repl.open(board.port) as repl:
        return on_board.look(repl)


def install(board: VirtualBoard, made: NodeFiles, version: int = 1, signing: bool = False) -> int:
    with Repl.open(board.port, check=lambda: gone(board)) as repl:
        found = on_board.look(repl)
        new = made.with_config(version, signing=signing)
        return on_board.install(repl, found, new, made.node, made.key)


def gone(board: VirtualBoard) -> None:
    if not board.running:
        raise BenchError("no power")


def there(board: VirtualBoard) -> dict[str, bytes]:
    board.power_off()
    found = {path: board.read_file(path) for path in board.list_files()}
    board.power_on()
    return found


def test_what_a_node_is_given(make: Make, tmp_path: Path) -> None:
    made = make(url="mqtts://mqtt.example")
    new = made.with_config(7, signing=False)
    assert list(new)[-1] == "/settings.json", "last: with it, the board is the node"
    settings = json.loads(new["/settings.json"])
    assert settings["node"] == "bligny-1"
    assert settings["wifi"] == {"ssid": "city", "password": "hunter2hunter2"}
    assert settings["broker"] == {
        "host": "mqtt.example", "port": 8883, "tls": True,
        "ca": "/certs/ca.der", "cert": "/certs/node.der", "key": "/certs/node.key",
    }  # fmt: skip
    assert new["/node.key"] == made.key
    assert new["/config/good"] == flash.file_of(7, made.config)
    signing, config = blob.decode(made.signing), blob.decode(made.config)
    assert config.reporting.report_interval_s == 60
    assert signing.reporting.report_interval_s == 3
    assert signing.parts == config.parts
    for secret in (made.key.hex(), repr(made.key), "hunter2"):
        assert secret not in repr(made)
    own = Authority.open(tmp_path / "other", "Rome", apart_from=tmp_path / "s")
    path = tmp_path / "other" / "ca.pem"
    believed = make(url=f"mqtts://mqtt.example?ca={path}").with_config(1, signing=False)
    assert believed["/certs/ca.der"] == own.certificate_der()
    path.write_text("rubbish")
    with pytest.raises(ProvisionError, match=r"\?ca="):
        make(url=f"mqtts://mqtt.example?ca={path}")
    assert "tls" not in json.loads(make().with_config(1, signing=False)["/settings.json"])["broker"]


def test_the_same_node_keeps_what_is_its_own(board: VirtualBoard, make: Make) -> None:
    blank = look(board)
    assert (blank.node, blank.key, blank.config) == (None, None, None)
    assert blank.unique_id == board.serial_number
    made = make()
    install(board, made, signing=True)
    assert "/outbox/1" not in there(board), "of a board that nobody knows"
    board.power_off()
    board.write_files({**OWN, "/config/trial": b"x", "/config/new": b"y"})
    board.power_on()
    found = look(board)
    assert found.node == "bligny-1"
    assert on_board.is_of(found, made.node, made.key)
    assert found.config == (1, blob.digest(made.signing))
    assert install(board, made) == 1, "the config alone is another"
    assert install(board, made) == 0
    files_ = there(board)
    assert {path: files_[path] for path in OWN} == OWN
    assert {"/config/trial", "/config/new"}.isdisjoint(files_), "it would run in place of the good"
    assert not [path for path in files_ if path.endswith(".new")]
    for path, data in made.with_config(1, signing=False).items():
        assert files_[path] == data


def test_another_node_finds_nothing_of_the_one_before(board: VirtualBoard, make: Make) -> None:
    install(board, make("umbria-1"))
    board.power_off()
    board.write_files(OWN)
    board.power_on()
    assert look(board).node == "umbria-1"
    made = make()
    install(board, made)
    files_ = there(board)
    assert set(files_) == {*made.with_config(1, signing=False), "/lib/x.mpy"}
    renewed = replace(make("bligny-1"), key=bytes(32))
    renewed = replace(renewed, identity={**renewed.identity, "/node.key": bytes(32)})
    board.power_off()
    board.write_files(OWN)
    board.power_on()
    install(board, renewed)
    assert set(OWN) - set(there(board)) == {"/outbox/1"}, "nobody could open it; burn hours stay"


def test_versions_of_configs_only_rise() -> None:
    def of(config: tuple[int, bytes] | None, known: int) -> int:
        found = Found("m", "1.29.0", None, "a", None, config)
        return on_board.config_version(found, b"wanted", known)

    assert of(None, 0) == 1
    assert of(None, 4) == 5
    assert of((9, bytes(8)), 4) == 10
    assert of((9, blob.digest(b"wanted")), 12) == 9, "it is there already"
    assert of((65534, bytes(8)), 0) == 1


def test_settings_that_cannot_be_read_are_nobodys(board: VirtualBoard, make: Make) -> None:
    made = make()
    install(board, made)
    for settings in (b"{", b"[]", b'{"node": 3}', b"\xff\xfe"):
        board.power_off()
        board.write_files({**OWN, "/settings.json": settings})
        board.power_on()
        found = look(board)
        assert found.node == ""
        assert on_board.is_of(found, made.node, made.key), "its key says who it is"
    install(board, made)
    assert there(board)["/outbox/1"] == OWN["/outbox/1"]


def test_a_full_flash_is_said(bench: VirtualBench, make: Make) -> None:
    small = bench.board("full", {"/big": bytes(40_000)}, flash_bytes=13 * 4096,
                        world=World(street=None, air=SteadyAir()))  # fmt: skip
    small.power_on()
    with pytest.raises(ProvisionError, match="flash is full"):
        install(small, make())


def cut_anywhere(board: VirtualBoard, make: Make, cuts: int | None = None) -> None:
    """Cut the power at so many writes of an installation, or at each; done again it is whole."""
    pair = [make("bligny-1"), make("umbria-1")]
    install(board, pair[0])
    before = board.flash_stats().writes
    install(board, pair[1])
    writes = board.flash_stats().writes - before
    every = range(1, writes)
    assert len(every) > 20
    chosen = every if cuts is None else sorted(random.Random(5).sample(every, cuts))
    for n, cut in enumerate(chosen):
        made = pair[n % 2]
        board.cut_power_at_write(cut)
        with pytest.raises(BenchError):
            install(board, made)
        board.wait_exit()
        board.power_on()
        install(board, made)
        files_ = there(board)
        for path, data in made.with_config(1, signing=False).items():
            assert files_[path] == data, path


def test_after_a_power_cut_it_can_be_done_again(board: VirtualBoard, make: Make) -> None:
    cut_anywhere(board, make, 6)


@pytest.mark.soak
def test_after_a_power_cut_anywhere_it_can_be_done_again(board: VirtualBoard, make: Make) -> None:
    cut_anywhere(board, make)

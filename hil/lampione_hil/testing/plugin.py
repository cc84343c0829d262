"""The pytest plugin: `-p lampione_hil.testing.plugin`. Its fixtures are what a suite stands on.

What it finds out goes, a JSON object a line, into results.jsonl of the run's folder, as it comes.
"""

import functools
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lampione_hil.board import BenchError
from lampione_hil.firmware import ESP32
from lampione_hil.testing import rig as rigs
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.collecting import (
    about,
    base_name,
    boards_of,
    flaky_reason,
    needed,
    place_in,
)
from lampione_hil.testing.engine import END_S
from lampione_hil.testing.links import HubLink, MqttLink, loopback
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes, compiled, firmware_id
from lampione_hil.testing.results import Results
from lampione_hil.testing.stand import BrokenBenchError, Rig, Stand
from lampione_hil.testing.uplink import TOPICS, Uplink
from lampione_hil.virtual import World

_STAND = pytest.StashKey[Stand]()
_MEASURE = pytest.StashKey[Measure]()
_NOTES = pytest.StashKey[dict[str, Any]]()
_RIG = pytest.StashKey[Rig]()
_RESULTS = pytest.StashKey[Results]()
_MARKS = (
    "needs(*capabilities, boards=1): what a board must be able to do; skipped with the reason",
    'clock("virtual"|"wall"): of virtual boards; virtual when not said',
    "smoke: of the short suite that any real board passes in three minutes",
    "long: comes first, so that no worker waits for it at the end",
    "flaky_known(reason): known to fail now and then; shown, and never a pass",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that `lampione hil run` passes on."""
    group = parser.getgroup("lampione")
    group.addoption("--rig", type=Path, help="the rig's file (default: three virtual boards)")
    group.addoption("--firmware", type=Path, help="the firmware under test (default: ours)")
    group.addoption("--smoke", action="store_true", help="the short suite only")
    group.addoption("--count", type=int, default=1, help="run every test so often")
    group.addoption("--run-folder", type=Path, help="where results.jsonl goes")
    group.addoption("--ends-with", type=int, help="a pipe: whoever began the run holds its end")


def pytest_configure(config: pytest.Config) -> None:
    """Read the rig, and see that an end from outside is an orderly one."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    shared = getattr(config, "workerinput", {}).get("lampione_place")
    folder = config.getoption("--run-folder")
    place = Path(shared or tempfile.mkdtemp(prefix="lampione-run-"))
    try:
        file = rigs.load(config.getoption("--rig"))
    except rigs.RigError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_RIG] = Rig(file, place, config.getoption("--firmware"))
    if not _is_worker(config):
        results = config.stash[_RESULTS] = Results(folder / "results.jsonl" if folder else None)
        config.pluginmanager.register(results, "lampione-results")
        if (pipe := config.getoption("--ends-with")) is not None:
            threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    if threading.current_thread() is threading.main_thread():
        # Ctrl-C ends a run in good order: boards go off. So does whoever ends us kindly.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _end_with(pipe: int) -> None:
    """End in good order when whoever began the run was killed; boards go off."""
    os.read(pipe, 1)
    os.killpg(0, signal.SIGINT)  # the workers, too, as Run.interrupt
    time.sleep(END_S)
    os.killpg(0, signal.SIGKILL)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what only this run needed."""
    if not _is_worker(config) and _RIG in config.stash:
        shutil.rmtree(config.stash[_RIG].place, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which run it belongs to."""
    node.workerinput["lampione_place"] = str(node.config.stash[_RIG].place)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Hear what a worker left out; switch off what one that died has left on."""
    told = getattr(node, "workeroutput", {})
    node.config.stash[_RESULTS].deselected(told.get("lampione_deselected", []))
    if error:
        from lampione_hil.testing.hardware import all_off

        all_off(node.config.stash[_RIG])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Tell what will run; every worker collects the same."""
    node.config.stash[_RESULTS].collected(ids)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


# Collecting


@pytest.hookimpl(trylast=True)  # behind a test's own parameters, where `base_name` looks
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test --count times."""
    count = int(metafunc.config.getoption("--count") or 1)
    if count > 1:
        metafunc.fixturenames.append("_turn")
        metafunc.parametrize(
            "_turn", range(1, count + 1), ids=[f"turn{n + 1}" for n in range(count)]
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long ones; keep the smoke tests alone, where that is asked for."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if config.getoption("--smoke"):
        short = [item for item in items if item.get_closest_marker("smoke")]
        config.hook.pytest_deselected(items=[item for item in items if item not in short])
        items[:] = short


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Tell which tests nobody asked for."""
    if not items:
        return
    config = items[0].config
    names = [item.nodeid for item in items]
    if _is_worker(config):
        config.workeroutput.setdefault("lampione_deselected", []).extend(names)  # type: ignore[attr-defined]
    else:
        config.stash[_RESULTS].deselected(names)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell what will run."""
    config = session.config
    results = config.stash.get(_RESULTS, None)
    if results is None or not session.items:
        return
    results.collected([item.nodeid for item in session.items])
    if config.option.collectonly:
        for item in session.items:
            results.add("item", **about(item, config.stash[_RIG].file))


# Running


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the rig has not, with the reason."""
    rig = item.config.stash[_RIG]
    needs, count = needed(item), boards_of(item)
    takes_board = "_stand" in getattr(item, "fixturenames", ())
    why = rig.lacks(needs, count) if needs or takes_board else ""
    item.stash[_NOTES] = {"broken": why.startswith("the bench is broken")}
    if why:
        pytest.skip(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test at its end for what it measured outside the limits."""
    result = yield
    measure = item.stash.get(_MEASURE, None)
    if measure is not None and measure.outside:
        pytest.fail(f"outside the limits: {'; '.join(map(str, measure.outside))}", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a report what only this plugin knows of the test."""
    report = yield
    notes = item.stash.setdefault(_NOTES, {})
    error = call.excinfo.value if call.excinfo is not None else None
    stand = item.stash.get(_STAND, None)
    if isinstance(error, BrokenBenchError) or (stand is not None and stand.blame(error)):
        notes["broken"] = True
    if call.excinfo is not None and isinstance(error, BenchError | pytest.fail.Exception):
        whose = "the bench: " if notes.get("broken") else ""
        report.longrepr = f"{whose}{error}{place_in(item, call.excinfo)}"
    if report.failed:  # as text that any process can be sent: no half of a surrogate pair
        report.longrepr = str(report.longrepr).encode("utf-8", "replace").decode()
        report.sections = []
    told = {
        "flaky": flaky_reason(item, item.config.stash[_RIG].file),
        "needs": needed(item),
        **notes,
    }
    if report.when == "teardown":
        measure = item.stash.get(_MEASURE, None)
        told["measurements"] = [m.as_json() for m in measure.taken] if measure else []
    report.user_properties = [*report.user_properties, ("lampione", told)]
    return report


def pytest_sessionstart(session: pytest.Session) -> None:
    """Tell what runs on what."""
    results = session.config.stash.get(_RESULTS, None)
    if results is None or session.config.option.collectonly:
        return
    rig = session.config.stash[_RIG]
    try:
        tree = compiled(rig.firmware, ESP32)  # whatever computer tests it, one id
    except (OSError, RuntimeError) as error:
        raise pytest.UsageError(f"the firmware under test: {error}") from None
    if rig.firmware is not None and "/main.py" not in tree:
        raise pytest.UsageError(f"the firmware under test: {rig.firmware} has no main.py")
    results.begin(rig.file, firmware_id(tree), rig.firmware, session.config)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tell that it is over, and what broke."""
    results = session.config.stash.get(_RESULTS, None)
    if results is not None:
        broken = session.config.stash[_RIG].broken()
        results.add("end", exit=int(exitstatus), broken=broken, at=time.time())


# Fixtures


@pytest.fixture(scope="session")
def rig(pytestconfig: pytest.Config) -> Rig:
    """The bench of this run."""
    return pytestconfig.stash[_RIG]


@pytest.fixture(scope="session")
def _tree(rig: Rig) -> Callable[[str | None], dict[str, bytes]]:
    @functools.cache
    def tree(march: str | None) -> dict[str, bytes]:
        return compiled(rig.firmware, march)

    return tree


@pytest.fixture(scope="session")
def firmware_tree(_tree: Callable[[str | None], dict[str, bytes]]) -> dict[str, bytes]:
    """The firmware under test, compiled for virtual boards: {path on the board: content}."""
    return _tree(None)


@pytest.fixture
def virtual_world() -> World:
    """What virtual boards sense; a module or a test overrides it. A lamppost without sound."""
    from lampione_hil.virtual.lamppost import lamppost
    from lampione_hil.virtual.traffic import TrafficStreet

    return lamppost(1, traffic=TrafficStreet(5))


@pytest.fixture
def _stand(request: pytest.FixtureRequest, rig: Rig, virtual_world: World) -> Iterator[Stand]:
    mark = request.node.get_closest_marker("clock")
    kind = mark.args[0] if mark else "virtual"
    if kind not in ("virtual", "wall"):
        raise pytest.UsageError(f"{request.node.nodeid}: clock {kind!r}: virtual or wall")
    node = request.node
    stand = Stand(rig, base_name(node.nodeid), needed(node), kind, boards_of(node))
    stand.world = lambda: virtual_world
    request.node.stash[_STAND] = stand
    notes = request.node.stash[_NOTES]
    try:
        yield stand
    finally:
        notes["boards"] = [[table.name, table.shown, table.kind] for table, _ in stand.taken]
        notes["clock"] = stand.clock.kind if stand.taken else ""
        notes["micropython"] = rig.micropython
        try:
            if stand.taken:
                notes["board_s"] = round(stand.clock.now_s(), 3)
        finally:
            stand.close()


@pytest.fixture
def clock(_stand: Stand) -> Clock:
    """The time of the test's boards."""
    return _stand.clock


@pytest.fixture
def board(_stand: Stand) -> Any:
    """A board that has what the test needs: off, its files blank."""
    return _stand.taken[0][1] if _stand.taken else _stand.take()


@pytest.fixture
def world(board: Any) -> Any:
    """What `board` senses, to be changed while it runs."""
    return board.world


@pytest.fixture
def node(_stand: Stand, _tree: Callable[[str | None], dict[str, bytes]]) -> Nodes:
    """Makes nodes of the test's boards; see Nodes."""
    return Nodes(_stand, _tree)


@pytest.fixture
def uplink(_stand: Stand, clock: Clock, node: Nodes) -> Iterator[Uplink]:
    """The nodes' broker, and what they say through it. Ask for it before a node is made."""
    link: HubLink | MqttLink
    network = _stand.rig.file.network
    if clock.virtual:
        hub = getattr(_stand.bench, "hub", None)
        if hub is None:
            pytest.skip("no broker in virtual time here")
        link = HubLink(hub)
    elif _stand.bench is None and network is not None:
        host, _, port = network.broker.rpartition(":")
        link = MqttLink(host, int(port), TOPICS)
        node.wifi = {"ssid": network.ssid, "password": _password(network.password_file)}
    else:
        link = loopback(TOPICS)
    node.broker = link.endpoint
    made = Uplink(link, clock, node.keys)
    yield made
    made.close()


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Measure:
    """Records a value with its limits; see Measure."""
    stash = request.node.stash

    def now_s() -> float:  # of a test without boards, none
        return stash[_STAND].clock.now_s() if _STAND in stash else 0.0

    made = stash[_MEASURE] = Measure(now_s)
    return made


def _password(path: str | None) -> str:
    return "" if path is None else Path(path).expanduser().read_text("utf-8").strip()

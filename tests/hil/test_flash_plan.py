"""What flashing decides: whatever lies on a board, wherever it is interrupted."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.flashing.plan import Plan, plan
from lampione_hil.flashing.slots import FOLDERS, MANIFEST, State, Tree, digest, running

Files = dict[str, bytes]
CONTENTS = st.binary(min_size=1, max_size=3)
NAMES = ("lampione_node/app.mpy", "lampione_node/node.mpy", "lampione_light/__init__.mpy")


def tree_of(contents: list[bytes], main: bytes) -> Tree:
    files = {f"/lib/{name}": data for name, data in zip(NAMES, contents, strict=False)}
    return Tree.of({**files, "/boot.py": b"boot", "/main.py": main})


TREES = st.builds(
    tree_of, st.lists(CONTENTS, min_size=3, max_size=3), st.sampled_from([b"m", b"M"])
)


def state_of(files: Files, started: str | None = None, free: int = 500) -> State:
    manifests = {
        letter: files[f"{folder}/{MANIFEST}"]
        for letter, folder in FOLDERS.items()
        if f"{folder}/{MANIFEST}" in files
    }
    looked = {path: (len(data), digest(data)) for path, data in files.items() if path != "/slot"}
    order = files.get("/slot")
    if order is not None:
        looked["/slot"] = (len(order), digest(order))
    state = State(looked, order, manifests, started, 4096, free)
    return State(looked, order, manifests, started or FOLDERS[state.letters()[0]], 4096, free)


def done(files: Files, todo: Plan) -> list[Files]:
    """Return what lies on the board after each step of a plan."""
    found = [dict(files)]

    def step(**changes: bytes | None) -> None:
        after = dict(found[-1])
        for path, data in changes.items():
            if data is None:
                del after[path]
            else:
                after[path] = data
        found.append(after)

    if todo.before:
        step(**{"/slot": todo.before})
    for path in todo.remove:
        step(**{path: None})
    for there, here in todo.copy:
        step(**{here: b""})
        step(**{here: found[-1][there]})
    for path, data in todo.send.items():
        step(**{path: data[:1]})
        step(**{path: data})
    assert all(digest(found[-1][path]) == sha for path, sha in todo.expected.items())
    for there, here in todo.commit:
        step(**{here: found[-1][there], there: None})
    return found


def starts(files: Files) -> Files | None:
    """Return the modules of the slot that boot.py and main.py start."""
    if "/main.py" not in files:
        return None
    return in_slot(files, state_of(files).letters()[0])


def in_slot(files: Files, letter: str) -> Files:
    folder = FOLDERS[letter] + "/"
    return {path[len(folder) :]: data for path, data in files.items() if path.startswith(folder)}


@st.composite
def boards(draw: st.DrawFn) -> Files:
    """What lies on a board: nothing, a fresh image, what flashing left, or that cut short."""
    files: Files = {"/settings.json": b"{}", "/lib/mine.py": b"x"}
    for tree in draw(st.lists(TREES, max_size=3)):
        steps = done(files, plan(state_of(files), tree))
        files = steps[draw(st.integers(0, len(steps) - 1))] if draw(st.booleans()) else steps[-1]
        if draw(st.integers(0, 9)) == 0:  # a fresh image has no manifest
            files.pop(f"/lib/{MANIFEST}", None)
    return files


@settings(max_examples=400, deadline=None)
@given(boards(), TREES)
def test_it_ends_with_the_tree_and_never_without_one(files: Files, tree: Tree) -> None:
    todo = plan(state_of(files), tree)
    before = starts(files)
    keep = running(state_of(files))
    kept = in_slot(files, keep) if keep else {}
    steps = done(files, todo)
    for now in steps:
        found = starts(now)
        assert before is None or found is not None, "it no longer boots"
        if found is not None and found != {**tree.modules, **_others(found)}:
            assert before is not None
            assert _ours(found) in (_ours(before), _ours(kept)), "what runs was touched"
    last = starts(steps[-1])
    assert last is not None
    assert _ours(last) == _ours(tree.modules)
    assert steps[-1]["/main.py"] == tree.scripts["/main.py"]
    assert steps[-1]["/settings.json"] == b"{}"
    assert steps[-1]["/lib/mine.py"] == b"x"
    assert not plan(state_of(steps[-1]), tree).changes, "a second run has nothing to do"


def _ours(modules: Files) -> Files:
    return {path: data for path, data in modules.items() if path in NAMES}


def _others(modules: Files) -> Files:
    return {path: data for path, data in modules.items() if path not in NAMES and path != MANIFEST}


@settings(max_examples=200, deadline=None)
@given(boards(), TREES, st.data())
def test_an_interrupted_one_is_taken_up(files: Files, tree: Tree, data: st.DataObject) -> None:
    steps = done(files, plan(state_of(files), tree))
    cut = steps[data.draw(st.integers(0, len(steps) - 1))]
    again = done(cut, plan(state_of(cut), tree))
    last = starts(again[-1])
    assert last is not None
    assert _ours(last) == _ours(tree.modules)


def test_what_could_not_start_is_written_over_and_what_did_is_kept() -> None:
    old, new, fixed = (tree_of([bytes([n])] * 3, b"m") for n in range(3))
    files = done({}, plan(state_of({}), old))[-1]
    files = done(files, plan(state_of(files), new))[-1]
    fallen_back = state_of(files, started="/lib")
    assert running(fallen_back) == "a"
    assert plan(fallen_back, fixed).slot == "b"
    assert plan(state_of(files), fixed).slot == "a", "it runs from b"


def test_room_is_counted_in_blocks() -> None:
    tree = tree_of([bytes(4097), bytes(1), bytes(8192)], b"m")
    todo = plan(state_of({}), tree)
    # 2 + 1 + 2, manifest, boot.py, main.py; /lib and two below it; 8 to spare
    assert todo.blocks == 5 + 3 + 3 * 2 + 8
    files = done({}, todo)[-1]
    assert plan(state_of(files), tree).blocks == 0


def test_a_damaged_manifest_or_slot_file_is_no_harm() -> None:
    tree = tree_of([b"1", b"2", b"3"], b"m")
    files = done({}, plan(state_of({}), tree))[-1]
    for rubbish in (b"", b"{", b"[]", b'{"sha256": 5}', json.dumps({"id": 1}).encode()):
        todo = plan(state_of({**files, f"/lib/{MANIFEST}": rubbish}), tree)
        assert (todo.slot, list(todo.send)) == ("a", [f"/lib/{MANIFEST}"])
    for rubbish in (b"", b"zz\xff", b"ab" * 9):
        assert plan(state_of({**files, "/slot": rubbish}), tree).slot == "a"

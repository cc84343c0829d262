"""`protocol/schema.lock`: what is on the wire and may no longer change.

`python -m tools.schema_lock --check` fails when the schema has left it in any way that an older
node or controller would misread, or is merely ahead of it; `--write` takes over what was added,
and refuses anything else. Allowed are: new messages, fields behind the last one, fields cut from
spare bits at their place, and names at the end of a list of `names`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from lampione_protocol import bench, hour, names, schema, seal, stream, topics

LOCK = Path(__file__).parents[1] / "protocol" / "schema.lock"
COLUMNS = ("name", "kind", "bits", "low", "high", "steps", "unit", "since")
HAS_UNKNOWN = "iemx"

Lock = dict[str, Any]


def current() -> Lock:
    """Return the schema as it stands in the code."""
    return {
        "revision": schema.REVISION,
        "constants": {
            "wire_version": schema.WIRE_VERSION,
            "epoch_2020": schema.EPOCH_2020,
            "up_header": seal.UP_HEADER,
            "hello_header": seal.HELLO_HEADER,
            "down_header": seal.DOWN_HEADER,
            "tag_bytes": seal.TAG_BYTES,
            "frame_max": seal.FRAME_MAX,
            "line": stream.wrap(b"123456789").hex(),
            "topic": topics.topic("shard", "node", topics.UP),
            "keys": [
                key.hex()
                for key in (
                    seal.up_key(bytes(32), bytes(4)),
                    seal.down_key(bytes(32), bytes(4)),
                    seal.hello_key(bytes(32)),
                )
            ],
            "histograms": [
                hour.BINS_A_PART,
                hour.PARTS,
                hour.FIRST_SPEED_PART,
                hour.LEVEL_LOW_DB,
                hour.SPEED_STEP_KMH,
            ],
        },
        "reserved": {
            "Image": schema.IMAGE,
            "Bench": schema.BENCH,
        },
        "names": {key: list(v) for key, v in {**names.CODES, **names.FLAGS}.items()}
        | {"sensor_state": list(names.SENSOR_STATES)}
        | {"refused": list(names.REFUSED)},
        "messages": {
            name: {"number": number, "fields": [list(f) for f in fields]}
            for number, name, fields in names.ALL_MESSAGES
        },
        "bench": {
            "revision": bench.REVISION,
            "constants": {"head": bench.head(1, 1).hex(), "frame_max": bench.FRAME_MAX},
            "reserved": {},
            "names": {key: list(v) for key, v in {**bench.CODES, **bench.FLAGS}.items()},
            "messages": {
                name: {"number": number, "fields": [list(f) for f in fields]}
                for number, name, fields in bench.MESSAGES
            },
        },
    }


def to_text(lock: Lock) -> str:
    """Return the file's text: JSON, one field a line, so that a difference reads well."""
    inner = f',\n"bench": {to_text(lock["bench"]).rstrip()}' if "bench" in lock else ""
    lines = ["{", f'"revision": {lock["revision"]},']
    for part in ("constants", "reserved", "names"):
        entries = ",\n".join(
            f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in lock[part].items()
        )
        lines.append(f'"{part}": {{\n{entries}\n}},')
    messages = []
    for name, message in lock["messages"].items():
        fields = ",\n".join(f"    {json.dumps(f, ensure_ascii=False)}" for f in message["fields"])
        messages.append(
            f'  "{name}": {{"number": {message["number"]}, "fields": [\n{fields}\n  ]}}'
        )
    lines.append('"messages": {\n' + ",\n".join(messages) + "\n}" + inner)
    return "\n".join(lines) + "\n}\n"


def _new_field(where: str, field: list[Any], old: Lock, new: Lock, *, in_spare: bool) -> list[str]:
    """Return what is wrong with an added field."""
    name, kind, since = field[0], field[1], field[7]
    wrong = []
    if since <= old["revision"] or since > new["revision"]:
        wrong.append(
            f"{where}.{name}: added, so its `since` and REVISION must grow beyond {old['revision']}"
        )
    if in_spare and kind not in HAS_UNKNOWN:
        wrong.append(
            f"{where}.{name}: kind {kind!r} has no unknown, "
            "and older senders fill these bits with ones"
        )
    return wrong


def _fields(where: str, old: Lock, new: Lock) -> list[str]:
    """Compare one message's fields."""
    before: list[list[Any]] = old["messages"][where]["fields"]
    after: list[list[Any]] = new["messages"][where]["fields"]
    at = 0
    for field in before:
        if field[1] != "x":
            if at == len(after):
                return [f"{where}.{field[0]}: removed"]
            if after[at] != field:
                return [_difference(where, field, before, after, at)]
            at += 1
            continue
        left: int = field[2]
        while left > 0:
            if at == len(after):
                return [f"{where}: {left} spare bits removed"]
            taken = after[at]
            if taken[1] != "x":
                wrong = _new_field(where, taken, old, new, in_spare=True)
                if wrong:
                    return wrong
            left -= taken[2]
            at += 1
        if left < 0:
            return [f"{where}.{after[at - 1][0]}: goes {-left} bits beyond the spare bits"]
    wrong = []
    bits = sum(f[2] for f in before)
    for field in after[at:]:
        if before[-1][1] == "t":
            wrong.append(f"{where}.{field[0]}: nothing can follow a text")
        else:
            wrong += _new_field(where, field, old, new, in_spare=bits % 8 != 0)
        bits += field[2]
    return wrong


def _difference(
    where: str, field: list[Any], before: list[list[Any]], after: list[list[Any]], at: int
) -> str:
    """Say how a field that should stand at `at` has changed."""
    found = after[at]
    if found[0] == field[0]:
        columns = [
            f"{column} {old!r} to {new!r}"
            for column, old, new in zip(COLUMNS, field, found, strict=True)
            if old != new
        ]
        return f"{where}.{field[0]}: changed, {', '.join(columns)}"
    if any(f[0] == field[0] for f in after):
        return f"{where}.{field[0]}: moved, {found[0]!r} stands in its place"
    if found[1:] == field[1:] and all(f[0] != found[0] for f in before):
        return f"{where}.{field[0]}: renamed to {found[0]!r}"
    return f"{where}.{field[0]}: removed, {found[0]!r} stands in its place"


def compare(old: Lock, new: Lock) -> list[str]:
    """Return every change that an older node, controller or instrument would misread."""
    wrong = []
    if "bench" in old:
        if "bench" not in new:
            return ["bench: the schema of its messages is gone"]
        wrong += [f"bench: {problem}" for problem in compare(old["bench"], new["bench"])]
    if new["revision"] < old["revision"]:
        wrong.append(f"REVISION went back from {old['revision']} to {new['revision']}")
    for key, value in old["constants"].items():
        if new["constants"].get(key) != value:
            wrong.append(f"{key}: changed from {value!r} to {new['constants'].get(key)!r}")
    for key, listed in old["names"].items():
        now = new["names"].get(key)
        if now is None:
            wrong.append(f"names of {key}: removed")
        elif now[: len(listed)] != listed:
            wrong.append(f"names of {key}: only additions at the end are allowed")
    numbers = {m["number"]: name for name, m in old["messages"].items()}
    kept = {number: name for name, number in old["reserved"].items()}
    for name, message in new["messages"].items():
        number = message["number"]
        if name not in old["messages"]:
            if number in numbers:
                wrong.append(f"{name}: number {number} belongs to {numbers[number]}")
            elif kept.get(number, name) != name:
                wrong.append(f"{name}: number {number} is kept for {kept[number]}")
            elif not 0 < number < 32:
                wrong.append(f"{name}: number {number} is not from 1 to 31")
    for name, message in old["messages"].items():
        now = new["messages"].get(name)
        if now is None:
            wrong.append(f"{name}: removed or renamed")
        elif now["number"] != message["number"]:
            wrong.append(f"{name}: number changed from {message['number']} to {now['number']}")
        else:
            wrong += _fields(name, old, new)
    for name, number in old["reserved"].items():
        now = new["reserved"].get(name)
        if now != number and new["messages"].get(name, {}).get("number") != number:
            wrong.append(f"{name}: the number {number} kept for it is gone")
    return wrong


def run(path: Path, new: Lock, *, write: bool) -> list[str]:
    """Check the lock at `path`, or bring it up to date; return what is wrong."""
    text = to_text(new)
    old_text = path.read_text(encoding="utf-8") if path.exists() else None
    if old_text is None:
        if not write:
            return [f"{path.name} is missing: python -m tools.schema_lock --write"]
    else:
        wrong = compare(json.loads(old_text), new)
        if wrong:
            return wrong
        if not write and old_text != text:
            return [f"{path.name} is behind the schema: python -m tools.schema_lock --write"]
    if write:
        path.write_text(text, encoding="utf-8")
    return []


def main() -> int:
    """Check or write; return the exit code."""
    parser = argparse.ArgumentParser(description="Keep the wire format compatible.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail on any incompatible change")
    what.add_argument("--write", action="store_true", help="take over compatible additions")
    arguments = parser.parse_args()
    wrong = run(LOCK, current(), write=arguments.write)
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

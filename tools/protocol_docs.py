"""Write `docs/protocol.md` from the schema: `python -m tools.protocol_docs --write`.

`--check` fails when the page is not what the schema and `tools.protocol_words` give.
"""

import sys
from pathlib import Path
from typing import Any

from lampione_protocol import bench, codec, hour, names, schema, seal, stream

from tools import bench_words
from tools import protocol_words as words
from tools.generated_page import command, keep

PAGE = Path(__file__).parents[1] / "docs" / "protocol.md"

KINDS = {
    "i": "integer",
    "e": "code",
    "m": "minifloat",
    "c": "always known",
    "y": "bytes",
    "t": "text",
    "x": "spare",
}

Field = tuple[Any, ...]

HEAD = """\
# The protocol

Made by `make docs` from `protocol/lampione_protocol/schema.py`; not to be edited. What stands here
is on the wire for ever: fields are added, never renamed, moved or changed, and
`protocol/schema.lock` holds that in CI. Golden vectors, for who writes another implementation, are
in `protocol/vectors/`; the same files are run on CPython and on MicroPython.
"""

RULES = """\
## Messages

A message is a row of fields without gaps, most significant bit first, the last byte filled up with
ones. It says nothing about itself: its type stands in the frame's first byte.

- A **value** is an integer counted in steps: 62.4 dB in steps of 0.1 dB is 624. On the wire stands
  the value less the least one of its field.
- **Unknown** is all ones. What a node has no sensor for, or does not trust, is unknown, never
  zero. Fields of {never} have no unknown.
- A **minifloat** has four bits of exponent over six of mantissa and means mantissa × 2^exponent.
  To write one, halve (rounding half up) until it is 63 or less, and count the halvings; it is
  within {minifloat} of the value.
- **Bytes** stand as they are; zeros mean none. **Text** is preceded by its length in a byte.
- **Spare** bits are ones and are not looked at.
- **Time** is whole seconds since 2020-01-01T00:00:00Z without leap seconds (Unix time less
  {epoch}). A clock that is unset counts from the start of the node.
- A value outside its field's range is refused with its whole message.

### What comes later

- Fields are added behind the last one, or cut from spare bits at their place, where all ones
  reads "unknown"; so nothing cut from spare bits is of {never} or bytes. Each carries
  the schema revision it came in; revision now: {revision}.
- A message that ends early leaves the rest of its fields unknown (an older sender). Bytes behind
  the last field are skipped (a newer one).
- A type that is not known is skipped and counted, once its seal is open. Types {kept} are
  kept for {kept_names}; 0 is never used; the rest up to 31 is free.
- What could not be understood at all raises the wire version, three bits in front of every frame;
  a frame of another version is refused and counted. Wire version now: {version}.
- Lists of codes grow at their end. A receiver shows a code that it does not know as its number.

### Privacy

No field can carry sound or a picture: a Report tells {sound} bits about its sound, levels and
shares only; the only bytes are random numbers of 4 bytes, the only text is `Log`'s, 27 bytes about
the node itself. Where fewer than three vehicles were counted in an interval, both directions
together, `speed_mean` and `speed_max` are unknown, and so are the bins of speeds of an hour with
fewer than three: no message tells one driver's speed. The tests hold a list of all fields; a new
one fails until somebody has put it there.

### Sizes

A frame is never longer than {frame_max} bytes, the largest LoRaWAN payload at the lowest data rate.

| type | message | direction | message, bytes | sealed, bytes | spare bits |
|---:|---|---|---:|---:|---:|
"""

SEAL = """\
## Frames

Every message travels sealed: AES-128-CCM (RFC 3610) with a nonce of 13 bytes (L = 2) and a tag of
{tag} bytes. Numbers are most significant byte first.

| frame | header | bytes | key |
|---|---|---:|---|
| up | version and type 1, epoch 4, boot 2, seq 3 | {up} | K_up of the epoch |
| hello | version and type 1, random 9 | {hello} | K_hello |
| down | version and type 1, epoch 4, session 4, counter 4 | {down} | K_down of the epoch |
| group | version and type 1, epoch 4, member 2, seq 3 | {up} | K_wave of the group |

Then the encrypted message, then the tag. Version and type share the first byte:
`version << 5 | type`.

- **Nonce:** the header, filled up with zeros to 13 bytes.
- **Associated data:** the header, then the node's id in UTF-8, of a group's frame the group's name.
  A frame of one node is refused under another's name.
- **Keys:** each node has one secret of {key} bytes, K_node, made when it is flashed. The first 16
  bytes of HMAC-SHA256(K_node, label) are K_up for the label `lampione up` + epoch, K_down for
  `lampione down` + epoch, K_hello for `lampione hello`. A group has a secret of 16 bytes that comes
  with its nodes' configs; K_wave is drawn from it for `lampione wave`. Whoever takes a node apart
  can raise the light of its group, for minutes, and nothing else.
- **Epoch:** 4 random bytes that the node draws anew at *every* boot. It cannot know whether its
  flash is an old image of itself, whose boot and sequence counters were used before; with a key of
  its own for each boot no nonce repeats whatever happens to the flash. It stands in every frame so
  that each can be opened by itself, even one that was written three boots ago.
- **boot** counts boots on flash. **seq** counts the frames committed to the outbox and goes on
  across boots. A frame's identity is (node, epoch, boot, seq). It is sealed once; what is sent
  again are the same bytes.
- **session** is drawn at random at each start of the controller, and **counter** rises within it
  and beyond the `last_counter` of the node's Hello, so a controller restored from a backup repeats
  no nonce. It goes from 0 to {counter_max}.

A receiver checks, in this order: length, version, length again, epoch (down), tag, message; then,
down, that the counter of a Command or a Setup is higher than the last accepted one, which is on
flash before it is carried out; of a group, that its time is less than a minute ago and its number
higher than the sender's last. What fails is counted and goes no further; the text of a frame
whose tag does not fit is wiped.

## Topics

Over MQTT 3.1.1 with QoS 1, a frame a message:

| topic | from | what |
|---|---|---|
| `lampione/v1/<shard>/<node>/up` | node | hello and up frames |
| `lampione/v1/<shard>/<node>/down` | controller | down frames |
| `lampione/v1/<shard>/<node>/state` | node | `online`, repeated; `offline` as its last will |
| `lampione/v1/<shard>/<group>/wave` | node | group frames, with QoS 0: they are of the moment |

Only `state` is retained. Shard, node and group are 1 to 24 of `a-z`, `0-9` and `-`. A PUBACK is
no proof that anything is stored: the node keeps each frame until a Watermark covers it.

## Serial lines

    0x00, COBS(frame, CRC-32 of the frame), 0x00

COBS leaves no zero inside, so a zero is where a frame ends, and a reader that comes late or after
rubbish finds the next one. The CRC is that of IEEE 802.3 (the check value of `123456789` is
CBF43926), most significant byte first. A sealed Report takes {line} bytes. Empty frames are not
sent; a frame longer than the reader's limit is counted and skipped.
"""


BENCH = """\
## Bench messages

Between a host and the instrument board of a bench, over a serial line as above, in a schema of
their own (revision now: {revision}) that no node loads: `protocol/lampione_protocol/bench.py`. A
frame is three bytes, then the message: version and type {bench} (`{head:02x}`), kind, ask. The host
numbers its requests by `ask`, 1 to {ask_max}; the answer carries the request's. Nothing is sealed:
no frame leaves the bench. The host has one request under way at a time. `at` counts from the
instrument's start.

| kind | message | from | bytes |
|---:|---|---|---:|
"""


def _number(value: float) -> str:
    return f"{value:,.10g}".replace(",", " ")


def _scaled(field: Field, value: int) -> str:
    steps: int = field[5]
    return _number(value * -steps if steps < 0 else value / steps)


def _range(field: Field) -> str:
    kind = field[1]
    if kind == "t":
        return f"0 to {field[2] // 8} bytes"
    if kind in "xy":
        return ""
    return f"{_scaled(field, field[3])} to {_scaled(field, field[4])}"


def _resolution(field: Field) -> str:
    if field[1] in "xytec":
        return ""
    if field[1] == "m":
        return f"{_scaled(field, 1)}, from {_scaled(field, 64)} on 1/32 of the value"
    return _scaled(field, 1)


def _unknown(field: Field) -> str:
    kind = field[1]
    if kind in "iem":
        return "all ones"
    return "zeros" if kind == "y" else ""


def direction(name: str) -> tuple[str, int]:
    """Return a message's direction and the bytes of its header."""
    if name == "Hello":
        return "hello", seal.HELLO_HEADER
    if name in ("Command", "Watermark", "Config", "Setup"):
        return "down", seal.DOWN_HEADER
    if name == "Group":
        return "group", seal.UP_HEADER
    return "up", seal.UP_HEADER


def _sizes() -> list[str]:
    lines = []
    for number, name, fields in names.ALL_MESSAGES:
        way, header = direction(name)
        least = codec.width_bytes(tuple(f for f in fields if f[1] != "t"))
        most = codec.width_bytes(fields)
        if most > least:
            least += 1  # the length of an empty text
        sizes = [
            str(n) if most == least else f"{n - most + least} to {n}"
            for n in (most, header + most + seal.TAG_BYTES)
        ]
        spare = sum(f[2] for f in fields if f[1] == "x")
        row = [str(number), f"[{name}](#{name.lower()})", way, *sizes, str(spare)]
        lines.append("| " + " | ".join(row) + " |")
    return lines


def _message(
    number: int,
    name: str,
    fields: tuple[Field, ...],
    said: dict[str, str],
    about: dict[str, dict[str, str]],
) -> list[str]:
    lines = ["", f"### {name}", "", f"Type {number}. {said[name]}", ""]
    lines += [
        "| bit | bits | field | what | unit | range | step | unknown | kind | since |",
        "|---:|---:|---|---|---|---|---|---|---|---:|",
    ]
    bit = 0
    for field in fields:
        if field[1] == "t":
            lines.append(
                f"| {bit} | 8 | | length of `{field[0]}` in bytes | | | | | | {field[7]} |"
            )
            bit += 8
        width = f"≤ {field[2]}" if field[1] == "t" else str(field[2])
        row = [
            str(bit),
            width,
            f"`{field[0]}`",
            about[name][field[0]],
            field[6],
            _range(field),
            _resolution(field),
            _unknown(field),
            KINDS[field[1]],
            str(field[7]),
        ]
        lines.append("| " + " | ".join(row) + " |")
        bit += field[2]
    if name == "Hour":
        lines += ["", *_bins()]
    return lines


def _bins() -> list[str]:
    levels = hour.FIRST_SPEED_PART * hour.BINS_A_PART
    speeds = (hour.PARTS - hour.FIRST_SPEED_PART) * hour.BINS_A_PART
    return [
        f"Parts 0 to {hour.FIRST_SPEED_PART - 1}: {levels} bins of 1 dB from "
        f"{hour.LEVEL_LOW_DB} dB, of the A-weighted level (F) sampled every 125 ms; the first "
        "holds what is lower too, the last what is higher.",
        f"Parts {hour.FIRST_SPEED_PART} to {hour.PARTS - 1}: {speeds} bins of "
        f"{hour.SPEED_STEP_KMH} km/h from 0; the last holds what is faster. Bin b of part p is "
        f"bin p × {hour.BINS_A_PART} + b, speeds counted from part {hour.FIRST_SPEED_PART} on.",
    ]


def _bench() -> list[str]:
    text = BENCH.format(
        revision=bench.REVISION,
        bench=schema.BENCH,
        head=bench.head(1, 1)[0],
        ask_max=bench.ASK_MAX,
    )
    rows = []
    for number, name, fields in bench.MESSAGES:
        most = bench.HEAD_BYTES + codec.width_bytes(fields)
        least = most - (fields[-1][2] // 8 if fields[-1][1] == "t" else 0)
        size = str(most) if most == least else f"{least} to {most}"
        way = "host" if number < bench.INSTRUMENT else "instrument"
        rows.append(f"| {number} | [{name}](#{name.lower()}) | {way} | {size} |")
    lines = [text + "\n".join(rows)]
    for number, name, fields in bench.MESSAGES:
        lines += _message(number, name, fields, bench_words.MESSAGES, bench_words.FIELDS)
    lines += ["", "### Codes of the bench", "", "| field | | codes |", "|---|---|---|"]
    for key, listed in {**bench.CODES, **bench.FLAGS}.items():
        numbered = ", ".join(f"{n} {one}" for n, one in enumerate(listed))
        lines.append(f"| `{key}` | {bench_words.CODES[key]} | {numbered} |")
    return lines


def _codes() -> list[str]:
    lines = ["", "## Codes", "", "Numbered from 0, in this order; flags by bit, lowest first."]
    lines += ["", "| field | | codes |", "|---|---|---|"]
    lists = {**names.CODES, **names.FLAGS, "sensor_state": names.SENSOR_STATES}
    for key, listed in lists.items():
        numbered = ", ".join(f"{n} {text}" for n, text in enumerate(listed))
        shown = "`state_…`" if key == "sensor_state" else f"`{key}`"
        lines.append(f"| {shown} | {words.CODES[key]} | {numbered} |")
    lines += ["", "| event | its argument |", "|---|---|"]
    lines += [f"| {event} | {words.EVENT_ARGUMENTS[event]} |" for event in names.EVENTS]
    refused = ", ".join(f"{n} {text}" for n, text in enumerate(names.REFUSED))
    return [*lines, "", f"Why frames are refused: {refused}."]


def missing_words() -> list[str]:
    """Return what has no description, and descriptions of what is gone."""
    wrong = []
    fields = {m: {f[0] for f in fs} for _, m, fs in names.ALL_MESSAGES}
    pairs: list[tuple[str, set[str], set[str]]] = [
        ("message ", set(fields), set(words.MESSAGES)),
        ("message ", set(fields), set(words.FIELDS)),
        ("list ", {*names.CODES, *names.FLAGS, "sensor_state"}, set(words.CODES)),
        ("event ", set(names.EVENTS), set(words.EVENT_ARGUMENTS)),
    ]
    pairs += [(f"field {m}.", fields[m], set(words.FIELDS.get(m, ()))) for m in fields]
    fields = {m: {f[0] for f in fs} for _, m, fs in bench.MESSAGES}
    pairs += [
        ("message ", set(fields), set(bench_words.MESSAGES)),
        ("message ", set(fields), set(bench_words.FIELDS)),
        ("bench list ", {*bench.CODES, *bench.FLAGS}, set(bench_words.CODES)),
    ]
    pairs += [(f"field {m}.", fields[m], set(bench_words.FIELDS.get(m, ()))) for m in fields]
    for what, have, described in pairs:
        wrong += [f"{what}{name}: no description" for name in sorted(have - described)]
        wrong += [f"{what}{name}: described but gone" for name in sorted(described - have)]
    return wrong


def page() -> str:
    """Return the page's text."""
    kept = {
        "Config": schema.CONFIG,
        "Image": schema.IMAGE,
        "Group": schema.GROUP,
        "Bench": schema.BENCH,
    }
    sound = ("laeq", "lafmax", "la10", "la50", "la90", "lceq", "sound_valid")
    rules = RULES.format(
        never=f'kind "{KINDS["c"]}"',
        minifloat="1/32",
        epoch=schema.EPOCH_2020,
        revision=schema.REVISION,
        version=schema.WIRE_VERSION,
        kept=", ".join(map(str, kept.values())),
        kept_names=", ".join(kept),
        frame_max=seal.FRAME_MAX,
        sound=sum(f[2] for f in schema.REPORT_FIELDS if f[0] in sound),
    )
    lines = [HEAD, rules + "\n".join(_sizes())]
    for number, name, fields in names.ALL_MESSAGES:
        lines += _message(number, name, fields, words.MESSAGES, words.FIELDS)
    lines += _codes()
    report = seal.UP_HEADER + codec.width_bytes(schema.REPORT_FIELDS) + seal.TAG_BYTES
    lines += [
        "",
        SEAL.format(
            tag=seal.TAG_BYTES,
            up=seal.UP_HEADER,
            hello=seal.HELLO_HEADER,
            down=seal.DOWN_HEADER,
            key=seal.KEY_BYTES,
            counter_max=_number(seal.COUNTER_MAX),
            line=len(stream.wrap(bytes(report))),
        ),
        *_bench(),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def run(path: Path, *, write: bool) -> list[str]:
    """Check the page, or write it; return what is wrong."""
    wrong = missing_words()
    if wrong:
        return wrong
    return keep(path, page(), write=write)


def main() -> int:
    """Check or write; return the exit code."""
    return command("The reference of the protocol.", lambda write: run(PAGE, write=write))


if __name__ == "__main__":
    sys.exit(main())

"""Propose golden vectors: `python -m tools.propose_vectors Report` prints a file for review.

Vectors are frozen: a reviewed proposal is added to `protocol/vectors/` by hand, and no test or
check writes there. The bits are put together here as text, and the seals by `cryptography` and
the standard library, so that a proposal does not come from the code that it will test.
"""

import argparse
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_protocol.bench import MESSAGES as BENCH_MESSAGES
from lampione_protocol.names import ALL_MESSAGES

from tools.reference_codec import Value, bits_of, encode

TYPICAL: dict[str, dict[str, Value]] = {
    "Hello": {
        "epoch": bytes.fromhex("a1b2c3d4"),
        "boot": 7,
        "first_seq": 258,
        "oldest_held": 12,
        "last_counter": 41,
        "challenge": bytes.fromhex("0badcafe"),
        "answer": bytes(4),
        "firmware": 0x0040,
        "protocol": 1,
        "hardware": 1,
        "profile": 0b000011000,
        "reset_cause": 0,
        "config_version": 3,
        "clock": 0,
        "config_state": 1,
    },
    "Config": {"version": 3, "offset": 50, "data": b"streetlight"},
    "Setup": {
        "op": 11,
        "version": 3,
        "size": 412,
        "digest": bytes.fromhex("0123456789abcdef"),
        "expires": 205_070_460,
        "challenge": bytes(4),
        "trial": 600,
    },
    "Group": {"time": 205_070_400, "level": 80, "hold": 60},
    "Report": {
        "start": 205_070_400,
        "duration_s": 60,
        "clock": 3,
        "pm1": 15,
        "pm2_5": 25,
        "pm10": 43,
        "no2": 21,
        "o3": 34,
        "temperature": 187,
        "humidity": 58,
        "laeq": 624,
        "lafmax": 781,
        "la10": 330,
        "la50": 299,
        "la90": 271,
        "lceq": 356,
        "sound_valid": 25,
        "vehicles_toward": 9,
        "vehicles_away": 6,
        "speed_mean": 38,
        "speed_max": 57,
        "presence": 12,
        "ambient_light": 62,
        "lamp_level": 70,
        "lamp_reason": 1,
        "lamp_power": 86,
        "valid": 0b011111111,
        "faults": 0,
    },
    "Health": {
        "time": 205_071_300,
        "clock": 3,
        "correction_set": 2,
        "energy": 31415,
        "burn_hours": 8123,
        "voltage": 463,
        "board_temperature": 34,
        "rssi": -67,
        "tilt": 3,
        "free_heap": 61,
        "uptime": 20160,
        "outbox_depth": 2,
        "outbox_drops": 0,
        "task_restarts": 1,
        "refused_frames": 0,
        "state_particulates": 0,
        "state_no2": 1,
        "state_o3": 1,
        "state_climate": 0,
        "state_sound": 0,
        "state_radar": 6,
        "state_light": 0,
        "state_energy": 0,
        "state_tilt": 2,
        "idle": 83,
    },
    "Raw": {
        "start": 205_070_400,
        "duration_s": 3600,
        "clock": 3,
        "pm1": 22,
        "pm2_5": 38,
        "pm10": 61,
        "no2_working": 2431,
        "no2_auxiliary": 2390,
        "o3_working": 2788,
        "o3_auxiliary": 2901,
        "temperature": 187,
        "humidity": 58,
    },
    "Hour": {
        "start": 205_070_400,
        "part": 8,
        "vehicles_toward": 412,
        "vehicles_away": 387,
        "v85": 49,
        "v85_too_few": 0,
        **{f"bin_{n}": v for n, v in enumerate((1, 4, 9, 22, 61, 140, 239, 187, 98, 29, 7, 2))},
        "occupancy": 11,
        "clock": 3,
    },
    "Event": {"time": 205_070_412, "clock": 3, "code": 1, "severity": 0, "argument": -1500},
    "Command": {
        "op": 1,
        "expires": 205_070_520,
        "challenge": bytes(4),
        "ask": bytes(4),
        "level": 40,
        "ramp": 50,
        "for_s": 600,
        "time": None,
        "time_ms": None,
        "first_seq": None,
        "last_seq": None,
    },
    "Result": {
        "time": 205_070_413,
        "clock": 3,
        "counter": 42,
        "op": 1,
        "outcome": 1,
        "reason": 0,
        "level": 40,
        "value": None,
    },
    "Watermark": {"seq": 258},
    "Log": {"time": 205_070_414, "clock": 3, "level": 2, "text": "SHT45 silent, 21 °C".encode()},
}

TYPICAL_BENCH: dict[str, dict[str, Value]] = {
    "Identify": {"revision": 1},
    "Uart": {"line": 1, "baud": 9600},
    "Play": {"line": 1, "first": 0, "every": 1000, "times": 0, "data": b"V+043.2\r\n"},
    "Answer": {"line": 0, "after": 20, "asked": 3, "data": b"OJ\r{}\r\n"},
    "Read": {"source": 0, "line": 1},
    "Target": {"address": 0x44, "register_bits": 0},
    "Registers": {"offset": 15, "data": bytes([0x33])},
    "Script": {"after": 8, "asked": 1, "data": bytes.fromhex("fd6666938000a2")},
    "Tone": {"frequency": 100_000, "level": 940},
    "Doppler": {"frequency": 223_000, "amplitude": 250},
    "Measure": {"quantity": 0, "channel": 0, "window": 100},
    "Drive": {"channel": 2, "drive": 1},
    "Press": {"hold": 200, "boot": 0},
    "Dali": {"frame": 0xFE80, "bits": 16, "answer": 0},
    "Trigger": {"channel": 2, "edge": 0, "count": 1, "within": 1000},
    "Stop": {"capability": None},
    "Check": {"capability": 4},
    "Instrument": {
        "revision": 1,
        "firmware": 0x0040,
        "hardware": 2,
        "capabilities": 0b1_1111_1111_1101,
        "lacking": 0b10,
        "serial": bytes.fromhex("7cdfa1b2c3d4"),
        "calibrated_pwm": 2312,
        "calibrated_voltage": 2312,
        "calibrated_current": None,
        "calibrated_tone": 2313,
        "calibrated_doppler": None,
    },
    "Done": {"at": 123_456, "at_us": 789},
    "Refused": {"reason": 3, "text": b"no pin for current in /instrument.json"},
    "Heard": {
        "at": 123_456,
        "at_us": 0,
        "source": 0,
        "line": 1,
        "more": 0,
        "lost": 0,
        "data": b"OJ\r",
    },
    "Measured": {
        "at": 123_456,
        "at_us": 12,
        "quantity": 0,
        "channel": 0,
        "count": 64,
        "frequency": 100_000,
        "duty": 50_120,
        "voltage": None,
        "current": None,
        "level": None,
    },
    "Stamp": {"at": 123_456, "at_us": 999, "channel": 2, "count": 1},
    "Seen": {"at": 123_456, "at_us": 1, "frame": 0xFE80, "bits": 16, "garbled": 0, "more": 1},
    "Checked": {"capability": 4, "verdict": 0, "played": 25_000, "measured": 25_010},
}

KEY = bytes(range(32))
NODE = "porta-romana-1"
EPOCH = bytes.fromhex("a1b2c3d4")
SESSION = bytes.fromhex("5e551011")
RANDOM = bytes.fromhex("00112233445566778899"[2:])
BOOT = 7
SEQ = 258
COUNTER = 42


def _show(value: Value) -> str:
    if value is None:
        return "-"
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _case(name: str, case: str) -> list[Value]:
    fields = next(f for _, known, f in (*ALL_MESSAGES, *BENCH_MESSAGES) if known == name)
    values: list[Value] = []
    for field_name, kind, bits, low, high, *_ in fields:
        if kind == "x":
            value: Value = None
        elif case == "typical":
            value = {**TYPICAL, **TYPICAL_BENCH}[name][field_name]
        elif kind == "y":
            value = (b"\xff" if case == "high" else b"\0") * (bits // 8)
        elif kind == "t":
            value = b"t" * (bits // 8) if case == "high" else b""
        elif case == "unknown":
            value = low if kind == "c" else None
        else:
            value = high if case == "high" else low
        values.append(value)
    return values


def messages(name: str) -> list[str]:
    """Return the lines of a message's file."""
    every = (*ALL_MESSAGES, *BENCH_MESSAGES)
    number, fields = next((n, f) for n, known, f in every if known == name)
    lines = [
        f"# {name}, type {number}. Values in steps; - is unknown; behind # the bits on the wire."
    ]
    for case in ("unknown", "low", "high", "typical"):
        values = _case(name, case)
        lines += ["", f"message {name}", f"name {case}"]
        for field, value in zip(fields, values, strict=True):
            if field[1] == "x":
                lines.append(f"# {field[0]}  {bits_of(field, value)}")
            elif field[1] in "yt":
                lines.append(f"{field[0]} {_show(value)}")
            else:
                lines.append(f"{field[0]} {_show(value)}  # {bits_of(field, value)}")
        lines.append(f"wire {encode(fields, values).hex()}")
    return lines


def _key(label: bytes) -> bytes:
    return hmac.digest(KEY, label, hashlib.sha256)[:16]


def sealed() -> list[str]:
    """Return the lines of the file of sealed frames."""
    common = [f"key {KEY.hex()}", f"node {NODE}"]
    lines = ["# Frames, sealed. `key` is K_node; `text` the message inside, of the other files."]
    for number, name, fields in ALL_MESSAGES:
        text = encode(fields, _case(name, "typical"))
        first = bytes([1 << 5 | number])
        if name == "Hello":
            header = first + RANDOM
            key = _key(b"lampione hello")
            lines += ["", "hello sealed", f"name {name}", *common, f"random {RANDOM.hex()}"]
        elif name == "Group":
            continue  # sealed as up frames are, under another key
        elif name in ("Command", "Watermark", "Config", "Setup"):
            header = first + EPOCH + SESSION + COUNTER.to_bytes(4, "big")
            key = _key(b"lampione down" + EPOCH)
            lines += ["", f"down {name}", f"name {name}", *common, f"epoch {EPOCH.hex()}"]
            lines += [f"session {SESSION.hex()}", f"counter {COUNTER}"]
        else:
            header = first + EPOCH + BOOT.to_bytes(2, "big") + SEQ.to_bytes(3, "big")
            key = _key(b"lampione up" + EPOCH)
            lines += ["", f"up {name}", f"name {name}", *common, f"epoch {EPOCH.hex()}"]
            lines += [f"boot {BOOT}", f"seq {SEQ}"]
        nonce = header + bytes(13 - len(header))
        body = AESCCM(key, tag_length=8).encrypt(nonce, text, header + NODE.encode())
        lines += [f"text {text.hex()}", f"wire {(header + body).hex()}"]
    return lines


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description="Propose golden vectors, for review.")
    parser.add_argument("what", choices=[*TYPICAL, *TYPICAL_BENCH, "sealed"])
    what: str = parser.parse_args().what
    print("\n".join(sealed() if what == "sealed" else messages(what)))


if __name__ == "__main__":
    main()

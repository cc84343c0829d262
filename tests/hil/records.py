"""Records of runs for tests: whole ones, made of little."""

from typing import Any

DIGEST = "d" * 16


def measured(name: str, value: float | None, low: float | None = None, high: float | None = None,
             unit: str = "V") -> dict[str, Any]:  # fmt: skip
    """Return a measurement as a record keeps it."""
    ok = value is not None and (low is None or value >= low) and (high is None or value <= high)
    return {"name": name, "value": value, "low": low, "high": high, "unit": unit, "ok": ok,
            "at_s": 1.0}  # fmt: skip


def ran(test: str, *outcomes: str, flaky: str = "", measurements: Any = ()) -> dict[str, Any]:
    """Return a test as a record keeps it; `measurements`: a list for each of its runs."""
    each = list(measurements) or [[] for _ in outcomes]
    runs = [
        {"turn": turn + 1, "outcome": outcome, "why": "" if outcome == "pass" else f"{outcome}!",
         "details": "", "seconds": 1.5, "boards": [["left", "a0b1", "virtual"]],
         "clock": "virtual", "board_s": 3.0, "measurements": each[turn]}
        for turn, outcome in enumerate(outcomes)
    ]  # fmt: skip
    return {"test": f"test_it.py::{test}", "needs": ["pwm"], "flaky": flaky, "runs": runs}


def record(*tests: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a record without verdict: complete, sound, everything asked for."""
    return {
        "format": "lampione-hil-record",
        "version": 1,
        "made": "2026-05-04T10:11:12+00:00",
        "seconds": 12.5,
        "rig": {
            "name": "bench-1",
            "digest": DIGEST,
            "boards": [{"name": "left", "kind": "virtual", "serial_number": None}],
            "instruments": [],
        },
        "firmware": {"id": "f" * 16, "revision": "0123456789ab"},
        "versions": {"lampione": "0.1.0", "micropython": "MicroPython v1.28", "python": "3.11.7",
                     "system": "Linux x86_64"},
        "asked": {"suites": ["all"], "part": False, "keyword": "", "smoke": False, "count": 1,
                  "left_out": []},
        "complete": True,
        "ended": "",
        "broken": [],
        "tests": list(tests),
        "did_not_run": [],
        "doctor": {"digest": DIGEST, "at": "2026-05-01T09:00:00+00:00", "checks": []},
        "signed_by": None,
        **changes,
    }  # fmt: skip

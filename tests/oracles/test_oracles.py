"""Makers' own packages against our models of their parts.

They cannot be in one environment, so each set has a folder in .venv/oracles, which `make setup`
fills, and runs in a process of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORACLES = ROOT / ".venv" / "oracles"


@pytest.mark.parametrize(
    ("folder", "script"),
    [("sps30", "sps30_i2c"), ("sps30", "sps30_uart"), ("sht4x", "sht4x_i2c")],
)
def test_the_makers_package_reads_our_model(folder: str, script: str) -> None:
    if not ORACLES.exists():
        pytest.skip("no .venv/oracles: make setup")
    packages = ORACLES / folder
    assert packages.is_dir(), f"{packages} is missing: make setup"
    done = subprocess.run(
        [sys.executable, "-m", f"tests.oracles.{script}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["good"]

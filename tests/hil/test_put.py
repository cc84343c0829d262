"""A file is written whole or not at all, and leaves nothing beside it."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.put import put

ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from lampione_hil.put import put
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
put(Path(sys.argv[1]), bytes(5000))
"""


@given(st.binary(max_size=3000), st.booleans())
def test_whole(content: bytes, again: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a"
        if again:
            path.write_bytes(b"before")
        put(path, content)
        assert path.read_bytes() == content
        assert [p.name for p in Path(name).iterdir()] == ["a"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "a", tmp_path / "none" / "a", tmp_path / ("a" * 255)):
        with pytest.raises(OSError, match=re.escape(f"'{path}'")):
            put(path, b"now")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_file_as_it_was_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert f"File too large: '{path}'" in done.stderr
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]

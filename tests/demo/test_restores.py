"""A flash wiped or put back from an image, a database put back from a backup.

No nonce is used for two texts, nothing new is taken for a duplicate, and commands are obeyed.
"""

import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest
from lampione.core.client import Client
from lampione_protocol import schema, topics

from tests.demo.district import District, wait_for
from tests.demo.flash_image import Identity, committed
from tests.demo.listener import Heard, listening

LAMP_PIN = 10  # of the profiles in seeds/milan.toml
WHERE = "n.name || '/' || f.seq"


class Story:
    """A district whose every frame is heard."""

    def __init__(self, district: District, heard: Heard) -> None:
        self.district = district
        self.heard = heard

    def core(self) -> Client:
        """Connect to the controller."""
        return Client.open(self.district.state)

    def wait_reports(self, node: str, more: int = 3) -> None:
        """Wait for so many new reports of a node in its newest boot."""
        with self.core() as core:

            def highest() -> int:
                row = core.call("show", node=node)
                return (row["watermark"] or 0) if row["missing"] == 0 else 0

            before = core.call("show", node=node)["report_at"] or 0.0
            seen: set[float] = set()

            def enough() -> bool:
                at = core.call("show", node=node)["report_at"] or 0.0
                if at > before:
                    seen.add(at)
                return len(seen) >= more and highest() > 0

            wait_for(enough, f"no new reports of {node}")

    def obeys(self, node: str, level: int) -> None:
        """A command reaches the lamp."""
        order = {"op": "level", "level": level, "ramp_s": 0, "for_s": 600}
        with self.core() as core:
            states = list(core.stream("send", node=node, command=order, expires_s=60))
        assert states[-1]["state"] == "done", states
        duty = level * 65535 // 100
        self.district.boards[node].wait_pwm(LAMP_PIN, duty - 700, duty + 700, 10)

    def flash(self, node: str) -> dict[Identity, bytes]:
        """Switch off, read what the flash holds. The power stays off."""
        board = self.district.boards[node]
        board.power_off()
        return committed(board.flash, node, self.district.keys[node])

    def wait_stored(self, frames: dict[Identity, bytes]) -> None:
        """Wait until the database holds all of them, unaltered."""

        def there() -> bool:
            stored = self.district.stored()
            return all(stored.get(identity) == text for identity, text in frames.items())

        wait_for(there, "not every frame of the flashes is in the database")


@pytest.mark.timeout(300)
def test_whatever_is_wiped_or_restored_no_nonce_repeats_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    with ExitStack() as ends:
        district = District(tmp_path, ends)
        heard = ends.enter_context(listening(district.port))
        story = Story(district, heard)
        wiped, imaged, _kept = names = district.names[:3]
        for name in names:
            district.boards[name].power_on()
        for name in names:
            story.wait_reports(name)
            story.obeys(name, 40)

        # The image and the backup are taken here; more happens after.
        created = story.flash(imaged)
        image = tmp_path / "image"
        district.boards[imaged].snapshot(image)
        district.boards[imaged].power_on()
        district.end_core()
        backup = tmp_path / "backup.db"
        _copy(tmp_path / "lampione.db", backup)
        district.revive()
        for name in names:
            story.wait_reports(name)
            story.obeys(name, 50)
        created |= story.flash(imaged) | story.flash(wiped)

        # A flash from the image: numbers that were used come again, with other contents.
        district.boards[imaged].restore(image)
        district.boards[imaged].power_on()
        # A flash with nothing but the firmware and the key.
        board = district.boards[wiped]
        kept = [path for path in board.list_files() if not path.startswith(("/outbox", "/state"))]
        files = {path: board.read_file(path) for path in kept}
        board.wipe()
        board.write_files(files)
        board.power_on()
        for name in (imaged, wiped):
            story.wait_reports(name)
            story.obeys(name, 60)
        story.wait_stored(created)

        # A database from the backup: it knows neither the last frames nor the last counters.
        district.kill_core()
        for journal in ("lampione.db-wal", "lampione.db-shm"):
            (tmp_path / journal).unlink(missing_ok=True)
        _copy(backup, tmp_path / "lampione.db")
        district.revive()
        for name in names:
            story.wait_reports(name)
            story.obeys(name, 70)

        created = {}
        for name in names:
            created |= story.flash(name)
            district.boards[name].power_on()
        story.wait_stored(created)
        assert heard.count(topics.UP, schema.REPORT) > 30
        assert heard.count(topics.DOWN, schema.COMMAND) >= 11
        assert heard.nonces_with_two_texts() == []


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    before, after = sqlite3.connect(source), sqlite3.connect(target)
    with after:
        before.backup(after)
    before.close()
    after.close()

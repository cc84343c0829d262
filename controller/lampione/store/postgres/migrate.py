"""Numbered SQL files bring a database up to date, all in one transaction."""

from importlib.resources import files

from lampione.store import StoreError
from lampione.store.postgres.connect import Link, shown


def migrations() -> list[tuple[int, str]]:
    """Return (number, SQL) of each, rising from 1 without a hole."""
    found = sorted(
        (int(entry.name.partition("_")[0]), entry.read_text(encoding="utf-8"))
        for entry in files("lampione.store.postgres").joinpath("migrations").iterdir()
        if entry.name.endswith(".sql")
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreError("the program is damaged: its migrations are not numbered from 1")
    return found


def version_of(link: Link) -> int:
    """Return the version of a database, 0: of an empty one."""
    if not link.read("SELECT 1 FROM pg_catalog.pg_class WHERE oid = to_regclass('schema_version')"):
        return 0
    version: int = link.read("SELECT coalesce(max(version), 0) FROM schema_version")[0][0]
    return version


def migrate(link: Link, steps: list[tuple[int, str]] | None = None) -> int:
    """Bring a database to the last of `steps` (default: ours); return its version then.

    Several workers may start at once. Raises StoreError for one that a newer program wrote.
    """
    steps = migrations() if steps is None else steps
    if version_of(link) != len(steps):
        _make(link)
    return link.whole(lambda: _bring(link, steps))


def _make(link: Link) -> None:
    def work() -> None:
        link.write(
            "CREATE TABLE IF NOT EXISTS schema_version "
            "(version integer NOT NULL, at timestamptz NOT NULL DEFAULT now())"
        )

    try:
        link.whole(work)
    except StoreError:
        # Two that make it at once: the later one's is refused, and is there.
        if not link.read("SELECT to_regclass('schema_version')")[0][0]:
            raise
        link.rollback()


def _bring(link: Link, steps: list[tuple[int, str]]) -> int:
    version = version_of(link)
    if version == len(steps):
        return version
    link.write("LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE")
    version = version_of(link)  # another may have been quicker
    if version > len(steps):
        raise StoreError(
            f"{shown(link.url)}: the database is of version {version}, this program knows "
            f"{len(steps)}: install the newer program again"
        )
    for number, sql in steps[version:]:
        link.write(sql)
        link.write("INSERT INTO schema_version (version) VALUES (%s)", (number,))
        version = number
    return version

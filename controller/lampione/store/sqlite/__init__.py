"""The store in one SQLite file."""

from pathlib import Path

from lampione.store.sqlite.fold import SqliteFolder
from lampione.store.sqlite.keep import SqliteKeeper
from lampione.store.sqlite.reader import SqliteReader
from lampione.store.sqlite.writer import SqliteStore


class SqliteEngine:
    """See `store.Engine`."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def url(self) -> str:
        """Return what `open_engine` takes, wherever one stands."""
        return f"sqlite:{self.path.absolute()}"

    def writer(self) -> SqliteStore:
        """Open the writer; make the database, bring it up to date."""
        return SqliteStore(self.path)

    def reader(self) -> SqliteReader:
        """Open a reader."""
        return SqliteReader(self.path)

    def folder(self) -> SqliteFolder:
        """Open what folds."""
        return SqliteFolder(self.path)

    def keeper(self) -> SqliteKeeper:
        """Open what looks after it."""
        return SqliteKeeper(self.path)

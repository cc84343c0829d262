"""The store in a PostgreSQL database: typed rows, a partition a day."""

from lampione.store.postgres.connect import check_url
from lampione.store.postgres.fold import PostgresFolder
from lampione.store.postgres.keep import PostgresKeeper
from lampione.store.postgres.reader import PostgresReader
from lampione.store.postgres.writer import PostgresStore


class PostgresEngine:
    """See `store.Engine`."""

    def __init__(self, url: str):
        self._url = check_url(url)

    @property
    def url(self) -> str:
        """Return what `open_engine` takes; there is no password in it."""
        return self._url

    def writer(self) -> PostgresStore:
        """Open the writer; bring the database up to date."""
        return PostgresStore(self._url)

    def reader(self) -> PostgresReader:
        """Open a reader."""
        return PostgresReader(self._url)

    def folder(self) -> PostgresFolder:
        """Open what folds."""
        return PostgresFolder(self._url)

    def keeper(self) -> PostgresKeeper:
        """Open what looks after it."""
        return PostgresKeeper(self._url)

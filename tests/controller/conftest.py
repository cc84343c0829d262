"""What several suites of the controller share."""

from tests.controller.store.postgres_server import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]

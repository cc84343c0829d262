"""OGC SensorThings 1.1, to be read: nodes are Things, the fields of their reports Datastreams."""


class QueryError(Exception):
    """A request that cannot be answered. status: of HTTP."""

    def __init__(self, message: str, status: int = 400):
        super().__init__(message)
        self.status = status

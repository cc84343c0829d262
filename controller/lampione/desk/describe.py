"""Everything that is known of a node, as headings with names and values."""

from collections.abc import Iterator

from lampione.desk import present
from lampione.desk.event_words import told
from lampione.desk.text import age

Facts = list[tuple[str, str]]


def describe(detail: present.Row, now: float) -> Iterator[tuple[str, Facts]]:
    """Yield headings with names and values of everything that is known of a node."""
    for message in ("report", "health", "hello"):
        received = detail[f"{message}_at"]
        aged = "never" if received is None else f"{age(now - received)} ago"
        values = detail[message]
        fields = present.FIELDS[message]
        facts = [(name, present.with_unit(message, name, values.get(name))) for name in fields]
        yield f"{message}, {aged}", facts
    yield (
        "transport",
        [
            (name, present.UNKNOWN if detail[name] is None else str(detail[name]))
            for name in (
                "epoch",
                "boot",
                "watermark",
                "highest",
                "missing",
                "lost",
                "refused",
                "duplicates",
                "stored",
            )
        ],
    )
    lines = [
        (
            f"{age(now - event['received'])} ago",
            told(event) if event["severity"] == "info" else f"{event['severity']}: {told(event)}",
        )
        for event in detail.get("events", ())[:10]
    ]
    if lines:
        yield "events", lines

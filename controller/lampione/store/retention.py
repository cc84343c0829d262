"""How long which data is kept: the classes, and what they come with."""

from collections.abc import Mapping

from lampione_protocol import schema

from lampione.store.blocks import FINE_KEPT_S

# What is numerous, by the type of its messages.
SERIES_CLASSES = {
    "reports": schema.REPORT,
    "health": schema.HEALTH,
    "hours": schema.HOUR,
    "raw": schema.RAW,
}
ROLLUP_CLASSES = {"rollups-5min": 300, "rollups-hour": 3600, "rollups-day": 86400}
CLASSES = (*SERIES_CLASSES, "events", "others", *ROLLUP_CLASSES, "commands", "alarms")

Policy = Mapping[str, float | None]
"""Seconds by class, None: for ever."""

# Finer roll-ups can be made again from the reports.
DEFAULT: Policy = {**dict.fromkeys(CLASSES), "rollups-5min": float(FINE_KEPT_S)}

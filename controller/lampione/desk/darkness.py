"""Is a lamp that was locked off really dark? As its node says it, never as it was wished."""

from lampione.desk.present import Row, is_stale


def darkness(row: Row | None, now: float) -> tuple[str, str]:
    """Return (tone, word) of a locked lamp."""
    if row is None or row["state"] != "online" or is_stale(row, now):
        return "bad", "not known"
    report = row["report"]
    if report.get("lamp_reason") == "maintenance" and report.get("lamp_level") == 0:
        return "good", "dark"
    return "bad", "not yet dark"

"""How a program's parts are said: steps, rules, dates."""

from collections.abc import Iterable

from lampione_light import civil
from lampione_light.program import CLOCK, SUNSET

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def clock(minutes: int) -> str:
    """Write a time of day."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def length(seconds: float) -> str:
    """Write a length of time: `40 s`, `5 min`, `1 h 30 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def moment(anchor: int, minutes: int) -> str:
    """Write when a step comes, as people do: `23:00`, `sunset`, `sunrise-1h30m`."""
    if anchor == CLOCK:
        return clock(minutes)
    event = "sunset" if anchor == SUNSET else "sunrise"
    hours, rest = divmod(abs(minutes), 60)
    offset = (f"{hours}h" if hours else "") + (f"{rest}m" if rest else "")
    return event + (("-" if minutes < 0 else "+") + offset if offset else "")


def weekdays(mask: int) -> str:
    """Write a rule's weekdays: `Mon-Thu Sun`, `every day`, `no day`."""
    if mask & 127 == 127:
        return "every day"
    found: list[list[int]] = []
    for day in range(7):
        if mask >> day & 1:
            if found and found[-1][-1] == day - 1:
                found[-1].append(day)
            else:
                found.append([day])
    return " ".join(_run(DAYS[run[0]], DAYS[run[-1]]) for run in found) or "no day"


def _run(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"


def month_day(month: int, of_month: int) -> str:
    """Write a date without its year; what is no month is a number."""
    return f"{of_month} {MONTHS[month - 1] if 1 <= month <= 12 else month}"


def date(day: int) -> str:
    """Write a lighting day's date."""
    _, month, of_month = civil.date_of(day)
    return month_day(month, of_month)


def runs(days: Iterable[int]) -> list[tuple[int, int]]:
    """Return (first, last) of the days that follow each other."""
    found: list[tuple[int, int]] = []
    for day in sorted(days):
        if found and found[-1][1] == day - 1:
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found


def nights(days: Iterable[int], most: int = 3) -> str:
    """Write which nights: `12 Jun-8 Jul (27)`; of many runs the first and the last."""
    found = runs(days)
    count = sum(last - first + 1 for first, last in found)
    texts = [date(a) if a == b else f"{date(a)}-{date(b)}" for a, b in found]
    if len(texts) > most:
        return f"{date(found[0][0])} to {date(found[-1][1])} ({count} of them)"
    text = ", ".join(texts)
    return f"{text} ({count})" if count > 1 else text

"""Questions about the light, answered on both Pythons: as a script on MicroPython, a line each."""

import json
import sys

from lampione_light import civil, sun
from lampione_light.layout import ConfigError
from lampione_light.level import Sensed, level_at
from lampione_light.program import Program
from lampione_light.traffic import Reduction
from lampione_light.twilight import Twilight


def _level(given: list) -> list:
    blob, node, asked = given
    program = Program(bytes.fromhex(blob), node.encode())
    found = []
    for now, senses, orders in asked:
        sensed = Sensed()
        sensed.dark, sensed.reduction, sensed.fault, sensed.burn_h, sensed.celsius = senses
        found.append(list(level_at(program, now, sensed, orders)))
    return found


def _sun(given: list) -> list:
    found: list = []
    for day, latitude, longitude in given:
        found.append(sun.noon(day, longitude))
        found += [list(sun.event(day, latitude, longitude, rises)) for rises in (False, True)]
    return found


def _civil(given: list) -> list:
    found = []
    for now, offset_min, summer_time in given:
        day = now // civil.DAY_S
        year, month, of_month = civil.date_of(day)
        found.append([year, month, of_month, civil.day_of(year, month, of_month)])
        found[-1] += [civil.weekday(day), civil.offset_s(now, offset_min, summer_time)]
        found[-1].append(civil.to_utc(day, now // 60 % 1440, offset_min, summer_time))
    return found


def _traffic(given: list) -> list:
    service, minutes = given
    reduction = Reduction(service)
    found = []
    for toward, away in minutes:
        reduction.minute(toward, away)
        found.append(reduction.classes)
    return found


def _twilight(given: list) -> list:
    dark_lx, bright_lx, readings = given
    twilight = Twilight(dark_lx, bright_lx)
    found = []
    for lux, seconds in readings:
        twilight.step(lux, seconds)
        found.append(twilight.dark)
    return found


ASKED = {
    "level": _level,
    "sun": _sun,
    "civil": _civil,
    "traffic": _traffic,
    "twilight": _twilight,
}


def answer_of(what: str, given: list) -> list:
    """Answer a question that is not written as JSON."""
    return ASKED[what](given)


def answer(question: str) -> str:
    """Answer one line, JSON: [what, given]."""
    what, given = json.loads(question)
    try:
        return json.dumps(answer_of(what, given))
    except ConfigError as error:
        return "ConfigError %s" % (error.args,)


def main() -> None:
    """Answer questions until stdin ends."""
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        print(answer(line))


if __name__ == "__main__":
    main()

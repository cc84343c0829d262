"""Alarm truth: of a night whose faults are known every one is raised once, and no other."""

from pathlib import Path

import pytest

from tests.controller.alarms.night import MINUTE, T0, Night, Script, Truth

HOUR = 3600


def at(minute: int) -> int:
    return T0 + minute * MINUTE


def script(night: Night) -> Truth:
    """Have things happen; return what the alarms are to be, but for silence's exact seconds."""
    draw = night.random
    last = night.minutes
    truth: Truth = {}
    free = [name for name in night.names if not name.startswith("n-0-")]
    draw.shuffle(free)

    def take() -> tuple[str, Script]:
        name = free.pop()
        return name, night.scripts[name]

    def span(low: int, high: int) -> tuple[int, int]:
        long = draw.randrange(low, high)
        begin = draw.randrange(5, last - 30 - long)
        return begin, begin + long

    # A feeder fails and comes back; its nodes are no alarms of their own.
    dark = span(20, 40)
    for name in night.names:
        if name.startswith("n-0-"):
            night.scripts[name].dark.append(dark)
    truth["feeder f0", "silent"] = [(dark[0], dark[1])]
    # One alone.
    name, mine = take()
    mine.dark.append(span(15, 30))
    truth[name, "silent"] = [*mine.dark]
    # Too short to be silent.
    _, mine = take()
    begin = draw.randrange(5, last - 20)
    mine.dark.append((begin, begin + 2))
    # A lamp fails, of a node that is heard, twice; of one whose reports come hours late.
    name, mine = take()
    mine.lamp += [(10, 20), (40, 55)]
    mine.reboot.append(15)
    truth[name, "lamp-failure"] = [(at(10), at(20)), (at(40), at(55))]
    name, mine = take()
    cut = (20, last - 25)
    mine.cut.append(cut)
    lamp = (draw.randrange(25, 35), draw.randrange(40, last - 30))
    mine.lamp.append(lamp)
    mine.impact.append(30)
    truth[name, "silent"] = [cut]
    truth[name, "lamp-failure"] = [(at(lamp[0]), at(lamp[1]))]
    truth[name, "impact"] = [(at(30), at(30))]
    # It is loud: for long enough, for too short a time, and late.
    name, mine = take()
    begin = draw.randrange(1, last // 60) * 60 + draw.randrange(0, 40)
    long = (begin, begin + draw.randrange(6, 12))  # in one hour, or that would be noisy
    mine.loud.append(long)
    truth[name, "loud"] = [(at(long[0]), at(long[1]))]
    _, mine = take()
    mine.loud += [(20, 22), (24, 27), (30, 31)]
    name, mine = take()
    cut = (15, 60)
    mine.cut.append(cut)
    mine.loud += [(20, 30), (45, 50)]
    truth[name, "silent"] = [cut]
    truth[name, "loud"] = [(at(20), at(30)), (at(45), at(50))]
    # The air is bad for two whole hours, as it was heard and late.
    name, mine = take()
    mine.air.append((60, 180))
    truth[name, "air"] = [(at(60), at(180) if last > 255 else None)]
    name, mine = take()
    mine.air.append((0, 120))
    mine.cut.append((90, 150))
    truth[name, "silent"] = [(90, 150)]
    truth[name, "air"] = [(at(0), at(120))]
    # The night is noisy for two hours.
    name, mine = take()
    mine.noise.append((60, 180))
    truth[name, "noise"] = [(at(60), at(180) if last > 255 else None)]
    # A sensor is silent: of healths, every five minutes.
    name, mine = take()
    mine.sensor.append((50, 75))
    truth[name, "sensor-radar"] = [(at(50), at(75))]
    # A node is forged, one alarm; a config is taken back.
    name, mine = take()
    mine.forged += [70, 71, 73, 76]
    truth[name, "forged"] = [(70, 76)]
    name, mine = take()
    mine.reverted.append(80)
    truth[name, "config"] = [(at(80), None)]
    # Clocks: an hour ahead, which cannot be right; half an hour back; set again.
    _, mine = take()
    mine.step |= {30: HOUR, 70: 0}
    _, mine = take()
    mine.step |= {40: -1800, 90: 0}
    # Reboots, nothing else.
    _, mine = take()
    mine.reboot += [30, 31, 32, 60]
    return truth


def check(night: Night, truth: Truth) -> None:
    found = night.raised()
    missed, false = truth.keys() - found.keys(), found.keys() - truth.keys()
    assert not missed, missed
    assert not false, [(key, found[key]) for key in false]
    alarms = night.alarms()
    assert len(alarms) == len(truth)  # each once, whatever happens to it
    for alarm in alarms:
        assert alarm.count == len(truth[alarm.subject, alarm.rule]), alarm
    for (subject, rule), episodes in truth.items():
        got = found[subject, rule]
        if rule == "silent":  # by arrival: from the last that came to the first that came again
            assert len(got) == len(episodes), (subject, got)
            for (begin, end), (dark, light) in zip(got, episodes, strict=True):
                assert at(dark) <= begin <= at(dark + 2), (subject, begin - T0)
                assert end is not None
                assert light is not None
                assert at(light + 1) <= end <= at(light + 2), (subject, end - T0)
        elif rule == "forged":
            ((first, last),) = got
            assert at(episodes[0][0]) <= first
            assert last is not None
            assert last <= at((episodes[0][1] or 0) + 3)
        elif rule == "config":
            assert [end for _, end in got] == [None]
        else:
            assert got == episodes, (subject, rule)
    (cause,) = [alarm for alarm in alarms if alarm.node is None]
    assert list(cause.members) == [n for n in night.names if n.startswith("n-0-")]


def play(folder: Path, seed: int, feeders: int, each: int, minutes: int) -> None:
    night = Night(folder, seed, feeders, each, minutes)
    truth = script(night)
    night.restarts = [night.random.randrange(20, minutes) for _ in range(2)]
    night.run()
    check(night, truth)


def test_every_fault_once_and_no_other(tmp_path: Path) -> None:
    play(tmp_path, 1, 3, 8, 195)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 22))
def test_every_fault_once_long(tmp_path: Path, seed: int) -> None:
    play(tmp_path, seed, 6, 10, 600)

"""When a condition held: by samples in order, one at a time, and late ones."""

from bisect import insort

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from lampione.alarms.episodes import Episode, Judge, Pace, Sample, episodes

PACES = st.builds(Pace, st.integers(0, 12), st.integers(0, 12), st.integers(1, 8))
VERDICTS = st.sampled_from([(True, False), (False, True), (False, False)])
SAMPLES = st.lists(st.tuples(st.integers(1, 80), VERDICTS), max_size=40).map(
    lambda found: sorted((at, *says) for at, says in dict(found).items())
)


def test_what_people_expect() -> None:
    samples = [(0, False, True), (60, True, False), (120, True, False), (180, False, False),
               (240, False, True), (300, False, True)]  # fmt: skip
    assert episodes(samples, Pace()) == [Episode(60, 240)]
    assert episodes(samples, Pace(for_s=60)) == [Episode(60, 240)]
    assert episodes(samples, Pace(for_s=61)) == []
    assert episodes(samples, Pace(clear_s=61)) == [Episode(60, None)]
    assert episodes(samples, Pace(clear_s=60)) == [Episode(60, 240)]
    assert episodes(samples[:3], Pace(for_s=60, gap_s=59)) == []  # they do not add up


def whole(judge: Judge, samples: list[Sample]) -> list[Episode]:
    """What a judge says of samples one by one."""
    found: list[Episode] = []
    judge.grow(3)
    for at, up, down in samples:
        changes = judge.take(
            np.array([2]), np.array([at]), np.array([[up]]), np.array([[down]]), np.array([[True]])
        )
        for when, begins in zip(changes.at.tolist(), changes.begins.tolist(), strict=True):
            if begins:
                found.append(Episode(when, None))
            else:
                found[-1] = found[-1]._replace(end=when)
    return found


@given(SAMPLES, PACES)
def test_one_at_a_time_is_the_same_as_all_at_once(samples: list[Sample], pace: Pace) -> None:
    assert whole(Judge([pace]), samples) == episodes(samples, pace)


@given(SAMPLES, PACES, st.integers(0, 40))
def test_a_judge_goes_on_from_what_was_judged(samples: list[Sample], pace: Pace, at: int) -> None:
    before, after = samples[:at], samples[at:]
    known = episodes(before, pace)
    judge = Judge([pace])
    judge.grow(3)
    judge.put(0, 2, before, known, pace)
    if known and known[-1].end is None:
        # what `whole` begins with
        now = [known[-1]]
        for episode in _on(judge, after, now):
            known = (
                [*known[:-1], episode] if episode.begin == known[-1].begin else [*known, episode]
            )
    else:
        known = [*known, *_on(judge, after, [])]
    assert known == episodes(samples, pace)


def _on(judge: Judge, samples: list[Sample], found: list[Episode]) -> list[Episode]:
    for at, up, down in samples:
        changes = judge.take(
            np.array([2]), np.array([at]), np.array([[up]]), np.array([[down]]), np.array([[True]])
        )
        for when, begins in zip(changes.at.tolist(), changes.begins.tolist(), strict=True):
            if begins:
                found.append(Episode(when, None))
            else:
                found[-1] = found[-1]._replace(end=when)
    return found


@given(st.data(), SAMPLES, PACES)
def test_whatever_the_order_of_arrival_the_end_is_that_of_the_sorted_samples(
    data: st.DataObject, samples: list[Sample], pace: Pace
) -> None:
    """Late ones are judged again from `memory_s` before them on, and no further back."""
    arriving = data.draw(st.permutations(samples))
    held: list[Sample] = []
    known: list[Episode] = []
    for sample in arriving:
        insort(held, sample)
        start = sample[0] - pace.memory_s
        standing = [e for e in known if e.begin < start and (e.end is None or e.end >= start)]
        before = [e for e in known if e.end is not None and e.end < start]
        since = standing[0].begin if standing else None
        known = before + episodes([s for s in held if s[0] >= start], pace, since)
    assert known == episodes(samples, pace)

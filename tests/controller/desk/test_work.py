"""Work beside a front end: nothing of it is seen before the front end looks, and all of it then."""

import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lampione.core.client import CoreError
from lampione.desk.work import Answer, Job, Works

from tests.brokers import wait_until


def test_what_work_says_waits_until_the_front_end_looks() -> None:
    works = Works()
    told: list[Any] = []
    go = threading.Event()

    def work(job: Job) -> str:
        job.tell("begun")
        go.wait(10)
        job.tell("half")
        return "whole"

    works.run(work, told.append, told.append)
    go.set()
    seen: list[int] = []

    def looked() -> bool:
        before = len(told)
        works.deliver()
        seen.append(len(told) - before)
        return len(told) == 3

    assert told == []
    wait_until("it is done", looked)
    assert told == ["begun", "half", Answer("whole")]


def test_an_error_is_an_answer_in_words() -> None:
    def no(job: Job) -> None:
        raise CoreError("refused", "the lamp is locked")

    def bug(job: Job) -> None:
        raise KeyError

    answers: list[Answer] = []
    works = Works(lambda work: work())
    works.run(no, answers.append)
    works.run(bug, answers.append)
    assert works.deliver()
    assert answers == [
        Answer(None, "the lamp is locked", "refused"),
        Answer(None, "KeyError", "KeyError"),
    ]
    assert not works.deliver()


def test_work_that_is_cancelled_ends_at_its_next_word() -> None:
    answers: list[Answer] = []
    begun, go = threading.Event(), threading.Event()
    said: list[int] = []

    def work(job: Job) -> None:
        for number in range(1000):
            said.append(number)
            job.tell(number)
            begun.set()
            go.wait(10)

    works = Works()
    job = works.run(work, answers.append)
    assert begun.wait(10)
    job.cancel()
    go.set()

    def done() -> bool:
        works.deliver()
        return bool(answers)

    wait_until("it ended", done)
    assert answers[0].kind == "cancelled"
    assert said == [0, 1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=20))
def test_each_gets_its_own_in_order(steps: list[tuple[str, int]]) -> None:
    got: dict[str, list[int]] = {}

    def told_to(name: str) -> Callable[[int], None]:
        return got.setdefault(name, []).append

    works = Works(lambda work: work())
    for name, number in steps:

        def work(job: Job, number: int = number) -> int:
            job.tell(number)
            return number

        works.run(work, lambda _: None, told_to(name))
    assert all(not numbers for numbers in got.values())
    works.deliver()
    assert got == {name: [number for other, number in steps if other == name] for name, _ in steps}

"""Everything that can be killed is killed; what was made is stored once. Long: all of it, fast."""

import pytest

from benchmarks import takeover


def whole(outcome: takeover.Outcome, victims: int) -> None:
    assert outcome.created > 0
    assert (outcome.stored, outcome.lost, outcome.doubled) == (outcome.created, 0, 0)
    assert len(outcome.recoveries) == victims


@pytest.mark.serial
@pytest.mark.xdist_group("desk")
def test_a_server_a_worker_and_the_database_are_killed() -> None:
    victims = [takeover.NATS[0], takeover.WORKERS[0], takeover.POSTGRES]
    whole(takeover.run(victims, rate=100, nodes=8, lease_s=3, calm_s=0.5), len(victims))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_each_of_the_six_at_two_thousand_a_second() -> None:
    victims = [*takeover.NATS, *takeover.WORKERS, takeover.POSTGRES]
    whole(takeover.run(victims), len(victims))

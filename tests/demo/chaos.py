"""Eleven lampposts while the broker and the controller are killed and the power is cut."""

import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.demo.district import District
from tests.demo.flash_image import Identity


@dataclass
class Outcome:
    """What a run came to. `created` is what the nodes' flashes hold at its end."""

    created: int = 0
    stored: int = 0
    doubled: int = 0
    lost: int = 0  # recorded as lost
    unexplained: list[Identity] = field(default_factory=list)  # neither stored nor recorded
    altered: list[Identity] = field(default_factory=list)  # stored with other contents
    deeds: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        deeds = ", ".join(f"{count} × {deed}" for deed, count in sorted(self.deeds.items()))
        return (
            f"{deeds}: {self.created} created, {self.stored} stored, {self.doubled} doubled, "
            f"{self.lost} lost, {len(self.unexplained)} unexplained"
        )


class Tormentor:
    """Breaks a district at random."""

    def __init__(self, district: District, seed: int) -> None:
        self._district = district
        self._dice = random.Random(seed)
        self.deeds = district.deeds

    def _cut(self) -> None:
        """Let a node's power fail at one of its next writes."""
        board = self._district.boards[self._dice.choice(self._district.names)]
        board.cut_power_at_write(self._dice.randint(1, 8), self._dice.random())

    def run(self, duration_s: float) -> None:
        """Break things for so long, then mend them."""
        district = self._district
        pause = threading.Event()
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            deed = self._dice.random()
            if deed < 0.12:
                district.kill_broker()
            elif deed < 0.24:
                district.kill_core()
            elif deed < 0.30:
                district.kill_core()
                district.kill_broker()
            else:
                self._cut()
            pause.wait(self._dice.uniform(0.2, 1.5))
            district.power_on()
            district.revive()
        for board in district.boards.values():
            board.cut_power_at_write(0)
        district.power_on()


def judge(district: District, created: dict[Identity, bytes]) -> Outcome:
    """Compare what the flashes held with what the database holds."""
    outcome = Outcome(created=len(created), deeds=district.deeds)
    stored = district.stored()
    database = district.database()
    spans = database.execute(
        "SELECT n.name, l.first, l.last FROM losses l JOIN nodes n ON n.id = l.node"
    ).fetchall()
    database.close()
    outcome.stored = sum(identity in stored for identity in created)
    # By identity they cannot be; by contents: a number seals one text only.
    outcome.doubled = len(stored) - len({(node, seq) for node, _, _, seq in stored})
    for identity, text in created.items():
        node, _, _, seq = identity
        if identity in stored:
            if stored[identity] != text:
                outcome.altered.append(identity)
        elif any(name == node and first <= seq <= last for name, first, last in spans):
            outcome.lost += 1
        else:
            outcome.unexplained.append(identity)
    return outcome


def run(state: Path, duration_s: float, seed: int) -> Outcome:
    """Torment a district for so long; return what became of its frames."""
    with ExitStack() as ends:
        district = District(state, ends)
        for board in district.boards.values():
            board.power_on()
        Tormentor(district, seed).run(duration_s)
        created = district.flashes()
        district.wait_covered(created)
        district.end_core()
        return judge(district, created)

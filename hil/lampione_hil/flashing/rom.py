"""A tree in the board's ROM partition, where its image of MicroPython has one.

Code runs there without a copy in RAM. The slot in the file system is written first and stays: it
runs when the partition's content cannot, and while that is being written.
"""

from lampione_hil import romfs
from lampione_hil.flashing.agent import ROM, Agent, Told
from lampione_hil.flashing.slots import FOLDERS, NEW, ROM_LETTER, SLOT, Tree, digest
from lampione_hil.real.errors import NotVerifiedError

_ALIGNED = 16  # bytes, or a divisor of it: what a flash takes at once


def image(tree: Tree, rom_bytes: int) -> bytes | None:
    """Return what is to lie in a partition of `rom_bytes`; None when it does not fit."""
    data = romfs.image({f"/lib/{path}": data for path, data in tree.modules.items()})
    data += bytes(-len(data) % _ALIGNED)
    return data if len(data) <= rom_bytes else None


def holds(agent: Agent, data: bytes) -> bool:
    """Whether the partition begins with `data`."""
    return agent.rom(len(data)) == digest(data)


def write(agent: Agent, data: bytes, told: Told) -> Agent:
    """Write the partition; the next start must come from elsewhere.

    Returns the agent to go on with: MicroPython is started anew, since names that it knows may lie
    in what is erased. Raises NotVerifiedError.
    """
    agent.repl.soft_reset()
    agent = Agent(agent.repl)
    agent.send({ROM: data}, told)
    if not holds(agent, data):
        raise NotVerifiedError(
            f"{agent.repl.port}: the ROM partition does not hold what was sent: run this again; "
            "when it comes back, the board's flash is bad. It starts from its file system"
        )
    return agent


def choose(agent: Agent, slot: str, rom: bool) -> None:
    """Let the next start come from `slot`, or from the partition and `slot` behind it."""
    letters = [ROM_LETTER] * rom + [slot, *(letter for letter in FOLDERS if letter != slot)]
    agent.send({SLOT + NEW: "".join(letters).encode()})
    agent.rename([(SLOT + NEW, SLOT)])

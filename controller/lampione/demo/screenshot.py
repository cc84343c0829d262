"""The picture of the screen: `python -m lampione.demo.screenshot docs/screens/fleet.svg`.

A real run of the demo, the real screen, saved once every node has reported a few times.
"""

import argparse
import asyncio
import html
import re
import sys
import time
from pathlib import Path

from lampione.core.client import Client
from lampione.demo.run import Options, running
from lampione.desk.desk import Desk
from lampione.desk.feed import CoreFeed
from lampione.tui.app import LampioneApp
from lampione.tui.grid import GLOW_S

_FONT = re.compile(r"\s*@font-face\s*\{.*?\}", re.DOTALL)
_BLANK = "&#160;"
_LINE = re.compile(
    rf'<text([^>]*?)x="([\d.]+)"([^>]*?)textLength="([\d.]+)"([^>]*)>((?:{_BLANK})+)([^<]*)</text>'
)
WAIT_S = 60.0
ORDERS = {"lazio-1": 40, "toscana-1": 70}  # something to see


def portable(svg: str) -> str:
    """Return the picture so that it looks the same everywhere.

    Without the fonts that it would load from elsewhere; and with texts that begin where their
    first letter is, since some renderers drop the blanks before it.
    """

    def begin_at_letter(found: re.Match[str]) -> str:
        before, x, middle, length, after, blanks, text = found.groups()
        cells = len(html.unescape(blanks + text))
        shift = float(length) / cells * (len(blanks) // len(_BLANK))
        return (
            f'<text{before}x="{float(x) + shift:.1f}"{middle}'
            f'textLength="{float(length) - shift:.1f}"{after}>{text}</text>'
        )

    return _LINE.sub(begin_at_letter, _FONT.sub("", svg))


async def _take(state: Path, size: tuple[int, int], nodes: int) -> str:
    app = LampioneApp(Desk(CoreFeed(state, "anna"), state=state))

    def settled() -> bool:
        rows = [app.desk.fleet.at(n) for n in range(len(app.desk.fleet))]
        if len(rows) < nodes or not all(row["report"] for row in rows):
            return False
        levels = {row["node"]: row["report"]["lamp_level"] for row in rows}
        # No cell glows: the last reports are a second old, and the next are not there yet.
        ages = [time.time() - row["report_at"] for row in rows]
        return levels | ORDERS == levels and min(ages) > GLOW_S and max(ages) < 4

    async with app.run_test(size=size) as pilot:
        end = asyncio.get_running_loop().time() + WAIT_S
        while not settled():
            await pilot.pause(0.1)
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError("not all nodes have reported")
        app.tick()
        await pilot.pause()
        return app.export_screenshot(title="lampione")


def _order(state: Path) -> None:
    """Send the commands once the nodes can take them."""
    end = time.monotonic() + WAIT_S
    with Client.open(state) as core:
        while any(row["report_at"] is None for row in core.call("nodes")):
            if time.monotonic() > end:
                raise TimeoutError("not all nodes have reported")
            time.sleep(0.1)
        for node, level in ORDERS.items():
            command = {"op": "level", "level": level, "for_s": 600}
            for _ in core.stream("send", node=node, command=command, expires_s=30):
                pass


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="save a picture of the demo's screen")
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", default="126x15", metavar="COLUMNSxLINES")
    options = parser.parse_args()
    columns, _, lines = options.size.partition("x")
    with running(Options(state=None)) as demo:
        _order(demo.state)
        svg = asyncio.run(_take(demo.state, (int(columns), int(lines)), len(demo.seed.running)))
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(portable(svg), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The picture of the screen: `python -m lampione.demo.screenshot docs/screens/fleet.svg`.

A real run of the demo, the real screen, saved once every node has reported a few times.
"""

import argparse
import asyncio
import html
import re
import sys
from pathlib import Path

from lampione.cli import present
from lampione.demo.run import Options, running
from lampione.tui.app import LampioneApp
from lampione.tui.feed import CoreFeed

_FONT = re.compile(r"\s*@font-face\s*\{.*?\}", re.DOTALL)
_BLANK = "&#160;"
_LINE = re.compile(
    rf'<text([^>]*?)x="([\d.]+)"([^>]*?)textLength="([\d.]+)"([^>]*)>((?:{_BLANK})+)([^<]*)</text>'
)
WAIT_S = 60.0


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
    app = LampioneApp(CoreFeed(state), present.places(state))
    async with app.run_test(size=size) as pilot:
        end = asyncio.get_running_loop().time() + WAIT_S
        while True:
            await pilot.pause(0.2)
            rows = [app.fleet.at(n) for n in range(len(app.fleet))]
            if sum(row["stored"] > 3 and bool(row["report"]) for row in rows) == nodes:
                break
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError("not all nodes have reported")
        return app.export_screenshot(title="lampione")


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="save a picture of the demo's screen")
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", default="120x18", metavar="COLUMNSxLINES")
    options = parser.parse_args()
    columns, _, lines = options.size.partition("x")
    with running(Options(state=None)) as demo:
        svg = asyncio.run(_take(demo.state, (int(columns), int(lines)), len(demo.seed.running)))
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(portable(svg), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

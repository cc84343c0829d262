"""Write `docs/config.md` from the model of a node's config: `python -m tools.config_docs --write`.

`--check` fails when the page is not what `lampione.config` gives.
"""

import json
import sys
from pathlib import Path

from lampione.config.describe import Setting, settings
from lampione.config.model import REBOOT, NodeConfig
from lampione_light import layout

from tools.generated_page import command, keep

PAGE = Path(__file__).parents[1] / "docs" / "config.md"

HEAD = """\
# What can be set on a node

Made by `make docs` from `controller/lampione/config/`; not to be edited. `lampione config schema`
prints the same as a JSON schema. A node's config is made from the fleet's file
(`seeds/milan.toml` is the example):

| section | in the fleet's file |
|---|---|
{sources}

Settings with a restart are taken up by a node that starts anew, as it does by itself when such a
config is applied; the others while it runs.

On the wire and on flash a config is {size_max} bytes at most, in the sections of
`protocol/lampione_light/layout.py`: old nodes skip what they do not know, and new ones have a
default for what an old controller does not say.
"""

TAIL = """\
## How it gets to nodes

`lampione config push` gives nodes their config on trial; a node goes back by itself unless the
controller confirms in time. [operating.md](operating.md), *What nodes are set to*, has the states
of one node. For many nodes a push goes in stages, which the controller drives to the end, with or
without a terminal, over restarts of its own:

```sh
lampione config push --all --canary 2 --waves 10%,50%,100% --soak 10m --stop-at 5%
lampione config push --site umbria --canary umbria-1 --soak 1h
lampione config rollouts                    # all of them; with a number: each node of one
lampione config rollouts 7 pause            # or resume, abort, retry, revert
```

- **Waves.** First the canary: so many nodes, or these. Then the waves: `25` is so many nodes, `10%`
  goes on until a tenth of all nodes has had its turn; who is left over is a last wave. The next
  begins when each node of the one before has its outcome and the soak is over. `--at-once` keeps
  the number of nodes under way lower than a wave.
- **Soak.** Behind each wave but the last the controller waits so long, then looks at the nodes that
  took it: one that has gone offline, or runs something else, is *lost*, which counts as failed.
- **Stop.** When more than `--stop-at` of a wave have failed it stops: no other node is begun, those
  under way come to their outcome. Nodes that were not touched count on neither side. A first wave
  in which no node took it stops, too: nothing was learned. `resume` goes on in spite of what
  failed, `retry` gives those that failed or were skipped another turn.
- **Skipped.** A node that is offline or locked when its turn comes is not touched, and said to be
  so; nor is one that another push has taken meanwhile. A node that had its turn and has no outcome
  ten minutes after its trial should have ended is *failed*, and what was begun is taken off the
  table.
- **Abort** leaves those that wait, stops those under way (on trial they go back), and lets those
  that have it keep it. **Revert** takes it back from these too: each goes to the config that it had
  before, unless it has got another one since.

A node is in one rollout at a time. What each node is to get is kept, sealed under the node's key,
until it has it; the last hundred rollouts that are over stay to be read.

The screen (`:rollouts`) shows the same live, and begins one: choose the nodes (marked, filtered or
all), see key by key what changes and who restarts, set the stages, and confirm.
"""

SOURCES = {
    "site": "`[[sites]]`, the node's; `time_zone` of `[fleet]` gives the clock",
    "lamp": "`[profiles.NAME.lamp]`",
    "night, plans, rules, traffic, presence": "`[programs.NAME]`, which `program` of the profile, "
    'or of the node, chooses; there a plan has a name, and "default" is number 0',
    "group": "`[groups.NAME]`: `nodes` in the order of the street; `lampione keys new` makes the "
    "secret",
    "reporting": "`[fleet]`",
    "parts": "`[profiles.NAME.parts]`, and the node's `calibration`",
    "radio": "`[radios.NAME]`, which `radio` of the profile, or of the node, chooses; `wifi` and "
    "`broker` there name a `password_file` of mode 0600, relative to the state folder; without "
    "it the node keeps what it was provisioned with",
}
SECTIONS = {
    "site": (layout.SITE,),
    "lamp": (layout.LAMP, layout.UPKEEP),
    "night": (layout.NIGHT,),
    "plans": (layout.PLAN,),
    "rules": (layout.RULES,),
    "traffic": (layout.TRAFFIC,),
    "presence": (layout.PRESENCE,),
    "group": (layout.GROUP,),
    "reporting": (layout.REPORTING,),
    "parts": (layout.PARTS,),
    "radio": (layout.RADIO,),
}


def _range(one: Setting) -> str:
    if one.choices:
        return ", ".join(one.choices)
    if one.low is not None and one.high is not None:
        return f"{one.low:g} to {one.high:g}"
    return {"yes or no": "true, false", "secret": "never shown"}.get(one.kind, "")


def _default(one: Setting) -> str:
    if one.required:
        return "to be given"
    if one.default in (None, "", ()):
        return "none"
    default = list(one.default) if isinstance(one.default, tuple) else one.default
    return f"`{json.dumps(default)}`"


def page() -> str:
    """Return the page's text."""
    sources = "\n".join(f"| {names} | {where} |" for names, where in SOURCES.items())
    lines = [HEAD.format(sources=sources, size_max=layout.SIZE_MAX)]
    found = settings()
    for name, field in NodeConfig.model_fields.items():
        what = field.description or ""
        numbers = " and ".join(map(str, SECTIONS[name]))
        restart = " With a restart." if name in REBOOT else ""
        lines += [
            f"## {name}",
            "",
            f"{what[:1].upper()}{what[1:]}. Section {numbers}.{restart}",
            "",
        ]
        lines += ["| setting | what | unit | range | default |", "|---|---|---|---|---|"]
        for one in found:
            if one.section == name:
                row = [f"`{one.path}`", one.what, one.unit, _range(one), _default(one)]
                lines.append("| " + " | ".join(row) + " |")
        lines.append("")
    return "\n".join([*lines, TAIL])


def run(path: Path, *, write: bool) -> list[str]:
    """Check the page, or write it; return what is wrong."""
    missing = [one.path for one in settings() if not one.what]
    if missing:
        return [f"{path}: no description" for path in missing]
    return keep(path, page(), write=write)


def main() -> int:
    """Check or write; return the exit code."""
    return command("The reference of a node's config.", lambda write: run(PAGE, write=write))


if __name__ == "__main__":
    sys.exit(main())

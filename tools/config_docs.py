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
    return "\n".join(lines).rstrip("\n") + "\n"


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

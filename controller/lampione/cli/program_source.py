"""Whose program: from the fleet's file to the configs that its nodes would have."""

import argparse
from typing import NamedTuple

from lampione import seeds, wanted
from lampione.cli.errors import UNKNOWN_NODE, USAGE, CliError
from lampione.cli.service import fleet_file
from lampione.config import blob

_NO_KEY = bytes(16)  # no light depends on a group's secret


class Subject(NamedTuple):
    """A node's config and what it was made of.

    program: its name; "none": the design level all night.
    plans: names of its plans, by number.
    used: the node has that program.
    """

    program: str
    node: str
    site: str
    profile: str
    parts: frozenset[str]
    plans: dict[int, str]
    blob: bytes
    used: bool


def _subject(seed: seeds.Seed, node: seeds.Node, *, used: bool = True) -> Subject:
    name = seed.program_of(node)
    numbers = seed.programs[name].numbers if name else {}
    config = wanted.of(seed, node.id, dict.fromkeys(seed.groups, _NO_KEY))
    return Subject(
        name or "none",
        node.id,
        seed.site_of(node).name,
        node.profile,
        frozenset(seed.parts_of(node)),
        {number: plan for plan, number in numbers.items()},
        blob.encode(config),
        used,
    )


def _load(options: argparse.Namespace) -> seeds.Seed:
    return seeds.load(fleet_file(options))


def subjects(options: argparse.Namespace) -> dict[str, list[Subject]]:
    """Return the programs that were asked for, each with a node of every profile that uses it.

    That farthest from the equator, where the nights differ most. A program that no node uses is
    looked at as if the fleet's first node did. Raises CliError, SeedError.
    """
    seed = _load(options)
    names: list[str] = options.programs or list(seed.programs)
    for name in names:
        if name not in seed.programs:
            there = ", ".join(seed.programs) or "none"
            raise CliError(f"the fleet has no program {name!r} (there are: {there})", USAGE)
    return {name: _users(seed, name) for name in names}


def _users(seed: seeds.Seed, name: str) -> list[Subject]:
    farthest: dict[str, seeds.Node] = {}
    for node in seed.nodes:
        if seed.program_of(node) == name:
            known = farthest.setdefault(node.profile, node)
            if abs(seed.site_of(node).latitude) > abs(seed.site_of(known).latitude):
                farthest[node.profile] = node
    if farthest:
        return [_subject(seed, node) for node in farthest.values()]
    if not seed.nodes:
        raise CliError("the fleet has no node, and a program is looked at as a node would have it")
    first = seed.nodes[0].model_copy(update={"program": name})
    seed = seed.model_copy(update={"nodes": (first, *seed.nodes[1:])})
    return [_subject(seed, first, used=False)]


def chosen(options: argparse.Namespace) -> Subject:
    """Return the node that was asked for, or a site's first one. Raises CliError, SeedError."""
    seed = _load(options)
    if options.node is not None:
        try:
            return _subject(seed, seed.node(options.node))
        except KeyError:
            raise CliError(f"the fleet has no node {options.node!r}", UNKNOWN_NODE) from None
    site = _site(seed, options.site)
    for node in seed.nodes:
        if node.site == site.id:
            return _subject(seed, node)
    raise CliError(f"{site.name} has no node", UNKNOWN_NODE)


def _site(seed: seeds.Seed, name: str | None) -> seeds.Site:
    if not seed.sites:
        raise CliError("the fleet has no site")
    if name is None:
        return seed.sites[0]
    for site in seed.sites:
        if name.casefold() in (site.id, site.name.casefold()):
            return site
    raise CliError(f"the fleet has no site {name!r}", USAGE)

"""A record as JUnit XML, for CI servers: one test case a run, with its measurements."""

import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as ET

# What XML 1.0 cannot hold, even escaped.
_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(record: dict[str, Any]) -> bytes:
    """Return the XML."""
    cases = [(test, run) for test in record["tests"] for run in test["runs"]]
    outcomes = [run["outcome"] for _, run in cases]
    suite = ET.Element(
        "testsuite",
        name="lampione hil",
        timestamp=record["made"],
        time=f"{record['seconds']:g}",
        tests=str(len(cases)),
        failures=str(outcomes.count("fail")),
        errors=str(outcomes.count("broken")),
        skipped=str(outcomes.count("skip")),
    )
    _properties(suite, _about(record))
    for test, run in cases:
        suite.append(_case(test, run, record["asked"]["count"]))
    root = ET.Element("testsuites", name="lampione hil")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


def _about(record: dict[str, Any]) -> Iterable[tuple[str, object]]:
    versions = record["versions"]
    yield "revision", record["firmware"]["revision"]
    yield "firmware_id", record["firmware"]["id"]
    yield "micropython", versions["micropython"]
    yield "lampione", versions["lampione"]
    yield "rig", record["rig"]["name"]
    yield "rig_digest", record["rig"]["digest"]
    yield "verdict", record["verdict"]["verdict"]
    for reason in record["verdict"]["reasons"]:
        yield "verdict_reason", reason


def _case(test: dict[str, Any], run: dict[str, Any], count: int) -> ET.Element:
    file, _, name = test["test"].partition("::")
    turn = f" (run {run['turn']} of {count})" if count > 1 else ""
    case = ET.Element(
        "testcase",
        classname=_fit(file.removesuffix(".py").replace("/", ".")),
        name=_fit(name + turn),
        time=f"{run['seconds']:g}",
    )
    about: list[tuple[str, object]] = []
    for board, serial_number, _ in run["boards"]:
        about += [("board", board), ("serial_number", serial_number)]
    about += [("clock", run["clock"])] if run["clock"] else []
    about += [("known_flaky", test["flaky"])] if test["flaky"] else []
    for m in run["measurements"]:
        limits = "..".join("" if x is None else f"{x:g}" for x in (m["low"], m["high"]))
        value = "none" if m["value"] is None else f"{m['value']:g}"
        about.append((f"measure {m['name']}", f"{value} {m['unit']} [{limits}]"))
    if about:
        _properties(case, about)
    tag = {"fail": "failure", "broken": "error", "skip": "skipped"}.get(run["outcome"])
    if tag is not None:
        ET.SubElement(case, tag, message=_fit(run["why"])).text = _fit(run["details"])
    return case


def _properties(parent: ET.Element, pairs: Iterable[tuple[str, object]]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in pairs:
        ET.SubElement(properties, "property", name=_fit(name), value=_fit(str(value)))


def _fit(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)

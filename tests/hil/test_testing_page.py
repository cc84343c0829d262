"""A run's page and its JUnit XML: whole, of one piece, and safe whatever a test says."""

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.testing import junit, page, plots

from tests.hil.records import measured, ran, record

VOID = {"meta", "br", "wbr"}
HOSTILE = '<script>alert("1")</script>&\x00]]>'


class Reader(HTMLParser):
    """Checks that tags are closed in order; keeps what could reach out of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.outside: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.outside += [f"{k}={v}" for k, v in attrs if k in ("src", "href", "srcset", "onload")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> Reader:
    found = Reader()
    found.feed(text)
    found.close()
    assert found.open == []
    assert found.outside == []
    assert not found.seen & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?://|@import|url\(", text)
    return found


def judged(*tests: dict[str, Any], verdict: str = "fail", **changes: Any) -> dict[str, Any]:
    about = {"verdict": verdict, "reasons": ["failed: it"], "remarks": ["a remark"]}
    return {**record(*tests, **changes), "verdict": about}


def series(name: str, count: int = 20) -> list[dict[str, Any]]:
    return [measured(f"{name} {n} %", n + (n == 7) * 9, n - 2, n + 2, "%") for n in range(count)]


def test_everything_is_on_it() -> None:
    ear = {"name": "ear", "serial_number": "c2d3", "calibrated": {"pwm": "2024-05-01"},
           "valid_days": 365, "expired": ["pwm"]}  # fmt: skip
    found = judged(
        ran("test_dimming", "fail", measurements=[series("duty at")]),
        ran("test_one", "pass", "fail", "pass", measurements=[[measured("v", 1.5, 1, 2)]] * 3),
        ran("test_skipped", "skip"),
        ran("test_flaky", "fail", flaky="the moon"),
        rig={**record()["rig"], "instruments": [ear]},
        asked={**record()["asked"], "left_out": ["test_it.py::test_other"], "keyword": "dim"},
        signed_by={"key": "", "fingerprint": "abcd 0123"},
        did_not_run=["test_it.py::test_late"],
    )
    read_ = read(page.page(found))
    words = "".join(read_.words)
    for word in (
        *("duty at # % in %", "20 values, 1 outside", "duty at 7 %", "5 to 9", "skip!", "the moon"),
        *("not asked for", "the run ended before it", "pass fail pass", "2024-05-01 (expired)"),
        *("abcd 0123", "failed: it", "a remark", "-k dim"),
    ):
        assert word in words, word
    assert {"svg", "polygon", "circle", "path"} <= read_.seen


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            measured,
            st.sampled_from(["v", "at 3 Hz", "at 40 Hz", "at 5000 Hz", "at -1 Hz"]),
            st.none() | st.floats(-1e12, 1e12),
            st.none() | st.floats(-1e9, 0),
            st.none() | st.floats(0, 1e9),
            st.sampled_from(["", "V", '<b>"&']),
        ),
        max_size=12,
    )
)
def test_any_measurements_can_be_drawn(measurements: list[dict[str, Any]]) -> None:
    text = page.page(judged(ran("test_x", "pass", measurements=[measurements])))
    read(text)
    assert "nan" not in text.lower().replace("nance", "")
    for _, unit, ms in plots.grouped([{"measurements": measurements, "turn": 1}]):
        drawn, _ = plots.chart("x", unit, ms)
        assert not drawn or ET.fromstring(drawn).tag == "svg"


def test_nothing_that_a_test_says_is_taken_for_markup() -> None:
    hostile = ran(
        HOSTILE, "fail", flaky=HOSTILE, measurements=[[measured(HOSTILE, None, unit="<b>")]]
    )
    hostile["runs"][0].update(why=HOSTILE, details=HOSTILE, boards=[[HOSTILE, HOSTILE, "real"]])
    found = judged(hostile, broken=[HOSTILE], did_not_run=[HOSTILE])
    read(page.page(found))
    root = ET.fromstring(junit.xml(found))
    case = root.find(".//testcase")
    assert case is not None
    assert "alert" in case.attrib["name"]


def test_junit_has_a_case_for_every_run() -> None:
    found = judged(
        ran("test_one", "pass", "fail", measurements=[[measured("v", 1.5, 1, 2)], []]),
        ran("test_two", "skip"),
        ran("test_three", "broken", flaky="the moon"),
        asked={**record()["asked"], "count": 2},
    )
    suite = ET.fromstring(junit.xml(found)).find("testsuite")
    assert suite is not None
    counts = {k: suite.attrib[k] for k in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    about = {p.attrib["name"]: p.attrib["value"] for p in suite.findall("properties/property")}
    assert about["revision"] == "0123456789ab"
    assert (about["rig"], about["firmware_id"]) == ("bench-1", "f" * 16)
    assert about["micropython"] == "MicroPython v1.28"
    cases = suite.findall("testcase")
    assert cases[0].attrib["name"] == "test_one (run 1 of 2)"
    assert cases[0].attrib["classname"] == "test_it"
    first = {p.attrib["name"]: p.attrib["value"] for p in cases[0].findall("properties/property")}
    assert first["measure v"] == "1.5 V [1..2]"
    assert (first["board"], first["serial_number"]) == ("left", "a0b1")
    tags = [[child.tag for child in case if child.tag != "properties"] for case in cases]
    assert tags == [[], ["failure"], ["skipped"], ["error"]]

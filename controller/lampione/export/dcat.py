"""A data set described for a portal: DCAT-AP, with what Italy's profile asks for, in JSON-LD."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

from lampione.export import ExportError
from lampione.export.text import iso

SUFFIX = ".dcat.jsonld"
_EU = "http://publications.europa.eu/resource/authority/"
_IANA = "https://www.iana.org/assignments/media-types/"
_ADMS = "http://purl.org/adms/licencetype/"

CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
    "locn": "http://www.w3.org/ns/locn#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcatapit": "http://dati.gov.it/onto/dcatapit#",
}


class Licence(NamedTuple):
    """An open licence. kind: of ADMS's licence types."""

    name: str
    url: str
    kind: str


LICENCES = {
    "cc-by-4.0": Licence(
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/",
        "Attribution",
    ),
    "cc-by-sa-4.0": Licence(
        "Creative Commons Attribution-ShareAlike 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/",
        "Attribution",
    ),
    "cc0-1.0": Licence(
        "Creative Commons CC0 1.0 Universal",
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "PublicDomain",
    ),
    "odbl-1.0": Licence(
        "Open Data Commons Open Database License 1.0",
        "https://opendatacommons.org/licenses/odbl/1-0/",
        "Attribution",
    ),
    "iodl-2.0": Licence(
        "Italian Open Data License 2.0", "https://www.dati.gov.it/iodl/2.0/", "Attribution"
    ),
}

THEMES = {
    "report": ("ENVI", "TRAN"),
    "health": ("TECH",),
    "hour": ("ENVI", "TRAN"),
    "event": ("TECH",),
    "raw": ("ENVI",),
}
"""Themes of the EU's vocabulary, which DCAT-AP_IT takes over."""

_FILE_TYPES = {
    # format: (EU file type, media type)
    "csv": ("CSV", "text/csv"),
    "jsonl": ("JSON", "application/jsonl"),
    "parquet": ("PARQUET", "application/vnd.apache.parquet"),
    "ngsi-ld": ("JSON_LD", "application/ld+json"),
}


class Words(NamedTuple):
    """What is said of a data set where nobody says better. title, description: of the fleet."""

    title: str
    description: str
    kinds: dict[str, str]
    keywords: tuple[str, ...]


WORDS = {
    "en": Words(
        "Lampposts of {}: {}",
        "What the lampposts of {} measured and lit. Quality stands beside every value; speeds are "
        "not told where fewer than three vehicles passed, and of sound there are levels only.",
        {
            "report": "reports",
            "health": "health of the nodes",
            "hour": "histograms by hour",
            "event": "events",
            "raw": "measurements before correction",
            "by hour": "means by hour",
            "by day": "means by day",
        },
        ("air quality", "noise", "traffic", "street lighting"),
    ),
    "it": Words(
        "Lampioni di {}: {}",
        "Che cosa hanno misurato e illuminato i lampioni di {}. La qualità sta accanto a ogni "
        "valore; le velocità mancano dove sono passati meno di tre veicoli, e del suono ci sono "
        "soltanto i livelli.",
        {
            "report": "misure",
            "health": "stato dei nodi",
            "hour": "istogrammi per ora",
            "event": "eventi",
            "raw": "misure prima della correzione",
            "by hour": "medie per ora",
            "by day": "medie per giorno",
        },
        ("qualità dell'aria", "rumore", "traffico", "illuminazione pubblica"),
    ),
}


class Publisher(NamedTuple):
    """Who gives the data away. code: at the register of public bodies (IPA), or another."""

    name: str
    code: str | None = None


class About(NamedTuple):
    """The data set as a whole.

    box: least longitude and latitude, greatest longitude and latitude.
    url: where the files will be found; without one they stand beside the description.
    """

    identifier: str
    title: str
    description: str
    language: str
    publisher: Publisher
    licence: Licence
    themes: Sequence[str]
    keywords: Sequence[str]
    since: int
    until: int
    box: tuple[float, float, float, float] | None
    url: str | None


class Distribution(NamedTuple):
    """One file of the data set."""

    form: str
    path: Path
    size_bytes: int
    sha256: str


def licence_of(text: str) -> Licence:
    """Return a licence by its short name or its address. Raises ExportError."""
    if text.lower() in LICENCES:
        return LICENCES[text.lower()]
    if text.startswith(("https://", "http://")):
        return Licence(text, text, "UnknownIPR")
    raise ExportError(
        f"{text!r} is no licence: one of {', '.join(LICENCES)}, or the address of its text"
    )


def _frequency(since: int, until: int) -> str:
    days = (until - since) / 86400
    for most, name in ((0.05, "HOURLY"), (1.01, "DAILY"), (7.01, "WEEKLY"), (31.01, "MONTHLY")):
        if days <= most:
            return name
    return "IRREG"


def _text(value: str, language: str) -> dict[str, str]:
    return {"@value": value, "@language": language}


def _typed(value: str, kind: str) -> dict[str, str]:
    return {"@value": value, "@type": f"xsd:{kind}"}


def describe(about: About, files: Sequence[Distribution], now: float) -> dict[str, Any]:
    """Return the description of a data set and its files."""
    base = about.url or ""
    if base and not base.endswith("/"):
        base += "/"
    today = dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat()
    code = about.publisher.code or about.publisher.name
    agent = {
        "@type": ["dcatapit:Agent", "foaf:Agent"],
        "foaf:name": _text(about.publisher.name, about.language),
        "dct:identifier": code,
    }
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@id": urljoin(base, f"#{quote(about.identifier)}"),
        "@type": ["dcatapit:Dataset", "dcat:Dataset"],
        "dct:identifier": about.identifier,
        "dct:title": _text(about.title, about.language),
        "dct:description": _text(about.description, about.language),
        "dct:language": {"@id": f"{_EU}language/{_LANGUAGES[about.language]}"},
        "dct:publisher": {"@id": urljoin(base, "#publisher")} | agent,
        "dct:rightsHolder": {"@id": urljoin(base, "#publisher")},
        "dct:accrualPeriodicity": {"@id": f"{_EU}frequency/{_frequency(about.since, about.until)}"},
        "dct:issued": _typed(today, "date"),
        "dct:modified": _typed(today, "date"),
        "dct:accessRights": {"@id": f"{_EU}access-right/PUBLIC"},
        "dcat:theme": [{"@id": f"{_EU}data-theme/{theme}"} for theme in about.themes],
        "dcat:keyword": [_text(word, about.language) for word in about.keywords],
        "dct:temporal": {
            "@type": ["dcatapit:PeriodOfTime", "dct:PeriodOfTime"],
            "dcat:startDate": _typed(iso(about.since), "dateTime"),
            "dcat:endDate": _typed(iso(about.until), "dateTime"),
        },
        "dcat:distribution": [_file(about, base, file, today) for file in files],
    }
    if about.box is not None:
        west, south, east, north = about.box
        corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
        ring = ", ".join(f"{x:g} {y:g}" for x, y in corners)
        found["dct:spatial"] = {
            "@type": "dct:Location",
            "dcat:bbox": {
                "@value": f"POLYGON(({ring}))",
                "@type": "http://www.opengis.net/ont/geosparql#wktLiteral",
            },
        }
    return found


_LANGUAGES = {"en": "ENG", "it": "ITA"}


def _file(about: About, base: str, file: Distribution, today: str) -> dict[str, Any]:
    kind, media = _FILE_TYPES[file.form]
    address = {"@id": urljoin(base, quote(file.path.name))}
    return {
        "@id": urljoin(base, f"#{quote(about.identifier)}-{file.form}"),
        "@type": ["dcatapit:Distribution", "dcat:Distribution"],
        "dct:title": _text(f"{about.title} ({kind})", about.language),
        "dcat:accessURL": address,
        "dcat:downloadURL": address,
        "dct:format": {"@id": f"{_EU}file-type/{kind}"},
        "dcat:mediaType": {"@id": _IANA + media},
        "dcat:byteSize": _typed(str(file.size_bytes), "nonNegativeInteger"),
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": _typed(file.sha256, "hexBinary"),
        },
        "dct:modified": _typed(today, "date"),
        "dct:license": {
            "@id": about.licence.url,
            "@type": ["dcatapit:LicenseDocument", "dct:LicenseDocument"],
            "dct:type": {"@id": _ADMS + about.licence.kind},
            "foaf:name": about.licence.name,
        },
    }

"""`index.html`: a run's results as one page that needs no network and no other program.

The page holds everything but the large photos: small ones, outlines, reports, filters. A copy of `index.html` alone shows all of
that; `index_files`, where it lies beside, adds the photos in a size to look at closely. A folder that is moved stays whole, since
all addresses are relative.

    for piece in results_page(index, answers, files, language="en"):
        file.write(piece)

The page is made photo by photo, and nothing of a photo is kept. Browsers run the page's own script and styles and no others:
its policy names them by their hashes, and whatever a name says is text.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from dentify.assessment import Assessment, Finding, PhotoType
from dentify.certainty import CERTAINTIES, Certainty, certainty_of
from dentify.languages import Language, Words, in_language
from dentify.pages import stream_page
from dentify.results.files import large_picture, small_picture
from dentify.results.outlines import finding_path, size_in_units
from dentify.results.standing import Standing, is_damaged, standing, worst_level
from dentify.taxonomy import SEVERITY_LEVELS, damage_colour
from dentify.version import __version__

MOST_HELD = 1000
"""Photos whose small picture is within the page, those that matter most; 13 kB each. The others' are files beside it."""

Read = Callable[[str], bytes | None]
"""The contents of a file of the results, by its name relative to their folder; `None` where there is none."""


@dataclass
class PageIndex:
    """What the head of the page tells of all photos, and their order: some words a photo."""

    standings: list[Standing] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    levels: Counter[int] = field(default_factory=Counter)
    damaged: int = 0
    to_look_at: int = 0
    others: int = 0

    def add(self, assessment: Assessment) -> None:
        """Takes note of a photo."""
        place = standing(assessment)
        self.standings.append(place)
        self.types.update(_types(assessment))
        self.parts.update(_parts(assessment))
        self.levels.update([worst_level(assessment)])
        self.damaged += is_damaged(assessment)
        self.to_look_at += assessment.review.needed
        self.others += place.group == 3

    def names(self) -> Iterator[str]:
        """Photos by name, what matters most first."""
        return (place.name for place in sorted(self.standings))


def results_page(
    index: PageIndex,
    answers: Iterable[tuple[str, Assessment]],
    read: Read,
    *,
    failed: Iterable[str] = (),
    failures: int = 0,
    language: Language = "en",
    tables: Iterable[str] = (),
) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        index: of all photos.
        answers: the stem of each photo's outputs and its assessment, in the order of `index.names()`.
        read: files of the results.
        failed: a line for each photo without an answer.
        failures: how many there are.
        language: of the page's own words; reports stand as they were given.
        tables: names of other files to lead to.
    """
    words = in_language(language)
    types, parts = sorted(index.types, key=lambda name: (-index.types[name], name)), sorted(index.parts, key=words.part)
    facets = Facets({name: at for at, name in enumerate(types)}, {name: at for at, name in enumerate(parts)})
    return stream_page(
        "results.html",
        style="results.css",
        script="results.js",
        language=language,
        own=words.PAGE,
        index=index,
        total=len(index.standings),
        types=[(at, words.damage(name), index.types[name], hex_colour(name)) for name, at in facets.types.items()],
        parts=[(at, words.part(name), index.parts[name]) for name, at in facets.parts.items()],
        levels=[
            (at, words.severity(level, perhaps=False), index.levels[at])
            for at, level in enumerate(SEVERITY_LEVELS, 1)
            if index.levels[at]
        ],
        certainties=[(band, words.CERTAINTIES[band]) for band in CERTAINTIES],
        cards=_cards(answers, read, facets),
        failed=failed,
        failures=failures,
        tables=[(quote(name), name) for name in tables],
        version=__version__,
    )


def hex_colour(damage_type: str) -> str:
    """The colour of a type as HTML has it.

    >>> hex_colour("dent")
    '#e69f00'
    """
    return "#{:02x}{:02x}{:02x}".format(*damage_colour(damage_type))


@dataclass(frozen=True)
class Facets:
    """Names that can be filtered by, and their numbers: names are anyone's, and numbers are safe wherever they stand."""

    types: dict[str, int]
    parts: dict[str, int]


@dataclass(frozen=True)
class Marking:
    """A finding on the picture and as a chip below it."""

    id: int
    path: str
    colour: str
    certainty: Certainty
    label: str


@dataclass(frozen=True)
class Card:
    """All that the page shows of one photo."""

    number: int
    assessment: Assessment
    damaged: bool
    severity: int
    types: str
    parts: str
    small: str
    large: str
    is_plain: bool
    units: tuple[int, int]
    verdict: str
    markings: list[Marking]
    below: list[tuple[str, str]]
    lines: list[tuple[str, str, str]]
    json: str
    drawn: str


def _cards(answers: Iterable[tuple[str, Assessment]], read: Read, facets: Facets) -> Iterator[Card]:
    for number, (stem, assessment) in enumerate(answers, 1):
        yield _card(number, stem, assessment, read, facets)


def _card(number: int, stem: str, assessment: Assessment, read: Read, facets: Facets) -> Card:
    words = in_language(assessment.settings.language)
    drawn = f"{stem}.photo.jpg"
    large, small = large_picture(stem), read(small_picture(stem))
    is_plain = small is not None
    drawn = drawn if read(drawn) is not None else ""
    verdict, lines = _lines(assessment)
    by_area = sorted(assessment.findings, key=lambda finding: -finding.area_share)  # a small one lies on a large one
    return Card(
        number=number,
        assessment=assessment,
        damaged=is_damaged(assessment),
        severity=worst_level(assessment),
        types=" ".join(str(facets.types[name]) for name in _types(assessment) if name in facets.types),
        parts=" ".join(str(facets.parts[name]) for name in _parts(assessment) if name in facets.parts),
        small=_small_address(number, stem, small) or quote(drawn),
        large=quote(large if is_plain else drawn),
        is_plain=is_plain,
        units=size_in_units(assessment),
        verdict=verdict,
        markings=[_marking(finding, assessment, words) for finding in by_area],
        below=[
            (f"{words.damage(one.type)}, {words.CERTAINTIES[certainty_of(one.confidence)]}", hex_colour(one.type))
            for one in assessment.types or ()
            if not assessment.findings
        ],
        lines=lines,
        json=quote(f"{stem}.json"),
        drawn=quote(drawn),
    )


def _small_address(number: int, stem: str, small: bytes | None) -> str:
    if small is None:
        return ""
    if number > MOST_HELD:
        return quote(small_picture(stem))
    return f"data:image/webp;base64,{base64.b64encode(small).decode('ascii')}"


def _marking(finding: Finding, assessment: Assessment, words: Words) -> Marking:
    certainty = certainty_of(finding.confidence)
    label = words.label(finding.id, finding.type, certainty)
    return Marking(finding.id, finding_path(finding, assessment), hex_colour(finding.type), certainty, label)


def _lines(assessment: Assessment) -> tuple[str, list[tuple[str, str, str]]]:
    """The line that tells what to do, and all others: kind, the findings that it tells of, text."""
    if not assessment.report_lines:  # an answer of schema 1.0
        first, *others = assessment.report.split("\n")
        return first, [("", "", text) for text in others]
    verdict = next((line for line in assessment.report_lines if line.kind == "verdict"), assessment.report_lines[0])
    return verdict.text, [
        (line.kind, " ".join(map(str, line.findings)), line.text)
        for line in assessment.report_lines
        if line is not verdict and line.kind != "parts"
    ]


def _types(assessment: Assessment) -> list[str]:
    """Types that a photo is told to show, each once."""
    told: list[Finding | PhotoType] = [*assessment.findings, *(assessment.types or ())]
    return list(dict.fromkeys(one.type for one in told))


def _parts(assessment: Assessment) -> list[str]:
    """Parts that its findings are at, each once."""
    return list(dict.fromkeys(part.name for finding in assessment.findings for part in finding.parts))

"""`Assessment`: the answer for one photo, as pydantic models and versioned JSON.

Fields never change their meaning within a major `schema_version`. `findings` and `parts` are always lists; `vehicle`, `damage`,
`types`, `severity` and `mask` may be `null`, and `null` means *not judged*. The same photo, bundle, settings and Dentify version
give the same bytes, so no clock time stands in here. `python -m dentify.assessment` prints the JSON Schema.

Schema 1.1 added `types`, `report_lines` and `settings.language`. Documents of 1.0 are read as well, and have none of them. Schema
1.2 added `settings.tiles`; a document without it is one of 1.1.
"""

from __future__ import annotations

import json
import os
import reprlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, SupportsFloat

from pydantic import Field, PrivateAttr

from dentify.certainty import certainty_of
from dentify.errors import InputError, printable
from dentify.languages import Language
from dentify.strict import Strict

if TYPE_CHECKING:
    from PIL.Image import Image

    from dentify.arrays import BoolArray
    from dentify.imaging.given import PhotoLike

SCHEMA_VERSION: Literal["1.1"] = "1.1"
WITH_TILES: Literal["1.2"] = "1.2"
"""Of answers whose settings name tiles."""

Confidence = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Box = tuple[float, float, float, float]
QualityIssue = Literal["too_dark", "too_bright", "blurred", "too_small", "not_a_photo", "several_photos", "damaged_file"]
SeverityLevel = Literal["minor", "moderate", "severe"]
ReviewCode = Literal["low_confidence", "stages_disagree", "poor_quality", "weak_type", "several_vehicles"]

ReportLineKind = Literal["quality", "verdict", "vehicle", "types", "finding", "review", "parts", "not_judged", "note"]


def rounded(value: SupportsFloat, digits: int) -> float:
    """A share or a confidence as a document tells it: within 0 and 1, to so many digits."""
    return min(max(round(float(value), digits), 0.0), 1.0)


class Photo(Strict):
    """The photo that was assessed. `width` and `height` are those of the full photo, upright."""

    name: str
    sha256: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    captured_at: datetime | None = Field(None, description="when it was taken, from EXIF, without a guess at the time zone")


class BundleIdentity(Strict):
    """Which bundle answered. `sha256` is that of its manifest, which holds the hashes of all its files."""

    name: str
    version: str
    sha256: str


class Quality(Strict):
    """Whether the photo can be trusted to show damage."""

    usable: bool
    issues: tuple[QualityIssue, ...] = ()


class Presence(Strict):
    """The answer of a gate: is there a vehicle, is it damaged. `confidence` is that of the answer given."""

    present: bool
    confidence: Confidence


class PhotoType(Strict):
    """A damage type that the photo shows as a whole. Where it lies is not said."""

    type: str
    confidence: Confidence


class Mask(Strict):
    """COCO's compressed run-length encoding. `size` is `(height, width)` of the upright photo."""

    size: tuple[int, int]
    counts: str

    def to_array(self) -> BoolArray:
        """The mask as `(height, width)` booleans of the upright photo.

        Raises:
            ShapeError: its runs do not fit its size.
        """
        from dentify.imaging.masks import rle_decode

        return rle_decode(self)

    def __repr__(self) -> str:
        return f"Mask(size={self.size}, counts={reprlib.repr(self.counts)})"


class PartOfFinding(Strict):
    """A part that a finding is told at: it lies on it, or beside it where no part can be made out."""

    name: str
    confidence: Confidence
    share_of_finding: Share = Field(description="of the finding's pixels, those on the part")
    share_of_part: Share = Field(description="of the part's visible pixels, those in the finding")


class Severity(Strict):
    """How bad it is."""

    level: SeverityLevel
    confidence: Confidence


class Finding(Strict):
    """One damage. `box` is `(x_min, y_min, x_max, y_max)` in pixels of the upright photo."""

    id: int = Field(ge=1)
    type: str
    confidence: Confidence = Field(description="calibrated: of findings told at 0.8, four in five are right")
    box: Box
    mask: Mask | None
    area_share: Share = Field(description="of the photo's pixels, those in the finding")
    parts: tuple[PartOfFinding, ...] = Field((), description="the one that it is at first; empty where it is at none")
    severity: Severity | None

    def mask_array(self) -> BoolArray | None:
        """`(height, width)` booleans of the upright photo; `None` where nothing finer than the box is known."""
        return None if self.mask is None else self.mask.to_array()

    def __repr__(self) -> str:
        at = f" at {', '.join(part.name for part in self.parts)}" if self.parts else ""
        return f"<Finding {self.id}: {self.type}{at}, {certainty_of(self.confidence)} ({self.confidence:.2f})>"


class FoundPart(Strict):
    """One part of the vehicle that is visible in the photo."""

    name: str
    confidence: Confidence
    box: Box
    mask: Mask | None

    def mask_array(self) -> BoolArray | None:
        """`(height, width)` booleans of the upright photo; `None` where nothing finer than the box is known."""
        return None if self.mask is None else self.mask.to_array()

    def __repr__(self) -> str:
        return f"<FoundPart {self.name}, {certainty_of(self.confidence)} ({self.confidence:.2f})>"


class ReviewReason(Strict):
    """One reason why a person should look, about one finding or (`null`) about the photo."""

    code: ReviewCode
    finding: int | None = None
    text: str


class Review(Strict):
    """Whether a person should look, and at what."""

    needed: bool
    reasons: tuple[ReviewReason, ...] = ()


class ReportLine(Strict):
    """One line of the report, and what in this document it follows from."""

    kind: ReportLineKind
    text: str
    sources: tuple[str, ...] = Field(description="the fields of this document that it follows from")
    findings: tuple[int, ...] = Field((), description="the findings that it tells of, by id")


class AnswerSettings(Strict):
    """What the answer depends on beside photo and bundle."""

    score_threshold: float | None = Field(None, description="null: the bundle's own thresholds, one a type")
    gates: bool = True
    language: Language = Field("en", description="of the report and of the reasons for review")
    tiles: Literal["auto", "off"] | int | None = Field(
        None, description="tiles in which damage was looked for, where not as the bundle says; left out elsewhere (1.2)"
    )


class _KnownPhoto:
    """The photo that an answer is about, as it was given. It is no part of the answer: it makes no two of them differ.

    Copies for other processes keep a path and nothing larger.
    """

    def __init__(self, photo: PhotoLike | None = None) -> None:
        self.photo = photo

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _KnownPhoto)

    def __hash__(self) -> int:
        return 0

    def __reduce__(self) -> tuple[type[_KnownPhoto], tuple[object]]:
        return _KnownPhoto, (self.photo if isinstance(self.photo, str | os.PathLike) else None,)


class Assessment(Strict):
    """What Dentify says about one photo."""

    schema_version: Literal["1.0", "1.1", "1.2"] = SCHEMA_VERSION
    photo: Photo
    bundle: BundleIdentity
    quality: Quality
    vehicle: Presence | None
    damage: Presence | None
    types: tuple[PhotoType, ...] | None = Field(
        None,
        description="damage types that the photo shows as a whole, most confident first; null: this bundle does not judge that",
    )
    findings: tuple[Finding, ...] = ()
    parts: tuple[FoundPart, ...] = ()
    severity: Severity | None
    review: Review
    not_judged: tuple[str, ...] = Field(
        (),
        description="damage types that this bundle never tells: it was not taught them, or not well enough",
    )
    report: str = Field(description="what people read, several lines: `report_lines` but for the parts in view")
    report_lines: tuple[ReportLine, ...] = Field((), description="what to do, then a line a finding, then what else matters")
    notes: tuple[str, ...] = Field((), description="what was done to the input that a reader should know")
    settings: AnswerSettings = AnswerSettings()
    dentify_version: str
    _photo: _KnownPhoto = PrivateAttr(default_factory=_KnownPhoto)

    @property
    def known_photo(self) -> PhotoLike | None:
        """The photo as it was given to `Assessor.assess`; `None` for an answer read from JSON."""
        return self._photo.photo

    def with_photo(self, photo: PhotoLike) -> Assessment:
        """The same answer, which knows its photo."""
        self._photo = _KnownPhoto(photo)
        return self

    def draw(self, photo: PhotoLike | None = None, *, parts: bool = False) -> Image:
        """The photo with what was found on it, as a Pillow picture, at most 2,000 pixels on its longer side.

        Args:
            photo: the photo, for an answer that does not know it any more, such as one read from JSON.
            parts: outline the parts in view as well.

        Raises:
            InputError: no photo is known, or `photo` has another size than the one assessed.
            ImageError: it cannot be read any more.
        """
        from dentify import showing

        given = self.known_photo if photo is None else photo
        if given is None:
            raise InputError(f"{printable(self.photo.name)}: this answer does not know its photo; give it: draw(photo)")
        return showing.draw(self, given, parts=parts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the answer as `.json` or `.txt`, or what `draw` draws as `.jpg` or `.png`; what was there is replaced.

        Raises:
            InputError: the name ends in something else, or no photo is known.
            OutputError: the file cannot be written.
        """
        from dentify import showing

        showing.save(self, path)

    def __str__(self) -> str:
        return self.report

    def __repr__(self) -> str:
        first = self.report.partition("\n")[0].rstrip(".")
        count = len(self.findings)
        return f"<Assessment of {printable(self.photo.name)}: {first}; {count} finding{'' if count == 1 else 's'}>"

    def _repr_html_(self) -> str:
        """Notebooks show picture and report."""
        from dentify import showing

        return showing.to_html(self)

    def to_json(self, *, indent: int | None = None) -> str:
        """The document as JSON: UTF-8 text, keys in the schema's order, no trailing newline."""
        left_out = {"settings": {"tiles"}} if self.settings.tiles is None else None
        return self.model_dump_json(indent=indent, exclude=left_out)


def json_schema() -> dict[str, object]:
    """JSON Schema of the answer (draft 2020-12)."""
    schema: dict[str, object] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema.update(Assessment.model_json_schema(mode="serialization"))
    return schema


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))

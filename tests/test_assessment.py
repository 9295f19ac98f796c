"""The answer's document: its version, and that documents of before are still read."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dentify.assessment import AnswerSettings, Assessment, BundleIdentity, Photo, PhotoType, Quality, Review


@pytest.fixture
def assessment() -> Assessment:
    return Assessment(
        photo=Photo(name="a.jpg", sha256="", width=4, height=3),
        bundle=BundleIdentity(name="tiny", version="1", sha256=""),
        quality=Quality(usable=True),
        vehicle=None,
        damage=None,
        types=(PhotoType(type="dent", confidence=0.9),),
        severity=None,
        review=Review(needed=False),
        report="",
        dentify_version="0",
    )


def test_types_stand_beside_the_other_answers_for_the_whole_photo(assessment: Assessment) -> None:
    document = json.loads(assessment.to_json())
    assert document["schema_version"] == "1.1"
    assert list(document)[4:7] == ["vehicle", "damage", "types"]
    assert document["types"] == [{"type": "dent", "confidence": 0.9}]
    assert Assessment.model_validate_json(assessment.to_json()) == assessment


def test_a_document_of_schema_1_0_is_read_and_judged_no_types(assessment: Assessment) -> None:
    document = json.loads(assessment.to_json())
    del document["types"]
    earlier = Assessment.model_validate(document | {"schema_version": "1.0"})
    assert (earlier.schema_version, earlier.types) == ("1.0", None)


def test_a_document_without_lines_or_language_is_read(assessment: Assessment) -> None:
    """As those of before are, also of 1.1."""
    document = json.loads(assessment.to_json())
    del document["report_lines"]
    del document["settings"]["language"]
    earlier = Assessment.model_validate(document | {"report": "The photo clearly shows damage."})
    assert (earlier.report, earlier.report_lines, earlier.settings.language) == ("The photo clearly shows damage.", (), "en")


def test_tiles_stand_in_an_answer_only_where_somebody_named_them(assessment: Assessment) -> None:
    assert "tiles" not in json.loads(assessment.to_json())["settings"]
    named = assessment.model_copy(update={"schema_version": "1.2", "settings": AnswerSettings(tiles=3)})
    document = json.loads(named.to_json())
    assert document["settings"] == {"score_threshold": None, "gates": True, "language": "en", "tiles": 3}
    assert Assessment.model_validate_json(named.to_json()) == named


def test_a_newer_document_is_refused(assessment: Assessment) -> None:
    document = json.loads(assessment.to_json())
    with pytest.raises(ValidationError, match="schema_version"):
        Assessment.model_validate(document | {"schema_version": "1.3"})

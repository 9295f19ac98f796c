"""Rows of `summary.csv`."""

from __future__ import annotations

import pytest

from dentify.assessment import PhotoType
from dentify.summary import summary_cells, summary_columns
from written_results import TYPES, result


@pytest.mark.parametrize(
    ("types", "told"), [(None, ""), ((), "none"), ((("dent", 0.9), ("=hail", 0.5)), "dent; =hail"), ((("=hail", 0.5),), "'=hail")]
)
def test_the_summary_tells_types_of_the_photo(types: tuple[tuple[str, float], ...] | None, told: str) -> None:
    of_photo = None if types is None else tuple(PhotoType(type=name, confidence=sure) for name, sure in types)
    plain = result("a.jpg").assessment
    assessment = plain.model_copy(update={"types": of_photo, "not_judged": ("crack",)})
    row = dict(zip(summary_columns(TYPES), summary_cells(assessment, TYPES), strict=False))
    assert (row["types"], row["findings"], row["dent"], row["crack"]) == (told, "0", "0", "")
    alone = dict(zip(summary_columns(["crack"]), summary_cells(assessment, ["crack"]), strict=False))
    assert alone["findings"] == ("0" if types is None else "")  # none of the types is one that findings are told of

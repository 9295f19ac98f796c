"""The worst mistakes of an evaluation, of the tiny bundle on painted photos."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import dentify
from dentify.evaluation import Mistakes, evaluate
from dentify.evaluation.mistakes import KINDS
from dentify.testing import tiny_bundle
from painted_samples import mixed_samples, painted


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> dentify.Assessor:
    return dentify.load(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", photo_types=True))


@pytest.fixture(scope="module")
def mistakes(assessor: dentify.Assessor) -> Mistakes:
    gathered = Mistakes()
    evaluate(assessor, mixed_samples(), resamples=2, mistakes=gathered)
    return gathered


def test_wrong_answers_are_told_with_their_confidence(mistakes: Mistakes) -> None:
    assert [(one.photo, one.text) for one in mistakes.of("damage")] == [
        ("alarm.png", "is undamaged, told damaged (1.00)"),
        ("weak.png", "is damaged, told undamaged (0.56)"),
    ]
    assert mistakes.of("vehicle") == []
    types = {one.photo: one.text for one in mistakes.of("types")}
    assert types["alarm.png"] == "told dent (1.00), shows none of them"
    assert set(types) == {"weak.png", "odd.png", "alarm.png"}


def test_wrong_findings_and_missed_damages_are_told_the_surest_and_biggest_first(mistakes: Mistakes) -> None:
    findings = [(one.photo, one.text.split(" (")[0]) for one in mistakes.of("findings")]
    assert findings == [("alarm.png", "told dent"), ("odd.png", "told scratch")]
    missed = [(one.photo, one.text) for one in mistakes.of("missed")]
    assert missed == [("weak.png", "dent, 1.6 % of the photo"), ("odd.png", "dent, 1.6 % of the photo")]
    assert mistakes.of("missed")[0].rank == (64 / 4096,)


def test_each_is_a_small_picture(mistakes: Mistakes) -> None:
    for kind in KINDS:
        for one in mistakes.of(kind):
            with Image.open(io.BytesIO(one.jpeg)) as picture:
                assert picture.format == "JPEG"
                assert max(picture.size) == 320
            assert len(one.jpeg) < 40_000


def test_however_many_photos_come_the_worst_few_are_kept(assessor: dentify.Assessor) -> None:
    gathered = Mistakes(most=3)
    strengths = [0.62, 0.9, 0.7, 0.66, 1.0, 0.8]
    alarms = [painted(f"{strength}.png", [("dent", strength)], annotated=[]) for strength in strengths]
    evaluate(assessor, alarms, resamples=2, mistakes=gathered)
    assert [one.photo for one in gathered.of("findings")] == ["1.0.png", "0.9.png", "0.8.png"]
    assert all(len(gathered.of(kind)) <= 3 for kind in KINDS)


def test_a_photo_that_has_gone_since_is_left_out(assessor: dentify.Assessor, tmp_path: Path) -> None:
    """A picture is read to be assessed and, where it is among the worst, once more to be drawn."""
    from dentify.evaluation.judge import Asking, Judge
    from dentify.evaluation.results import Pass

    alarm = painted("alarm.png", [("dent", 1.0)], annotated=[])
    assert isinstance(alarm.image, bytes)
    (tmp_path / "alarm.png").write_bytes(alarm.image)
    how = Pass(score_threshold=None, gates=True)
    judge, gathered = Judge(assessor, Asking(told=how, scored=how)), Mistakes()
    assessed = judge.assess(replace(alarm, image=tmp_path / "alarm.png"))
    (tmp_path / "alarm.png").unlink()
    gathered.collect(assessed, judge.add(assessed))
    assert not any(gathered.of(kind) for kind in KINDS)

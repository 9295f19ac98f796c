"""The tiny bundle does what its documentation says, so that others may rely on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dentify
from dentify.assessor import Assessor
from dentify.testing import PARTS, TYPES, Damage, paint_photo, tiny_bundle, tiny_classifier, tiny_onnx


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> Assessor:
    return dentify.load(tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle"), threads=1)


def test_it_is_tiny_and_always_the_same() -> None:
    assert len(tiny_onnx()) < 5000
    assert tiny_onnx() == tiny_onnx()


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_told_where_it_was_painted(assessor: Assessor, name: str) -> None:
    (finding,) = assessor.assess(paint_photo(damages=[Damage(name, (0.25, 0.5, 0.5, 0.75))])).findings
    assert (finding.type, finding.box) == (name, (192.0, 256.0, 384.0, 384.0))


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_told_and_named_by_a_dent_on_it(assessor: Assessor, name: str) -> None:
    box = (0.25, 0.25, 0.75, 0.75)
    assessment = assessor.assess(paint_photo(parts={name: box}, damages=[Damage("dent", (0.375, 0.375, 0.5, 0.5))]))
    assert [(part.name, part.box) for part in assessment.parts] == [(name, (192.0, 128.0, 576.0, 384.0))]
    assert [part.name for part in assessment.findings[0].parts] == [name]


@pytest.mark.parametrize(
    ("strength", "confidence", "level"), [(0.7, 0.88, "minor"), (0.85, 0.99, "moderate"), (1.0, 1.0, "severe")]
)
def test_strength_is_confidence_and_severity(assessor: Assessor, strength: float, confidence: float, level: str) -> None:
    (finding,) = assessor.assess(paint_photo(damages=[Damage("scratch", (0.25, 0.5, 0.5, 0.75), strength)])).findings
    assert finding.confidence == pytest.approx(confidence, abs=0.01)
    assert finding.severity is not None
    assert finding.severity.level == level


@pytest.mark.parametrize("size_hw", [(64, 64), (480, 640), (3000, 4000)])
def test_photos_of_any_size_are_understood(assessor: Assessor, size_hw: tuple[int, int]) -> None:
    photo = paint_photo(size_hw=size_hw, damages=[Damage("dent", (0.25, 0.5, 0.5, 0.75))])
    (finding,) = assessor.assess(photo).findings
    assert finding.type == "dent"
    assert finding.area_share == pytest.approx(1 / 16, rel=0.1)


def test_without_the_onnx_package_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['onnx'] = None; from dentify.testing import tiny_bundle; tiny_bundle('b')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 'MissingExtraError: The tiny bundle needs more packages: pip install "dentify[train]"' in done.stderr
    assert not list(tmp_path.iterdir())


PLACE = {"box": (0.25, 0.375, 0.375, 0.5)}  # 1.6 % of the photo


@pytest.mark.parametrize("name", TYPES)
def test_the_classifier_tells_what_the_photo_shows(tmp_path: Path, name: str) -> None:
    for exclusive, confidence in ((False, 0.998), (True, 1.0)):
        classifier = dentify.load(tiny_classifier(tmp_path / str(exclusive), exclusive=exclusive), threads=1)
        assessment = classifier.assess(paint_photo(parts={"hood": (0, 0, 0.5, 0.5)}, damages=[Damage(name, **PLACE)]))
        assert assessment.types is not None
        assert [(one.type, one.confidence) for one in assessment.types] == [(name, confidence)]
        assert (assessment.vehicle, assessment.damage, assessment.findings, assessment.parts) == (None, None, (), ())
        sound = classifier.assess(paint_photo(parts={"hood": (0, 0, 0.5, 0.5)}))
        assert sound.types == ()

"""An answer as a picture, a file, and what a notebook shows."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dentify
from dentify.errors import ImageError, InputError, OutputError
from dentify.testing import Damage, paint_photo, tiny_bundle

PHOTO = paint_photo(parts={"hood": (0.1, 0.25, 0.5, 0.75)}, damages=[Damage("dent", (0.25, 0.375, 0.375, 0.5))])


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> dentify.Assessor:
    return dentify.load(tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle"), threads=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_an_answer_draws_on_the_photo_that_it_was_given(assessor: dentify.Assessor, path: Path) -> None:
    drawings = [
        np.asarray(assessor.assess(photo).draw())
        for photo in (path, str(path), path.read_bytes(), Image.open(path), PHOTO, assessor.decode(path))
    ]
    for drawn in drawings:
        assert np.array_equal(drawn, drawings[0])
    plain = assessor.assess(paint_photo()).draw()
    assert plain.mode == "RGB"
    assert np.asarray(plain).shape != drawings[0].shape or not np.array_equal(plain, drawings[0])


def test_parts_are_drawn_on_request(assessor: dentify.Assessor) -> None:
    assessment = assessor.assess(PHOTO)
    assert not np.array_equal(assessment.draw(), assessment.draw(parts=True))


def test_an_answer_read_from_json_is_given_its_photo(assessor: dentify.Assessor, path: Path) -> None:
    assessment = assessor.assess(path)
    read = dentify.Assessment.model_validate_json(assessment.to_json())
    with pytest.raises(InputError, match=r"does not know its photo; give it: draw\(photo\)"):
        read.draw()
    assert np.array_equal(read.draw(path), assessment.draw())
    assert np.array_equal(read.with_photo(path).draw(), assessment.draw())


def test_another_photo_is_refused_and_one_that_is_gone_told(assessor: dentify.Assessor, path: Path) -> None:
    assessment = assessor.assess(path)
    with pytest.raises(InputError, match=r"assessed at \d+ × \d+ pixels, this photo has 30 × 20; give that one"):
        assessment.draw(np.zeros((20, 30, 3), np.uint8))
    path.unlink()
    with pytest.raises(ImageError, match=r"photo\.png: cannot be read"):
        assessment.draw()


def test_the_photo_is_no_part_of_the_answer(assessor: dentify.Assessor, path: Path) -> None:
    """Two answers are equal though one was read from bytes; a copy for another process keeps a path, and no pixels."""
    by_path, by_array = assessor.assess(path), assessor.assess(PHOTO, name=str(path))
    assert "photo" not in by_path.model_dump(exclude={"photo"})
    assert by_path == by_path.model_copy() == dentify.Assessment.model_validate_json(by_path.to_json())
    assert pickle.loads(pickle.dumps(by_path)).known_photo == path
    assert pickle.loads(pickle.dumps(by_array)).known_photo is None
    assert len(pickle.dumps(by_array)) < 20_000


@pytest.mark.parametrize("name", ["answer.json", "answer.txt", "answer.JPG", "answer.jpeg", "answer.png"])
def test_an_answer_is_saved_as_its_name_says(assessor: dentify.Assessor, tmp_path: Path, name: str) -> None:
    assessment = assessor.assess(PHOTO)
    assessment.save(tmp_path / name)
    if name.endswith(".json"):
        assert dentify.Assessment.model_validate_json((tmp_path / name).read_bytes()) == assessment
    elif name.endswith(".txt"):
        assert (tmp_path / name).read_text() == f"{assessment.report}\n"
    else:
        with Image.open(tmp_path / name) as picture:
            assert picture.size == assessment.draw().size
            assert picture.format == ("PNG" if name.endswith(".png") else "JPEG")


def test_other_names_are_refused_and_nothing_is_left(assessor: dentify.Assessor, tmp_path: Path) -> None:
    assessment = assessor.assess(PHOTO)
    with pytest.raises(InputError, match=r"answer\.pdf: an answer is saved as \.json, \.txt, \.jpg or \.png"):
        assessment.save(tmp_path / "answer.pdf")
    (tmp_path / "a_file").touch()
    with pytest.raises(OutputError):
        assessment.save(tmp_path / "a_file" / "answer.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


def test_a_notebook_shows_picture_and_text(assessor: dentify.Assessor, path: Path) -> None:
    assessment = assessor.assess(path, name='<b>"a".jpg')
    shown = assessment._repr_html_()
    assert shown.startswith('<img src="data:image/jpeg;base64,')
    assert "<b>" not in shown
    assert assessment.report.splitlines()[0] in shown
    path.unlink()
    gone = assessment._repr_html_()
    assert "<img" not in gone
    assert "cannot be read" in gone
    read = dentify.Assessment.model_validate_json(assessment.to_json())
    assert read._repr_html_() == f"<pre>{assessment.report}</pre>"


def test_reprs_are_a_line(assessor: dentify.Assessor) -> None:
    assessment = assessor.assess(PHOTO, name="a\nb.jpg")
    assert repr(assessment).startswith(r"<Assessment of a\nb.jpg: Likely repair")
    assert repr(assessment).endswith("; 1 finding>")
    assert str(assessment) == assessment.report
    told = [assessment, *assessment.findings, *assessment.parts, assessment.findings[0].mask]
    assert all(len(repr(one)) < 120 and "\n" not in repr(one) for one in told)
    assert repr(assessment.findings[0]).startswith("<Finding 1: dent at hood, ")


def test_masks_are_arrays(assessor: dentify.Assessor) -> None:
    assessment = assessor.assess(PHOTO)
    finding = assessment.findings[0]
    mask = finding.mask_array()
    assert mask is not None
    assert mask.dtype == np.bool_
    assert mask.shape == PHOTO.shape[:2]
    assert mask.mean() == pytest.approx(finding.area_share, abs=1e-4)
    assert finding.model_copy(update={"mask": None}).mask_array() is None
    assert assessment.parts[0].mask_array() is not None

"""CarDD's release, recognised by its folders, and its published figures beside a bundle's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import dentify
from cardd_release import HW, write_release
from dentify.datasets import open_dataset
from dentify.errors import DatasetError
from dentify.evaluation import Evaluation, evaluate, evaluation_table
from dentify.evaluation.cardd import MODELS, TYPES, Release, benchmark_of, mask_samples, release_at
from dentify.evaluation.results import Benchmark
from dentify.settings import Settings
from dentify.testing import tiny_bundle

SETTINGS = Settings()
PHOTOS = {"train": [("dent", 1.0)] * 2, "val": [("dent", 1.0)], "test": [("dent", 1.0), ("dent", 0.3), ("crack", 1.0)]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("unpacked") / "CarDD_release", PHOTOS)


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> dentify.Assessor:
    return dentify.load(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"), threads=1)


@pytest.mark.parametrize(
    ("named", "asked", "read", "split", "masks"),
    [
        pytest.param(".", None, "CarDD_COCO", "test", False, id="the release is its test split's outlines"),
        pytest.param("..", None, "CarDD_COCO", "test", False, id="unpacked into a folder of its own"),
        pytest.param(".", "val", "CarDD_COCO", "val", False, id="or those of the split that is asked for"),
        pytest.param("CarDD_COCO", None, "CarDD_COCO", "test", False, id="outlines"),
        pytest.param("CarDD_SOD", None, "CarDD_SOD", "test", True, id="masks"),
        pytest.param("CarDD_SOD", "train", "CarDD_SOD", "train", True, id="masks of a split"),
        pytest.param("CarDD_SOD/CarDD-VAL", None, "CarDD_SOD", "val", True, id="a folder of masks"),
        pytest.param(
            "CarDD_COCO/annotations/instances_val2017.json",
            None,
            "CarDD_COCO/annotations/instances_val2017.json",
            "val",
            False,
            id="a file of outlines",
        ),
    ],
)
def test_it_is_recognised_by_its_layout(root: Path, named: str, asked: str | None, read: str, split: str, masks: bool) -> None:
    release = release_at(root / named, asked, SETTINGS)
    assert release is not None
    assert (release.path.resolve(), release.split, release.masks) == ((root / read).resolve(), split, masks)
    assert release.benchmark == Benchmark(name="CarDD", split=split)


def test_cocos_own_files_are_not_cardds_though_they_have_their_names(tmp_path: Path) -> None:
    file = tmp_path / "annotations" / "instances_val2017.json"
    file.parent.mkdir()
    words = ["person", "car", "dent"]
    file.write_text(
        json.dumps({"images": [], "annotations": [], "categories": [{"id": n, "name": w} for n, w in enumerate(words)]})
    )
    assert release_at(tmp_path, None, SETTINGS) is None
    assert release_at(file, None, SETTINGS) is None
    file.write_text("{")
    assert release_at(file, None, SETTINGS) is None  # its reader says what is wrong with it
    for other in ([], {"categories": 3}, {"categories": [3]}, {"categories": [{"name": None}]}):
        file.write_text(json.dumps(other))
        assert release_at(file, None, SETTINGS) is None
    assert release_at(tmp_path / "nowhere", None, SETTINGS) is None


def test_where_the_test_split_is_not_there_the_last_one_is_taken(tmp_path: Path) -> None:
    root = write_release(tmp_path, {"train": [("dent", 1.0)], "val": [("dent", 1.0)]})
    for half in (root, root / "CarDD_SOD"):
        release = release_at(half, None, SETTINGS)
        assert release is not None
        assert release.split == "val"


def test_figures_are_compared_where_one_release_is_all_that_is_labelled(root: Path) -> None:
    release = release_at(root, None, SETTINGS)
    assert benchmark_of([release]) == Benchmark(name="CarDD", split="test")
    assert benchmark_of([]) is benchmark_of([None]) is benchmark_of([release, None]) is benchmark_of([release, release]) is None
    assert release is not None
    assert replace(release, split=None).benchmark is None


def test_masks_are_damage_of_a_type_that_nobody_told(root: Path) -> None:
    samples = list(mask_samples(Release(root / "CarDD_SOD", None, masks=True), SETTINGS))
    assert [sample.split for sample in samples] == ["train", "train", "val", "test", "test", "test"]
    outlined = {sample.name: sample for sample in open_dataset(root / "CarDD_COCO")}
    for sample in samples:
        (mask,), (outline,) = sample.annotations, outlined[sample.name].annotations
        assert (sample.size_hw, sample.labelled, sample.damage) == (HW, frozenset({"damage"}), True)
        assert (mask.name, mask.box_xyxy) == ("damage", outline.box_xyxy)
        assert mask.area == outline.area
        assert isinstance(sample.image, Path)
        assert sample.image.parent.name == f"{Path(sample.where).parts[-3]}-Image"


def test_masks_without_their_photo_or_that_are_none_are_one_line(tmp_path: Path) -> None:
    root = write_release(tmp_path, {"test": [("dent", 1.0)]}) / "CarDD_SOD"
    release = Release(root, "test", masks=True)
    photo = root / "CarDD-TE" / "CarDD-TE-Image" / "000001.jpg"
    mask = root / "CarDD-TE" / "CarDD-TE-Mask" / "000001.png"
    data = photo.read_bytes()
    photo.unlink()
    with pytest.raises(DatasetError) as caught:
        list(mask_samples(release, SETTINGS))
    assert str(caught.value) == f"{mask}: its photo {photo} is not there"
    (tmp_path / "elsewhere.jpg").write_bytes(data)
    photo.symlink_to(tmp_path / "elsewhere.jpg")
    with pytest.raises(DatasetError, match=r"000001\.jpg: is a link that leads out of the data set"):
        list(mask_samples(release, SETTINGS))
    assert len(list(mask_samples(release, Settings(follow_links=True)))) == 1
    photo.unlink()
    photo.write_bytes(data)
    mask.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"000001\.png"):
        list(mask_samples(release, SETTINGS))
    mask.unlink()
    for split, told in (("test", " of split 'test'"), ("val", " of split 'val'"), ("../..", " of split '../..'"), (None, "")):
        with pytest.raises(DatasetError) as nothing:
            list(mask_samples(replace(release, split=split), SETTINGS))
        assert str(nothing.value) == f"{root}: holds no photo{told}"


def test_a_mask_is_white_from_half_grey_on_and_may_be_coloured_or_black(tmp_path: Path) -> None:
    root = write_release(tmp_path, {"test": [("dent", 1.0)]}) / "CarDD_SOD"
    mask = root / "CarDD-TE" / "CarDD-TE-Mask" / "000001.png"
    release = Release(root, "test", masks=True)
    with Image.open(mask) as picture:
        grey = picture.point(lambda value: 128 if value else 127)
    for mode in ("L", "RGB"):
        grey.convert(mode).save(mask)
        (sample,) = mask_samples(release, SETTINGS)
        assert sample.annotations[0].area == HW[0] / 4 * HW[1] / 4
    Image.new("L", HW[::-1]).save(mask)
    (sample,) = mask_samples(release, SETTINGS)
    assert (sample.annotations, sample.damage) == ((), False)


# --- its table ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outlines(root: Path, assessor: dentify.Assessor) -> Evaluation:
    release = release_at(root, None, SETTINGS)
    assert release is not None
    samples = [sample for sample in open_dataset(release.path) if sample.split == release.split]
    return evaluate(assessor, samples, resamples=2, benchmark=release.benchmark)


def rows_of(table: str, head: str) -> list[list[str]]:
    """Rows of the table below a line, cells apart."""
    lines = table.splitlines()
    place = lines.index(head)
    end = next((n for n in range(place, len(lines)) if not lines[n]), len(lines))
    return [[cell for cell in line.split("  ") if cell] for line in lines[place + 1 : end]]


def test_published_figures_stand_beside_ours(outlines: Evaluation) -> None:
    table = evaluation_table(outlines)
    head, ours, *published = rows_of(table, "CarDD: what was published of its test split")
    assert [cell.strip() for cell in head] == ["mask AP", "AP50", "AP75", "APs", "APm", "APl", "box AP", "AP50", "AP75"]
    assert outlines.damage is not None
    dent, crack = outlines.damage.names["dent"], outlines.damage.names["crack"]
    assert dent.mask is not None
    assert dent.mask.AP50 is not None
    assert crack.mask is not None
    assert (crack.taught, crack.mask.AP50) == (False, 0.0)
    assert ours[0] == "tiny 1.0.0"
    assert float(ours[2]) == pytest.approx(dent.mask.AP50 / 2, abs=1e-3)  # the mean of dents, and of cracks that it never learnt
    assert [row[0] for row in published[: len(MODELS)]] == [one.model for one in MODELS]
    assert [cell.strip() for cell in published[0][1:4]] == ["0.570", "0.777", "0.584"]
    assert "in this bundle's means, though it was never taught them: crack" in table


def test_types_stand_beside_those_of_the_models_whose_types_were_published(outlines: Evaluation) -> None:
    lines = evaluation_table(outlines).splitlines()
    place = next(n for n, line in enumerate(lines) if "mask AP: DCN+ R101" in line)
    assert lines[place].split("  ")[-1].strip() == "box AP: RF-DETR-Seg-Medium"
    rows = [line.split() for line in lines[place + 1 : place + 7]]
    assert [row[0] for row in rows] == list(TYPES)
    assert rows[2] == ["crack", "0.000", "0.166", "0.207", "0.000", "0.296", "0.294"]
    assert rows[1] == ["scratch", "–", "0.343", "0.343", "–", "0.423", "0.414"]


def test_the_means_of_models_are_those_of_their_types() -> None:
    """Both were published: a slip of the pen in either would show."""
    for model in (one for one in MODELS if one.types):
        for side, whole in ((0, model.mask[0]), (1, model.box[0])):
            assert sum(pair[side] for pair in model.types) / len(TYPES) == pytest.approx(whole, abs=1e-3)


def test_masks_alone_have_salient_object_scores_alone(root: Path, assessor: dentify.Assessor) -> None:
    release = release_at(root / "CarDD_SOD", "val", SETTINGS)
    assert release is not None
    result = evaluate(assessor, mask_samples(release, SETTINGS), resamples=2, benchmark=release.benchmark)
    table = evaluation_table(result)
    assert "CarDD: what was published" not in table
    head, best, mean, *published = rows_of(
        table, "CarDD: salient-object scores published of its test split, this bundle's of its val split"
    )
    assert [cell.strip() for cell in head] == ["F", "weighted F", "S", "E", "MAE"]
    assert (best[0], mean[0]) == ("tiny 1.0.0, best threshold", "tiny 1.0.0, mean of thresholds")
    assert result.saliency is not None
    assert result.saliency.mae.value is not None
    assert float(best[5]) == pytest.approx(result.saliency.mae.value, abs=1e-3)
    assert [cell.strip() for cell in published[0]] == ["SGL-KRN", "0.791", "0.744", "0.809", "0.884", "0.071"]
    assert [cell.strip() for cell in published[1]] == ["PoolNet", "–", "–", "0.811", "–", "0.071"]


def test_other_data_sets_have_no_such_table(outlines: Evaluation) -> None:
    assert "CarDD" not in evaluation_table(outlines.model_copy(update={"benchmark": None}))


def test_scores_of_masks_are_those_of_outlines(root: Path, assessor: dentify.Assessor, outlines: Evaluation) -> None:
    release = Release(root / "CarDD_SOD", "test", masks=True)
    of_masks = evaluate(assessor, mask_samples(release, SETTINGS), resamples=2).saliency
    assert outlines.saliency is not None
    assert of_masks is not None
    assert of_masks.s.value == pytest.approx(outlines.saliency.s.value)
    assert of_masks.photos == 3

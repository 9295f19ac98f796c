"""The photos of a recipe: which of a data set, under which names, and from whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.datasets import Sample
from dentify.errors import ConfigError, DatasetError
from dentify.planning import find_recipe
from dentify.training.classes import Classes
from dentify.training.photos import check_origins, read_photo_set, read_run_photos
from dentify.training.recipe import PhotoSet, Recipe, read_recipe
from written_samples import HEIGHT, WIDTH, png

CLASSES = Classes(damage=("dent", "hail_mark"), parts=("hood",))


def coco(path: Path, names: Sequence[str], labelled: Sequence[str], **of_photos: Any) -> None:
    """A label file in COCO's JSON, with a photo an annotation beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = sorted({*names, *labelled})
    images, annotations = [], []
    for number, name in enumerate(names):
        (path.parent / f"{number}.png").write_bytes(png(number))
        about = {key: values[number] for key, values in of_photos.items() if values[number] is not None}
        about |= {"id": number, "file_name": f"{number}.png", "labelled": labelled}
        images.append({"width": WIDTH, "height": HEIGHT} | about)
        box = {"bbox": [2, 2, 9, 9], "area": 81, "iscrowd": 0, "segmentation": [[2, 2, 11, 2, 11, 11, 2, 11]]}
        annotations.append({"id": number, "image_id": number, "category_id": categories.index(name)} | box)
    named = [{"id": place, "name": name} for place, name in enumerate(categories)]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": named}))


def names(samples: Sequence[Sample]) -> list[str]:
    return [sample.name for sample in samples]


def test_the_recipes_own_names_are_taken_as_they_are(tmp_path: Path) -> None:
    coco(tmp_path / "train.json", ["dent", "hail_mark", "hood"], ["dent", "hail_mark", "hood"])
    samples = read_photo_set(PhotoSet(dataset="train.json"), tmp_path, "train", CLASSES)
    assert [sample.annotations[0].name for sample in samples] == ["dent", "hail_mark", "hood"]
    assert samples[0].labelled == {"dent", "hail_mark", "hood"}


def test_synonyms_of_the_taxonomy_are_known(tmp_path: Path) -> None:
    coco(tmp_path / "train.json", ["bonnet", "gocuk"], ["bonnet", "gocuk"])
    samples = read_photo_set(PhotoSet(dataset="train.json"), tmp_path, "train", CLASSES)
    assert [sample.annotations[0].name for sample in samples] == ["hood", "dent"]


def test_what_is_neither_taught_nor_known_nor_mapped_is_refused(tmp_path: Path) -> None:
    coco(tmp_path / "train.json", ["dent", "rust_spot"], ["dent", "rust_spot"])
    with pytest.raises(DatasetError, match="rust_spot"):
        read_photo_set(PhotoSet(dataset="train.json"), tmp_path, "train", CLASSES)


def test_a_label_map_says_what_words_mean(tmp_path: Path) -> None:
    coco(tmp_path / "train.json", ["hail", "rust_spot", "dent"], ["hail", "rust_spot", "dent"])
    (tmp_path / "labels.yaml").write_text("labels: {hail: hail_mark, rust_spot: null}\n")
    samples = read_photo_set(PhotoSet(dataset="train.json", labels="labels.yaml"), tmp_path, "train", CLASSES)
    assert [[one.name for one in sample.annotations] for sample in samples] == [["hail_mark"], [], ["dent"]]


def test_a_label_file_is_taken_whole_whatever_it_is_for(tmp_path: Path) -> None:
    coco(tmp_path / "some.json", ["dent", "dent"], ["dent"])
    for split in ("train", "val"):
        assert names(read_photo_set(PhotoSet(dataset="some.json"), tmp_path, split, CLASSES)) == ["0.png", "1.png"]


def test_of_a_folder_the_photos_of_the_split_are_taken(tmp_path: Path) -> None:
    coco(tmp_path / "set" / "all.json", ["dent"] * 3, ["dent"])
    (tmp_path / "set" / "splits.csv").write_text("file,split,group\n0.png,train,a\n1.png,val,b\n2.png,train,c\n")
    for split, expected in (("train", ["0.png", "2.png"]), ("val", ["1.png"])):
        assert names(read_photo_set(PhotoSet(dataset="set"), tmp_path, split, CLASSES)) == expected
    with pytest.raises(DatasetError, match="no photo of split `test`"):
        read_photo_set(PhotoSet(dataset="set"), tmp_path, "test", CLASSES)


def test_a_photo_without_a_split_is_trained_on_alone_where_others_have_one(tmp_path: Path) -> None:
    coco(tmp_path / "set" / "all.json", ["dent"] * 3, ["dent"])
    for split in ("train", "val"):
        assert len(read_photo_set(PhotoSet(dataset="set"), tmp_path, split, CLASSES)) == 3
    (tmp_path / "set" / "splits.csv").write_text("file,split,group\n0.png,train,a\n1.png,val,b\n")
    for split, expected in (("train", ["0.png", "2.png"]), ("val", ["1.png"])):
        assert names(read_photo_set(PhotoSet(dataset="set"), tmp_path, split, CLASSES)) == expected


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    coco(tmp_path / "labels" / "train.json", ["dent"], ["dent"])
    (tmp_path / "pictures").mkdir()
    (tmp_path / "labels" / "0.png").rename(tmp_path / "pictures" / "0.png")
    (sample,) = read_photo_set(PhotoSet(dataset="labels/train.json", images="pictures"), tmp_path, "train", CLASSES)
    assert sample.image == tmp_path / "pictures" / "0.png"


def test_sources_are_named_and_can_be_left_out(tmp_path: Path) -> None:
    coco(tmp_path / "train.json", ["dent"] * 3, ["dent"], source=["garage", None, "street"])
    samples = read_photo_set(PhotoSet(dataset="train.json", leave_out=("street",)), tmp_path, "train", CLASSES)
    assert [sample.source for sample in samples] == ["garage", "train"]
    coco(tmp_path / "some.json", ["dent"], ["dent"], source=["street"])
    with pytest.raises(DatasetError, match=r"some\.json: no photo of split `train`"):
        read_photo_set(PhotoSet(dataset="some.json", leave_out=("street",)), tmp_path, "train", CLASSES)


def test_photos_share_their_labels(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    (tmp_path / "photos.csv").write_text("file,source,split\n0.png,garage,train\n1.png,,train\n2.png,garage,val\n")
    sound = PhotoSet(photos="photos.csv", vehicle=True, damage=False)
    samples = read_photo_set(sound, tmp_path, "train", CLASSES)
    assert names(samples) == ["0.png", "1.png"]
    assert [(sample.vehicle, sample.damage, sample.source) for sample in samples] == [
        (True, False, "garage"),
        (True, False, "photos"),
    ]
    (street,) = read_photo_set(PhotoSet(photos="photos.csv", vehicle=False), tmp_path, "val", CLASSES)
    assert (street.name, street.vehicle, street.damage) == ("2.png", False, None)


def test_of_a_folder_of_pictures_of_which_nothing_is_known_all_are_taken(tmp_path: Path) -> None:
    """With a `photos.csv` in it those of the split are; a folder whose photos share labels needs one."""
    (tmp_path / "lot").mkdir()
    for number in range(2):
        (tmp_path / "lot" / f"{number}.png").write_bytes(png(number))
    samples = read_photo_set(PhotoSet(photos="lot"), tmp_path, "train", CLASSES)
    assert names(samples) == ["0.png", "1.png"]
    assert {(sample.vehicle, sample.damage, sample.labelled, sample.source) for sample in samples} == {
        (None, None, frozenset(), "lot")
    }
    with pytest.raises(DatasetError, match=r"a folder without photos\.csv has no splits"):
        read_photo_set(PhotoSet(photos="lot", vehicle=True), tmp_path, "train", CLASSES)
    (tmp_path / "lot" / "photos.csv").write_text("file,split\n0.png,train\n1.png,val\n")
    assert names(read_photo_set(PhotoSet(photos="lot"), tmp_path, "train", CLASSES)) == ["0.png"]


@pytest.mark.parametrize("missing", [PhotoSet(dataset="train.json"), PhotoSet(photos="street", vehicle=False)])
def test_missing_files_are_told(missing: PhotoSet, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=missing.file):
        read_photo_set(missing, tmp_path, "train", CLASSES)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe(find_recipe("default"))


def test_a_bundle_names_the_origin_of_all_its_photos(recipe: Recipe) -> None:
    known = [Sample(b"", "a", source=name) for name in recipe.origins]
    check_origins(recipe, known)
    strangers = [Sample(b"", "b", source=name) for name in ("street", "garage", "street")]
    with pytest.raises(ConfigError, match="`origins` says nothing of garage, street;"):
        check_origins(recipe, [*known, *strangers])


def run_recipe(*sets: dict[str, Any], **data: Any) -> Recipe:
    recipe = read_recipe(find_recipe("default"))
    train = tuple(PhotoSet.model_validate(one) for one in sets)
    phases = tuple(phase.model_copy(update={"per_batch": None}) for phase in recipe.phases)
    classes = recipe.classes.model_copy(update={"damage": CLASSES.damage})
    changed = recipe.data.model_copy(update={"train": train, **data})
    return recipe.model_copy(update={"data": changed, "classes": classes, "phases": phases})


def test_sources_are_left_out_of_all_sets_and_a_set_of_nothing_else_is_empty(tmp_path: Path) -> None:
    coco(tmp_path / "a/train.json", ["dent"] * 4, ["dent"], source=["one", "one", "two", "two"])
    coco(tmp_path / "b/train.json", ["dent"] * 2, ["dent"], source=["two", "two"])
    sets = ({"dataset": "a/train.json"}, {"dataset": "b/train.json"})
    photos = read_run_photos(run_recipe(*sets, leave_out=("two",), hold_out=0), tmp_path)
    assert [[sample.source for sample in samples] for samples in photos.taught] == [["one", "one"], []]
    with pytest.raises(ConfigError, match=r"data\.leave_out names 'three', which no photo is from"):
        read_run_photos(run_recipe(*sets, leave_out=("three",)), tmp_path)
    with pytest.raises(ConfigError, match=r"data\.leave_out leaves no photo to train on"):
        read_run_photos(run_recipe(*sets, leave_out=("one", "two")), tmp_path)


def test_a_photo_in_two_sets_is_held_out_of_both_or_of_none(tmp_path: Path) -> None:
    """One set tells its group, the other only the file."""
    coco(tmp_path / "a/train.json", ["dent"] * 40, ["dent"], source=["one"] * 40, group=[number // 2 for number in range(40)])
    rows = [f"a/{number}.png,list,train,minor" for number in range(40)]
    (tmp_path / "list.csv").write_text("\n".join(["file,source,split,severity", *rows]))
    photos = read_run_photos(run_recipe({"dataset": "a/train.json"}, {"dataset": "list.csv"}, hold_out=0.3), tmp_path)
    outlined, listed = ({sample.image for sample in samples} for samples in photos.taught)
    assert outlined == listed
    assert 0 < len(outlined) < 40
    assert all((tmp_path / f"a/{n}.png" in outlined) == (tmp_path / f"a/{n + 1}.png" in outlined) for n in range(0, 40, 2))
    assert not outlined & {sample.image for sample in photos.held_out}


def test_splits_of_a_file_of_their_own_take_the_place_of_the_data_sets(tmp_path: Path) -> None:
    """A JSON file is taken whole otherwise; a photo that the file does not name is left out."""
    coco(tmp_path / "mine" / "labels.json", ["dent"] * 4, ["dent"])
    (tmp_path / "splits.csv").write_text("file,split,group\n0.png,train,\n1.png,val,\n2.png,train,claim1\n")
    photos = PhotoSet(dataset="mine/labels.json", splits="splits.csv")
    read = {split: read_photo_set(photos, tmp_path, split, CLASSES) for split in ("train", "val")}
    assert {split: [sample.name for sample in samples] for split, samples in read.items()} == {
        "train": ["0.png", "2.png"],
        "val": ["1.png"],
    }
    assert [sample.group for sample in read["train"]] == [None, "claim1"]


def test_labels_of_pictures_as_they_are_stored_are_turned_with_them(tmp_path: Path) -> None:
    """EXIF's 6: what is stored on the left is shown above."""
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "0.jpg", exif=turned)
    image = {"id": 0, "file_name": "0.jpg", "width": WIDTH, "height": HEIGHT}
    annotation = {"id": 0, "image_id": 0, "category_id": 0, "bbox": [2, 3, 9, 5], "area": 45}
    named = [{"id": 0, "name": "dent"}]
    (tmp_path / "train.json").write_text(json.dumps({"images": [image], "annotations": [annotation], "categories": named}))
    (sample,) = read_photo_set(PhotoSet(dataset="train.json", frame="stored"), tmp_path, "train", CLASSES)
    assert sample.size_hw == (WIDTH, HEIGHT)
    assert sample.annotations[0].box_xyxy == (HEIGHT - 8, 2, HEIGHT - 3, 11)
    with pytest.raises(DatasetError, match=r"upright, as its EXIF says.*`--frame stored` turns them"):
        read_photo_set(PhotoSet(dataset="train.json"), tmp_path, "train", CLASSES)

"""Photos are dealt out by the seed alone, groups stay whole, and every label gets its share of each split."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dentify.curation.split import Placed, check_splits, missing_labels, parse_ratios, split_dataset, split_table, write_splits
from dentify.datasets import Dataset, open_dataset
from dentify.errors import ConfigError, DatasetError, OutputError

LABELS = ("dent", "scratch", "broken_part", "glass_shatter")
SHARES = (0.9, 0.5, 0.2, 0.04)  # how many photos hold each label
THREE = (0.7, 0.15, 0.15)


def write_coco(folder: Path, photos: list[dict[str, Any]]) -> Path:
    """A COCO file of photos: each with `file`, its `labels`, and keys of its image."""
    names = sorted({label for photo in photos for label in photo["labels"]})
    images, rows = [], []
    for number, photo in enumerate(photos):
        keys = {key: value for key, value in photo.items() if key not in ("file", "labels")}
        images.append({"id": number, "file_name": photo["file"], "width": 40, "height": 30, **keys})
        rows += [
            {"id": len(rows), "image_id": number, "category_id": names.index(one), "bbox": [1, 1, 9, 9]}
            for one in photo["labels"]
        ]
    document = {"images": images, "annotations": rows, "categories": [{"id": n, "name": name} for n, name in enumerate(names)]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps(document))
    return folder


def opened(folder: Path) -> Dataset:
    return open_dataset(folder, check_pictures=False)


def split(folder: Path, ratios: tuple[float, ...] = THREE, **options: Any) -> list[Placed]:
    return split_dataset(opened(folder), ratios, **{"pictures": False, **options})


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 photos with rare and frequent labels, some in groups of up to six."""
    chance = random.Random(5)
    photos = []
    for number in range(300):
        labels = [label for label, share in zip(LABELS, SHARES, strict=True) if chance.random() < share]
        photos.append(
            {
                "file": f"{number:03}.png",
                "labels": labels,
                "source": chance.choice("ab"),
                "group": f"g{number // 6 if number < 60 else number}",
            }
        )
    return write_coco(tmp_path_factory.mktemp("large"), photos)


# --- shares --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratios", "seed"), [(THREE, 0), (THREE, 1), ((0.8, 0.2), 0), ((0.5, 0.25, 0.25), 7)])
def test_every_label_gets_its_share_of_each_split(large: Path, ratios: tuple[float, ...], seed: int) -> None:
    placed = split(large, ratios, seed=seed)
    names = ("train", "val", "test")[: len(ratios)]
    assert len(placed) == 300
    for label in ("", *LABELS, "source a", "source b"):
        counts = Counter(one.split for one in placed if not label or label in one.labels)
        total = counts.total()
        for name, ratio in zip(names, ratios, strict=True):
            # a group of six may tip the scale; a rare label is off by a photo or two at most
            assert abs(counts[name] - ratio * total) <= max(2, 0.03 * total), (label, name, counts)
        assert total >= 8


def test_the_same_seed_gives_the_same_splits_and_another_gives_others(large: Path) -> None:
    first = split(large, seed=3)
    assert split(large, seed=3) == first
    other = split(large, seed=4)
    assert sum(one.split != two.split for one, two in zip(first, other, strict=True)) > 50


def test_what_is_known_of_whole_photos_gets_its_share_too(tmp_path: Path) -> None:
    photos = [{"file": f"{n}.png", "labels": [], "damage": bool(n % 2), "vehicle": True} for n in range(40)]
    photos += [{"file": f"s{n}.png", "labels": ["dent"], "severity": "severe"} for n in range(10)]
    placed = split(write_coco(tmp_path / "data", photos), (0.5, 0.5))
    counts = Counter((one.split, label) for one in placed for label in one.labels)
    for label, total in {"undamaged": 20, "damaged": 20, "severity severe": 10, "dent": 10}.items():
        assert [counts[name, label] for name in ("train", "val")] == [total // 2] * 2, label


def test_photos_without_labels_are_shared_out_too(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, [{"file": f"{n}.png", "labels": ["dent"] * (n % 2)} for n in range(40)])
    placed = split(folder, (0.5, 0.5))
    counts = Counter((one.split, "dent" in one.labels) for one in placed)
    assert counts == {("train", True): 10, ("train", False): 10, ("val", True): 10, ("val", False): 10}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_photos_are_dealt_out_as_well(tmp_path: Path, count: int) -> None:
    placed = split(write_coco(tmp_path, [{"file": f"{n}.png", "labels": ["dent"]} for n in range(count)]))
    assert len(placed) == count
    assert {one.split for one in placed} <= {"train", "val", "test"}


def test_no_photo_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r": holds no photo that can be read$"):
        split(write_coco(tmp_path, []))


# --- groups --------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 8), st.sets(st.sampled_from(LABELS))), min_size=1, max_size=40),
    st.integers(0, 5),
    st.sampled_from([(0.5, 0.5), THREE, (0.98, 0.01, 0.01)]),
)
@settings(max_examples=30)
def test_no_group_is_ever_parted(
    tmp_path_factory: pytest.TempPathFactory, photos: list[tuple[int, set[str]]], seed: int, ratios: tuple[float, ...]
) -> None:
    rows = [{"file": f"{n}.png", "labels": sorted(labels), "group": group} for n, (group, labels) in enumerate(photos)]
    placed = split(write_coco(tmp_path_factory.getbasetemp() / "groups", rows), ratios, seed=seed)
    assert [one.file for one in placed] == [row["file"] for row in rows]
    splits: dict[int, set[str]] = defaultdict(set)
    told: dict[int, set[str]] = defaultdict(set)
    for one, (group, _) in zip(placed, photos, strict=True):
        splits[group].add(one.split)
        told[group].add(one.group)
    assert all(len(several) == 1 for several in splits.values())
    sizes = Counter(group for group, _ in photos)
    for group, names in told.items():  # a group bears the name of its first photo, one alone has none
        first = next(row["file"] for row, (other, _) in zip(rows, photos, strict=True) if other == group)
        assert names == {first if sizes[group] > 1 else ""}


def test_groups_of_different_sources_that_are_called_the_same_are_different(tmp_path: Path) -> None:
    rows = [{"file": f"{n}.png", "labels": ["dent"], "source": "ab"[n % 2], "group": 1} for n in range(4)]
    assert [one.group for one in split(write_coco(tmp_path, rows))] == ["0.png", "1.png", "0.png", "1.png"]


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [
        (None, ["claim1/a.png", "", "claim1/a.png", ""]),
        ("group", ["claim1/a.png", "", "claim1/a.png", ""]),
        ("source", ["claim1/a.png", "claim1/a.png", "claim1/a.png", ""]),
        ("folder", ["claim1/a.png", "claim1/a.png", "", ""]),
        ("claim([0-9])", ["claim1/a.png", "claim1/a.png", "", ""]),
        ("[ab].png$", ["claim1/a.png", "claim1/b.png", "claim1/a.png", "claim1/b.png"]),
    ],
)
def test_what_stays_together_can_be_chosen(tmp_path: Path, group_by: str | None, groups: list[str]) -> None:
    names = ("claim1/a.png", "claim1/b.png", "claim2/a.png", "other/b.png")
    keys = (("s", "g"), ("s", None), ("s", "g"), ("t", None))
    rows = [
        {"file": file, "labels": ["dent"], "source": source, "group": group}
        for file, (source, group) in zip(names, keys, strict=True)
    ]
    assert [one.group for one in split(write_coco(tmp_path, rows), group_by=group_by)] == groups


def test_what_is_no_regular_expression_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"^--group-by 'claim\(': is none of group, source, folder, and no regular expression: "
    ):
        split(write_coco(tmp_path, [{"file": "a.png", "labels": []}]), group_by="claim(")


def test_a_key_that_matches_no_photo_keeps_nothing_together_and_is_told(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, [{"file": "a.png", "labels": []}, {"file": "b.png", "labels": []}])
    with pytest.raises(
        ConfigError, match=r"--group-by 'folders': matches no photo's name, a\.png for one; did you mean `folder`\?"
    ):
        split(folder, group_by="folders")
    with pytest.raises(ConfigError, match="--group-by '': matches no photo's name"):
        split(folder, group_by="")
    assert [one.group for one in split(folder, group_by="[.]")] == ["a.png", "a.png"]


# --- near-duplicates -----------------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path, examples: Path) -> Path:
    """Six CC0 photos; the first is there mirrored, too, and the mirrored one shares a group with the second."""
    rows: list[dict[str, Any]] = []
    for path in sorted(examples.glob("*.jpg"))[:6]:
        shutil.copy(path, tmp_path / path.name)
        rows.append({"file": path.name, "labels": ["dent"]})
    with Image.open(tmp_path / rows[0]["file"]) as image:
        ImageOps.mirror(image).save(tmp_path / "mirrored.png")
    rows[1]["group"] = "together"
    rows.append({"file": "mirrored.png", "labels": ["dent"], "group": "together"})
    return write_coco(tmp_path, rows)


def test_near_duplicates_stay_together_and_with_their_groups(photos: Path) -> None:
    placed = split(photos, (0.5, 0.5), pictures=True)
    first = placed[0].file
    assert [one.group for one in placed] == [first, first, "", "", "", "", first]
    assert len({one.split for one in placed if one.group}) == 1


def test_near_duplicates_are_looked_for_in_the_same_way_by_any_number_of_workers(photos: Path) -> None:
    assert split(photos, pictures=True, workers=1) == split(photos, pictures=True, workers=4)


def test_a_photo_that_cannot_be_read_ends_it_or_is_left_out(photos: Path) -> None:
    broken = sorted(photos.glob("car_*.jpg"))[2]
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.raises(DatasetError, match=rf"labels.json: images\[2\] \(id 2\): {broken.name}: this JPEG is cut off"):
        split(photos, pictures=True)
    problems: list[DatasetError] = []
    dataset = open_dataset(photos, check_pictures=False, on_invalid=problems.append)
    placed = split_dataset(dataset, THREE)
    assert broken.name not in {one.file for one in placed}
    assert len(placed) == 6
    assert [problem.kind for problem in problems] == ["broken picture"]


# --- splits.csv ----------------------------------------------------------------------------------------------------------


def test_splits_are_written_beside_the_labels_and_read_by_everything(large: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(large, folder)
    placed = split(folder)
    assert write_splits(placed, opened(folder)) == folder / "splits.csv"
    back = {sample.name: sample for sample in opened(folder)}
    assert {name: sample.split for name, sample in back.items()} == {one.file: one.split for one in placed}
    for one in placed:
        number = int(one.file[:3])
        assert back[one.file].group == (one.group or f"g{number // 6 if number < 60 else number}")


def test_splits_of_a_label_file_lie_beside_it(large: Path, tmp_path: Path) -> None:
    shutil.copy(large / "labels.json", tmp_path / "labels.json")
    dataset = opened(tmp_path / "labels.json")
    assert write_splits(split(tmp_path / "labels.json"), dataset) == tmp_path / "splits.csv"
    assert {sample.split for sample in dataset} == {"train", "val", "test"}


def test_earlier_splits_have_no_say(large: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(large, folder)
    before = split(folder, seed=1)
    write_splits(split(folder, (0.5, 0.5), group_by="source"), opened(folder))
    assert split(folder, seed=1) == before


def test_splits_are_not_replaced_unasked(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, [{"file": "a.png", "labels": []}])
    (folder / "splits.csv").write_text("file,split,group\na.png,holdout,\n")
    with pytest.raises(OutputError, match=r"splits.csv: is there already; --overwrite replaces it$"):
        write_splits(split(folder), opened(folder))
    with pytest.raises(OutputError):
        check_splits(folder / "splits.csv", overwrite=False)
    assert next(iter(opened(folder))).split == "holdout"
    write_splits(split(folder), opened(folder), overwrite=True)
    assert next(iter(opened(folder))).split == "train"


def test_odd_file_names_find_their_splits_again(tmp_path: Path) -> None:
    names = ["a,b.png", 'quo"te.png', "new\nline.png", "ü ñ.png", "caf\udce9.png"]
    for name in names:
        (tmp_path / "whole").mkdir(exist_ok=True)
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "whole" / name, "PNG")
    dataset = open_dataset(tmp_path, check_pictures=False)
    placed = [Placed(one.file, "holdout", "", one.labels) for one in split_dataset(dataset, THREE, pictures=False)]
    write_splits(placed, dataset)
    again = list(open_dataset(tmp_path, check_pictures=False))
    assert {sample.name.rpartition("/")[2] for sample in again} == set(names)
    assert {sample.split for sample in again} == {"holdout"}


# --- ratios and the table ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ratios"),
    [("80,20", (0.8, 0.2)), ("70,15,15", (0.7, 0.15, 0.15)), ("2, 1 ,1", (0.5, 0.25, 0.25)), ("0.5,0.5", (0.5, 0.5))],
)
def test_ratios_are_shares_of_their_sum(text: str, ratios: tuple[float, ...]) -> None:
    assert parse_ratios(text) == pytest.approx(ratios)


@pytest.mark.parametrize(
    "text", ["", "70", "70,15,10,5", "70,0", "70,-5", "70,a", "70;30", "70,nan", "nan,70", "inf,1", "1,inf", "70,,30"]
)
def test_ratios_that_are_none_are_told(text: str) -> None:
    with pytest.raises(ConfigError, match="ratios") as caught:
        parse_ratios(text)
    assert repr(text) in str(caught.value)


def test_the_table_tells_what_came_out() -> None:
    make: Callable[[str, str, str, set[str]], Placed] = lambda f, s, g, labels: Placed(f, s, g, frozenset(labels))  # noqa: E731
    placed = [make("a", "train", "a", {"dent"}), make("b", "train", "a", {"dent", "scratch"}), make("c", "val", "", {"dent"})]
    assert split_table(placed, (0.75, 0.25)).splitlines() == [
        "photos with  all  train (75 %)  val (25 %)",
        "(any)          3    2 (66.7 %)  1 (33.3 %)",
        "dent           3    2 (66.7 %)  1 (33.3 %)",
        "scratch        1   1 (100.0 %)   0 (0.0 %)",
        "1 groups of 2 photos stay together",
    ]


def test_labels_that_a_split_lacks_are_told() -> None:
    of = {"a": ("train", {"dent", "scratch"}), "b": ("val", {"dent"}), "c": ("train", {"crack"})}
    placed = [Placed(name, split, "", frozenset(labels)) for name, (split, labels) in of.items()]
    assert missing_labels(placed, (0.75, 0.25)) == [
        "val holds no photo with crack, scratch; another --seed may do, or more photos"
    ]
    assert missing_labels(placed[:1], (0.75, 0.25)) == [
        "val holds no photo with dent, scratch; another --seed may do, or more photos"
    ]
    assert missing_labels([*placed, Placed("d", "val", "", frozenset({"crack", "scratch"}))], (0.75, 0.25)) == []

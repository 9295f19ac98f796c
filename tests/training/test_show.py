"""A page of training pictures: what is drawn lies where the annotations do."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.datasets import Sample
from dentify.errors import ConfigError, OutputError
from dentify.taxonomy import damage_colour, part_colour
from dentify.training.recipe import Recipe
from dentify.training.scene import Scene
from dentify.training.show import draw_scene, show_pictures
from scenes import SIZE, WHOLE, annotation, mosaic, pasted, photo, scene

GREY = 100
TEXT = 20  # rows that words are written on


def grey(one: Scene) -> Scene:
    return Scene(np.full_like(one.image, GREY), one.photos, one.pasted)


def filled(name: str) -> np.ndarray:
    return (0.65 * GREY + 0.35 * np.array(damage_colour(name))).astype(np.uint8)


def test_damages_are_filled_in_their_colour_and_outlined() -> None:
    dented = grey(scene(photo(annotation("dent", (32, 64, 64, 112)))))
    page = draw_scene(dented)
    assert (page[37:51, 21:27] == filled("dent")).all()
    assert (page[32:56, 16] == damage_colour("dent")).all()
    assert (page[40, 40:] == GREY).all()
    assert (page[60:] == GREY).all()
    assert (dented.image == GREY).all()


def test_parts_are_outlined_alone() -> None:
    page = draw_scene(grey(scene(photo(annotation("hood", (32, 64, 64, 112))))))
    assert (page[36:52, 20:28] == GREY).all()
    assert np.abs(page[34:54, 16].astype(int) - part_colour("hood")).max() < 16  # a thin line, smoothed


def test_photos_of_a_mosaic_are_framed_and_lie_in_their_windows() -> None:
    sound, dented = photo(vehicle=True, damage=False), photo(annotation("scratch", (32, 64, 64, 112)))
    page = draw_scene(grey(mosaic(sound, sound, sound, dented)))
    assert (page[SIZE + 37 : SIZE + 51, SIZE + 21 : SIZE + 27] == filled("scratch")).all()
    assert (page[SIZE - 1 : SIZE + 1, 1:40] == 255).all()
    assert (page[TEXT:, SIZE - 1 : SIZE + 1] == 255).all()
    assert (page[TEXT : SIZE - 1, 1 : SIZE - 1] == GREY).all()
    alone = draw_scene(grey(scene(sound)))
    assert (alone[TEXT:] == GREY).all()


def test_pasted_damages_are_drawn() -> None:
    donor = photo(annotation("dent", (32, 64, 64, 112)))
    page = draw_scene(grey(pasted(photo(vehicle=True, damage=False), donor, WHOLE)))
    assert (page[37:51, 21:27] == filled("dent")).all()


def text(one: Scene) -> np.ndarray:
    return draw_scene(grey(one))[:TEXT]


def test_it_is_told_what_a_picture_shows() -> None:
    samples: list[Sample] = [photo(vehicle=False), photo(vehicle=True, damage=False), photo(source="garage"), photo()]
    told = [text(scene(sample)).tobytes() for sample in samples]
    told += [text(pasted(samples[1], photo(annotation("dent", (40, 90, 60, 110))), WHOLE)).tobytes()]
    assert len(set(told)) == len(told)
    assert all((np.frombuffer(one, np.uint8) == 255).any() for one in told)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((96, 96, 3), GREY, np.uint8))
    document = {
        "name": "tiny",
        "model": {"name": "efficientnet_fpn", "encoder": "test_efficientnet"},
        "classes": {"damage": ["dent"]},
        "heads": {"vehicle": {"kind": "labels", "of": "vehicle"}},
        "data": {"serve_size": 64, "hold_out": 0, "train": [{"photos": ".", "vehicle": True, "damage": False, "per_batch": 2}]},
        "augment": {"strength": 0},
        "optimizers": [{"rate": 0.1}],
        "phases": [{"steps": 2, "size": 64}, {"steps": 1, "size": 96}],
    }
    (tmp_path / "photos.csv").write_text("file,split\n" + "".join(f"{number}.png,train\n" for number in range(4)))
    return Recipe.model_validate(json.loads(json.dumps(document)))


@pytest.mark.parametrize(
    ("count", "hw"),
    [(1, (76, 76)), (2, (76, 146)), (3, (146, 146)), (5, (210, 312)), (99, (210, 312))],
    ids=["one", "a row", "two rows", "of two sizes", "all that there are"],
)
def test_pictures_lie_in_rows(recipe: Recipe, tmp_path: Path, count: int, hw: tuple[int, int]) -> None:
    written = show_pictures(recipe, data=tmp_path, output=tmp_path / "out" / "page.png", count=count)
    page = cv2.imread(str(written))
    assert page.shape[:2] == hw
    assert (page[:6] == 255).all()
    assert (page[6 + TEXT + 20, 20] != 255).any()


def test_a_file_that_is_no_picture_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"page\.txt: name a file that ends in \.png, \.jpg, \.webp"):
        show_pictures(recipe, data=tmp_path, output=tmp_path / "page.txt", count=1)


def test_a_file_that_is_there_is_not_replaced(recipe: Recipe, tmp_path: Path) -> None:
    before = (tmp_path / "0.png").read_bytes()
    with pytest.raises(OutputError, match=r"0\.png: is there already; name another file"):
        show_pictures(recipe, data=tmp_path, output=tmp_path / "0.png", count=1)
    assert (tmp_path / "0.png").read_bytes() == before

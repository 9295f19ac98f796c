"""The bundle that ships, on real photos: the examples, and where they are there, a few labelled ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dentify
from dentify import Assessment, Assessor, Bundle
from dentify.certainty import CLEAR_FROM, certainty_of
from dentify.datasets import open_dataset, read_photos
from dentify.imaging.masks import rle_decode

DAMAGED = ("damage", "cars", "whole", "wrecks")
SOUND = {"undamaged": True, "undamaged_everyday": True, "no_vehicle": False, "no_vehicle_everyday": False}  # whether a vehicle

TURNS: dict[int, tuple[Image.Transpose, ...]] = {  # what makes an upright picture into what a file of this orientation holds
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}


@pytest.fixture(scope="module")
def assessor() -> Assessor:
    return dentify.load()


@pytest.fixture(scope="module")
def damaged(assessor: Assessor, examples: Path) -> Assessment:
    return assessor.assess(examples / "car_04.jpg")


def turned(photo: Path, orientation: int) -> bytes:
    picture = Image.open(photo).convert("RGB")
    for turn in TURNS[orientation]:
        picture = picture.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, "PNG", exif=exif)
    return file.getvalue()


def test_its_manifest_is_what_would_be_written_today(assessor: Assessor) -> None:
    """What was added to manifests since leaves a bundle that does not use it as it was."""
    folder = Path(dentify.__file__).parent / "bundle" / "default"
    assert assessor.bundle.manifest.to_json().encode() == (folder / "bundle.json").read_bytes()


def test_it_is_whole_small_and_says_what_it_was_taught() -> None:
    bundle = Bundle.open("default")
    assert sum(file.bytes for file in bundle.manifest.files) <= 20 * 2**20
    assert set(bundle.manifest.not_judged) == {"crack"}
    assert bundle.manifest.metrics["parity"]["largest_difference"] <= 1e-3
    assert bundle.manifest.metrics["parity"]["least_mask_iou"] >= 0.999
    assert bundle.manifest.metrics["parity"]["photos"] >= 50


def test_a_wreck_is_told(damaged: Assessment) -> None:
    assert damaged.vehicle is not None
    assert damaged.vehicle.present
    assert damaged.damage is not None
    assert damaged.damage.present
    assert damaged.findings
    assert damaged.parts
    assert damaged.severity is not None
    for finding in damaged.findings:
        assert finding.mask is not None
        assert finding.mask.size == (damaged.photo.height, damaged.photo.width)
        x_min, y_min, x_max, y_max = finding.box
        assert 0 <= x_min < x_max <= damaged.photo.width
        assert 0 <= y_min < y_max <= damaged.photo.height


@pytest.mark.parametrize("number", [0, 3, 8])
def test_from_the_front_left_nothing_of_the_rear_or_the_right_is_told(assessor: Assessor, examples: Path, number: int) -> None:
    told = {part.name for part in assessor.assess(examples / f"car_{number:02d}.jpg").parts}
    assert {"front_bumper", "hood", "front_glass", "front_left_light"} <= told
    assert not told & {"back_bumper", "tailgate", "trunk", "back_right_light", "front_right_door", "back_right_door"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_held_in_any_way_gives_the_same_assessment(assessor: Assessor, examples: Path, orientation: int) -> None:
    """As PNG: a JPEG that is turned and packed anew has other pixels."""
    upright = assessor.assess(turned(examples / "car_04.jpg", 1))
    other = assessor.assess(turned(examples / "car_04.jpg", orientation))
    assert [finding.type for finding in other.findings] == [finding.type for finding in upright.findings]
    for one, two in zip(upright.findings, other.findings, strict=True):
        np.testing.assert_allclose(one.box, two.box, atol=1)
        assert one.mask is not None
        assert two.mask is not None
        a, b = rle_decode(one.mask), rle_decode(two.mask)
        assert np.count_nonzero(a & b) >= 0.99 * np.count_nonzero(a | b)


def test_threads_and_a_second_run_change_nothing(assessor: Assessor, examples: Path, damaged: Assessment) -> None:
    photos = [examples / f"car_{number:02d}.jpg" for number in (4, 0, 4, 1)]
    told = [answer for _, answer in assessor.assess_many(photos, workers=3)]
    assert told[0] == told[2] == damaged


@pytest.mark.shared_data
@pytest.mark.parametrize(("source", "least"), [("damage", 7), ("undamaged", 7), ("no_vehicle", 7)])
def test_most_photos_of_val_pass_the_gates_as_they_should(assessor: Assessor, shared_data: Path, source: str, least: int) -> None:
    """Eight photos each, evenly picked; figures that mean something come from `dentify evaluate`."""
    if source == "damage":
        samples = list(open_dataset(shared_data / "damage" / "val.json", split="val"))
    else:
        samples = list(read_photos(shared_data / source, vehicle=source == "undamaged", damage=False, split="val"))
    right = 0
    for sample in samples[:: len(samples) // 8][:8]:
        told = assessor.assess(sample.read(), name=sample.name)
        assert told.vehicle is not None
        flagged = told.damage is not None and told.damage.present
        right += {"damage": flagged, "undamaged": not flagged, "no_vehicle": not told.vehicle.present}[source]
    assert right >= least


@pytest.mark.shared_data
def test_what_is_clearly_told_of_a_photo_is_right_nine_times_of_ten(assessor: Assessor, shared_data: Path) -> None:
    """Eight photos each of val, of many sources and kinds; `dentify evaluate` tells the same of sources left out."""
    kinds = [(open_dataset(shared_data / name / "val.json", split="val"), True, True) for name in DAMAGED]
    for name, vehicle in SOUND.items():
        kinds.append((read_photos(shared_data / name, vehicle=vehicle, damage=False, split="val"), vehicle, False))
    right = []
    asked = 0
    for every, vehicle, damaged in kinds:
        samples = list(every)
        for sample in samples[:: len(samples) // 8][:8]:
            told = assessor.assess(sample.read(), name=sample.name)
            for answer, truth in ((told.vehicle, vehicle), (told.damage, damaged)):
                asked += 1
                if answer is not None and certainty_of(answer.confidence) == "clear":
                    right.append(answer.present == truth)
    assert len(right) >= asked / 3  # a bundle that is never sure keeps any promise
    assert np.mean(right) >= CLEAR_FROM

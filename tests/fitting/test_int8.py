"""A bundle in 8 bits: measured beside the one in floats, and kept only where that pays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from seen_dents import box

pytest.importorskip("onnx", reason="needs the extra quantize")
pytest.importorskip("hotcoco", reason="needs the extra quantize")

from dentify import Bundle, load
from dentify.bundle import write_bundle
from dentify.bundle.manifest import Manifest, Roles
from dentify.datasets import Sample
from dentify.errors import BundleError, DatasetError
from dentify.evaluation import evaluate
from dentify.evaluation.results import Share
from dentify.fitting import int8
from dentify.fitting.int8 import Figure, Quantized, compare_figures, main_figures, quantize_bundle
from dentify.runtime.preprocess import network_input
from dentify.settings import Settings
from dentify.testing import TYPES, Damage, paint_photo, tiny_bundle, tiny_classifier, tiny_manifest

HW = (128, 192)


def photo(name: str, *damages: Damage, body: bool = True, **known: Any) -> Sample:
    file = io.BytesIO()
    parts = {"hood": (0.125, 0.125, 0.875, 0.875)} if body else {}  # a picture of one colour is no photo
    image = paint_photo(size_hw=HW, parts=parts, damages=damages, body=(0.0, 0.0, 1.0, 1.0) if body else None)
    Image.fromarray(image).save(file, "PNG")
    return Sample(file.getvalue(), f"{name}.png", HW, **known)


SAMPLES = [
    photo("dent", Damage("dent", (0.25, 0.25, 0.5, 0.5)), annotations=(box("dent", 48, 32, 48, 32),), labelled=frozenset(TYPES)),
    photo("sound", vehicle=True, damage=False),
    photo("room", body=False, vehicle=False, damage=False),
]


FIGURES = {"any damage, pixel IoU", "damage, mean AP50", "vehicle gate, right", "damage gate, right"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle", metrics={"val": {"AP50": 0.5}}))


@pytest.fixture(scope="module")
def quantized(tiny: Bundle) -> Quantized:
    return quantize_bundle(tiny, SAMPLES, layers="all", threads=1)


def test_it_finds_the_same_and_can_be_written(tiny: Bundle, quantized: Quantized, tmp_path: Path) -> None:
    opened = Bundle.open(write_bundle(tmp_path / "b", quantized.manifest, quantized.files))
    assert opened.files["tiny.onnx"] != tiny.files["tiny.onnx"]
    image = paint_photo(damages=[Damage("dent", (0.25, 0.5, 0.5, 0.75))])
    ours, before = load(opened).assess(image), load(tiny).assess(image)
    assert [(one.type, one.box) for one in ours.findings] == [(one.type, one.box) for one in before.findings]
    assert set(quantized.figures) == FIGURES
    for figure in quantized.figures.values():
        assert (figure.floats, figure.int8) == pytest.approx((1.0, 1.0))
    assert quantized.photos == 3


def test_the_manifest_says_what_was_done_and_measured(tiny: Bundle, quantized: Quantized) -> None:
    manifest = quantized.manifest
    assert manifest.metrics["val"] == {"AP50": 0.5}
    measured = cast("dict[str, Any]", manifest.metrics["int8"])
    assert measured["damage, mean AP50"] == {"floats": 1.0, "int8": 1.0}
    assert set(measured["photo, ms"]) == {"floats", "int8"}
    (note,) = manifest.notes
    assert note == (
        "Layers of tiny.onnx compute in 8 bits (all, percentile of 3 photos). Figures under int8 compare that with floats on "
        "3 photos; all others, and what was fitted, are of floats."
    )
    assert manifest.roles == tiny.manifest.roles


@pytest.mark.parametrize(("photos", "places"), [(1, [0]), (2, [0, 2]), (3, [0, 1, 2]), (100, [0, 1, 2])])
def test_as_many_photos_calibrate_as_are_asked_for(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, photos: int, places: list[int]
) -> None:
    shown: list[Any] = []

    def to_int8(model: bytes, inputs: list[Callable[[], Any]], **options: Any) -> None:
        shown.extend(make() for make in inputs)

    monkeypatch.setattr(int8, "to_int8", to_int8)
    with pytest.raises(BundleError, match="no network has layers that 8 bits are meant for"):
        quantize_bundle(tiny, SAMPLES, photos=photos)
    (network,) = tiny.manifest.networks
    pictures = [np.asarray(Image.open(io.BytesIO(cast("bytes", SAMPLES[place].image)))) for place in places]
    assert len(shown) == len(places)
    for tensor, picture in zip(shown, pictures, strict=True):
        assert (tensor == network_input(picture, network.preprocessing)).all()


@pytest.mark.parametrize(
    ("latency_ms", "int8_figure", "against"),
    [
        ((10.0, 8.0), 0.75, ()),
        ((10.0, 8.0), 0.741, ()),
        ((10.0, 8.0), 0.74, ("AP50 falls from 0.750 to 0.740",)),
        ((10.0, 10.0), 0.9, ("it is not faster here (10.0 ms a photo, 10.0 before)",)),
        ((10.0, 12.0), 0.5, ("it is not faster here (12.0 ms a photo, 10.0 before)", "AP50 falls from 0.750 to 0.500")),
    ],
)
def test_it_pays_where_it_is_faster_and_costs_less_than_a_point(
    tiny: Bundle, latency_ms: tuple[float, float], int8_figure: float, against: tuple[str, ...]
) -> None:
    one = Quantized(tiny.manifest, {}, Figure(*latency_ms), {"AP50": Figure(0.75, int8_figure), "IoU": Figure(0.5, 0.6)}, 1)
    assert one.reasons_against == against
    assert one.pays == (not against)


def test_types_of_the_photo_are_judged_by_agreement(tmp_path: Path) -> None:
    before = load(tiny_classifier(tmp_path / "a"), threads=1)
    deaf = load(tiny_classifier(tmp_path / "b", thresholds={"types": 1.0}), threads=1)
    assert compare_figures(before, before, SAMPLES, settings=Settings()) == {
        "types of the photo, told the same": Figure(1.0, 1.0)
    }
    lost = compare_figures(before, deaf, SAMPLES, settings=Settings())
    assert lost["types of the photo, told the same"].int8 == pytest.approx(2 / 3)


def test_types_are_those_that_are_told_behind_the_gates(tmp_path: Path) -> None:
    """Evaluation tells each photo a second time, without gates and thresholds."""
    gated = load(
        tiny_bundle(
            tmp_path / "a", photo_types=True, thresholds=tiny_manifest(photo_types=True)["thresholds"] | {"vehicle": 1.0}
        ),
        threads=1,
    )
    listening = int8._Listening(gated, lambda: None)
    look = listening.look(SAMPLES[0].read(Settings()))
    told = listening.tell(look)
    assert told.vehicle is not None
    assert not told.vehicle.present
    listening.tell(look, gates=False)
    assert listening.types == {told.photo.sha256: frozenset()}


def test_a_gate_is_right_as_often_on_yes_as_on_no() -> None:
    def share(count: int, of: int) -> Share:
        return Share(count=count, of=of, share=None, interval=None)

    assert int8._right([share(9, 10), share(1, 10)], [share(1, 4)]) == pytest.approx((0.5 + 0.75) / 2)
    assert int8._right([share(9, 10)], []) == pytest.approx(0.9)
    assert int8._right([], [share(0, 0)]) is None


def test_figures_are_of_what_the_bundle_answers_alone(tiny: Bundle) -> None:
    evaluation = evaluate(load(tiny, threads=1), SAMPLES, resamples=1)
    every = main_figures(evaluation, tiny.manifest.roles)
    assert set(every) == FIGURES
    assert set(main_figures(evaluation, Roles(vehicle_gate=tiny.manifest.roles.vehicle_gate))) == {"vehicle gate, right"}


def test_what_cannot_be_judged_is_one_line(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(
        BundleError, match=r"no network has layers .* \(between its first and its last, windows\); leave it as it is,"
    ):
        quantize_bundle(tiny, SAMPLES)
    with pytest.raises(DatasetError, match=r"^no photo to calibrate with$"):
        quantize_bundle(tiny, [])
    parts = Manifest.model_validate(
        tiny_manifest()
        | {
            "roles": {"parts": tiny_manifest()["roles"]["parts"]},
            "classes": {"parts": tiny_manifest()["classes"]["parts"]},
            "taxonomy": tiny_manifest()["taxonomy"] | {"taught": []},
            "thresholds": {},
            "review": {},
        }
    )
    only_parts = load(write_bundle(tmp_path / "parts", parts, tiny.files), threads=1)
    with pytest.raises(DatasetError, match="nothing is known of these photos that the bundle tells, so 8 bits cannot be judged"):
        compare_figures(only_parts, only_parts, SAMPLES[1:], settings=Settings())

"""A bundle of a vehicle gate out of a classifier's own classes: which it takes, what it answers, and what it says of itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

import timm
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from classifier_file import ARCHITECTURE, SIDE, write_classifier
from dentify.assessor import Assessor
from dentify.bundle import Bundle, write_bundle
from dentify.datasets import Sample
from dentify.errors import ConfigError, DatasetError
from dentify.fitting.class_gate import choose_classes, gate_logits
from dentify.runtime.networks import Networks
from dentify.runtime.preprocess import network_input
from dentify.training.class_gate import ClassGateBundle, gate_bundle


def painted(number: int, *, vehicle: bool | None) -> Sample:
    """A red thing on grey, or grey alone."""
    picture = np.random.default_rng(number).integers(90, 130, (48, 64, 3)).astype(np.uint8)
    if vehicle:
        picture[12:40, 8:56] = (220, 20, 20)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return Sample(file.getvalue(), f"{number}.png", vehicle=vehicle, source="painted")


SAMPLES = [painted(number, vehicle=number % 2 == 0) for number in range(40)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [pixels(sample) for sample in SAMPLES[:20]]
    return write_classifier(tmp_path_factory.mktemp("weights") / "classifier.safetensors", pictures[::2], pictures[1::2])


def pixels(sample: Sample) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(sample.read())))


@pytest.fixture(scope="module")
def made(weights: Path) -> ClassGateBundle:
    return gate_bundle(ARCHITECTURE, SAMPLES, weights=weights, size=SIDE)


def test_it_says_which_classes_mean_vehicle_and_whose_weights_it_has(made: ClassGateBundle) -> None:
    assert made.classes == ("436 beach wagon", "817 sports car")
    (row,) = made.manifest.weights
    assert (row.origin, row.licence) == ("classifier.safetensors, a file of its user's", "as stated by its owner")
    (note,) = made.manifest.notes
    assert note == ("Of the 1,000 classes of test_convnext 40 photos chose what means vehicle: 436 beach wagon; 817 sports car.")


def test_its_onnx_answers_the_gates_logit(made: ClassGateBundle, weights: Path) -> None:
    classifier: Any = timm.create_model(ARCHITECTURE).eval()
    classifier.load_state_dict(load_file(weights))
    pictures = [pixels(sample) for sample in SAMPLES[:2]]
    inputs = [network_input(picture, made.manifest.networks[0].preprocessing) for picture in pictures]
    with torch.inference_mode():
        logits = classifier(torch.from_numpy(np.concatenate(inputs))).numpy()
    expected = gate_logits(logits, choose_classes(np.tile(logits, (5, 1)), np.arange(10) % 2 == 0))
    networks = Networks(made.manifest, made.files, threads=1, where="made")
    told = np.array([networks.ask(picture).vehicle for picture in pictures], float)
    assert np.allclose(told, expected, atol=1e-3)
    assert told[0] > told[1] + 4


def test_the_bundle_judges_vehicles_and_nothing_else(made: ClassGateBundle, tmp_path: Path) -> None:
    bundle = Bundle.open(write_bundle(tmp_path / "gate", made.manifest, made.files))
    assert [role for role, members in bundle.manifest.roles if members] == ["vehicle_gate"]
    preprocessing = bundle.manifest.networks[0].preprocessing
    assert (preprocessing.size_hw, preprocessing.mean) == ((SIDE, SIDE), (0.5, 0.5, 0.5))
    assessor = Assessor(bundle, threads=1)
    unseen = [painted(number, vehicle=number % 2 == 0) for number in range(100, 104)]
    answers = [assessor.assess(sample.read()).vehicle for sample in unseen]
    assert [answer is not None and answer.present for answer in answers] == [True, False, True, False]
    assert all(answer is not None and answer.confidence > 0.9 for answer in answers)  # as it is fitted


def test_a_few_photos_and_what_timm_downloads(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def downloaded(name: str, *, pretrained: bool) -> Any:
        assert pretrained
        classifier = create(name)
        classifier.load_state_dict(load_file(weights))
        return classifier

    monkeypatch.setattr(timm, "create_model", downloaded)
    made = gate_bundle(ARCHITECTURE, [painted(99, vehicle=None), *SAMPLES], size=SIDE, photos=4)
    assert [sample.name for sample in made.photos] == [f"{number}.png" for number in (0, 12, 26, 38, 1, 13, 27, 39)]
    assert any("the vehicle gate stays: 4 photos with a vehicle and 4 without" in note for note in made.manifest.notes)
    (row,) = made.manifest.weights
    assert (row.name, row.origin, row.licence) == (ARCHITECTURE, "timm/test_convnext.r160_in1k", "apache-2.0")
    assert made.manifest.licence == "apache-2.0"


@pytest.mark.parametrize(
    ("answer", "message"), [(True, "no photo is labelled as one without a vehicle"), (False, "as one with a vehicle")]
)
def test_photos_of_one_answer_alone_make_no_gate(answer: bool, message: str, weights: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        gate_bundle(ARCHITECTURE, [one for one in SAMPLES if one.vehicle is answer], weights=weights)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "resnet5"}, "ARCHITECTURE: timm has no model `resnet5`; did you mean"),
        ({"weights": None}, "name it with --weights"),
        ({"architecture": "test_vit", "size": 64}, "are not weights of test_vit"),
        ({"weights": Path("none.safetensors")}, "none.safetensors: no such pretrained weights; leave it out to take those that"),
        ({"size": 8}, "test_convnext: takes no photos of 8 × 8 pixels; its own size is 160"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    changes: dict[str, Any], message: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    given: dict[str, Any] = {"architecture": ARCHITECTURE, "weights": weights} | changes
    with pytest.raises(ConfigError) as caught:
        gate_bundle(given.pop("architecture"), SAMPLES, **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_without_classes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"was taught no classes; take a classifier of ImageNet, such as resnet50"):
        gate_bundle("vit_small_patch14_dinov2", SAMPLES, weights=Path("any.safetensors"))

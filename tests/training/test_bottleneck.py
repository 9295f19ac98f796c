"""Features of photos: computed once, kept under all that they follow from, and learned from in place of pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from torch import nn

from dentify.bundle.open import Bundle
from dentify.datasets import Sample
from dentify.errors import ConfigError
from dentify.imaging.decode import decode_photo
from dentify.runtime.networks import Networks
from dentify.settings import Settings
from dentify.testing import tiny_bundle
from dentify.training import Progress, bottleneck, loop
from dentify.training.bottleneck import Bottlenecks, KeptFeatures
from dentify.training.checkpoints import read_checkpoint
from dentify.training.compose import Draw
from dentify.training.distil import Teacher
from dentify.training.heads import Output
from dentify.training.loop import train
from dentify.training.models.timm_classifier import TimmClassifierRecipe
from dentify.training.recipe import read_recipe
from toy_bench import toy_document

SIDE = 32


def network(seed: int = 0, **changes: Any) -> nn.Module:
    torch.manual_seed(seed)
    document = {"name": "timm_classifier", "architecture": "test_convnext", "weights": None, **changes}
    return TimmClassifierRecipe.model_validate(document).build({"vehicle": Output(1)}, None)


@pytest.fixture
def photos(painted: Path) -> list[Sample]:
    return [Sample(painted / f"{number}.png", f"{number}.png", vehicle=True) for number in range(4)]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos each run of the backbone saw."""
    seen: list[int] = []
    normalised = bottleneck.normalised

    def counting(images: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(len(images))
        return normalised(images, *rest)

    monkeypatch.setattr(bottleneck, "normalised", counting)
    return seen


def test_a_photo_is_looked_at_once(photos: list[Sample], tmp_path: Path, looked: list[int]) -> None:
    KeptFeatures(network(), SIDE, tmp_path).prepare(photos[:3])
    KeptFeatures(network(), SIDE, tmp_path).prepare(photos)
    assert looked == [3, 1]


def test_the_same_picture_under_another_name_is_the_same_photo(photos: list[Sample], tmp_path: Path, looked: list[int]) -> None:
    again = replace(photos[0], image=photos[0].read(), name="again.png")
    KeptFeatures(network(), SIDE, tmp_path).prepare([photos[0], again])
    assert looked == [1]


@pytest.mark.parametrize(
    "other",
    [
        lambda folder: KeptFeatures(network(seed=1), SIDE, folder),
        lambda folder: KeptFeatures(network(mean=(0, 0, 0), std=(1, 1, 1)), SIDE, folder),
        lambda folder: KeptFeatures(network(), 2 * SIDE, folder),
    ],
    ids=["weights", "normalisation", "size"],
)
def test_features_of_another_backbone_are_never_taken(
    photos: list[Sample], tmp_path: Path, looked: list[int], other: Any
) -> None:
    KeptFeatures(network(), SIDE, tmp_path).prepare(photos)
    other(tmp_path).prepare(photos)
    assert looked == [4, 4]


def test_another_head_finds_them(photos: list[Sample], tmp_path: Path, looked: list[int]) -> None:
    KeptFeatures(network(), SIDE, tmp_path).prepare(photos)
    KeptFeatures(network(hidden=8), SIDE, tmp_path).prepare(photos)
    assert looked == [4]


def test_they_are_what_the_backbone_says(photos: list[Sample], tmp_path: Path) -> None:
    classifier: Any = network()
    kept = KeptFeatures(classifier, SIDE, tmp_path)
    kept.prepare(photos)
    features, hw = kept.of(photos[0])
    assert hw == (64, 64)
    picture = bottleneck._Pictures(photos, SIDE, kept._settings)[0][0]
    with torch.inference_mode():
        expected = classifier.eval().features(bottleneck.normalised(picture[None], classifier.mean, classifier.std))[0]
    assert np.allclose(features, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 half a file", b"no archive"], ids=["gone", "empty", "half", "text"])
def test_features_that_cannot_be_read_are_one_line(photos: list[Sample], tmp_path: Path, content: bytes | None) -> None:
    kept = KeptFeatures(network(), SIDE, tmp_path)
    kept.prepare(photos[:1])
    path = kept._files.of(photos[0])
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"\.npz: cannot be read as a photo's features; remove it, and they are computed anew$"):
        kept.of(photos[0])


def test_processes_share_out_the_photos(painted: Path, tmp_path: Path, looked: list[int]) -> None:
    """The second of three looks at every third photo from its second on, and tells nobody."""

    class Second:
        global_rank, world_size, is_global_zero = 1, 3, False

        def barrier(self) -> None:
            looked.append(0)

    samples = [Sample(painted / f"{number}.png", f"{number}.png", vehicle=True) for number in range(8)]
    told: list[None] = []
    fabric: Any = Second()
    kept = KeptFeatures(network(), SIDE, tmp_path)
    loop._prepare(kept, [samples[:5], samples[5:]], fabric, lambda: told.append(None))
    assert looked == [3, 0]
    assert told == []


def test_a_run_that_was_stopped_among_bottlenecks_goes_on_as_if_it_had_not_been(painted: Path, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 2:
            raise StoppedError

    recipe = read_toy(tmp_path, "phases.0={steps: 4, size: 32, bottleneck: true, train: [head], precision: '32'}")
    whole = read_checkpoint(train(recipe, data=painted, output=tmp_path / "runs" / "whole"))
    with pytest.raises(StoppedError):
        train(recipe, data=painted, output=tmp_path / "runs" / "stopped", on_step=stop)
    resumed = read_checkpoint(train(recipe, data=painted, output=tmp_path / "runs" / "stopped", resume=True))
    assert all(torch.equal(resumed.weights[name], value) for name, value in whole.weights.items())
    assert all(torch.equal(resumed.average[name], value) for name, value in whole.average.items())


def test_their_truth_is_that_of_the_whole_photo(photos: list[Sample], tmp_path: Path) -> None:
    recipe = read_toy(tmp_path)
    heads = recipe.build_heads()
    kept = KeptFeatures(network(), SIDE, tmp_path / "kept")
    sets = [photos, [replace(photos[3], vehicle=False)]]
    kept.prepare(photos)
    pictures = Bottlenecks(kept, sets, heads)
    answers = [float(pictures[Draw(place, 0, 0, SIDE)]["vehicle"]["answer"]) for place in (0, 1)]
    assert answers == [1.0, 0.0]


def test_a_teacher_says_what_it_thinks_of_the_whole_photo(photos: list[Sample], tmp_path: Path) -> None:
    heads = read_toy(tmp_path).build_heads()
    kept = KeptFeatures(network(), SIDE, tmp_path / "kept")
    kept.prepare(photos)
    bundle = Bundle.open(tiny_bundle(tmp_path / "bundle"))
    teacher = Teacher(bundle, heads, tmp_path / "teachers")
    teacher.prepare(photos)
    said = Bottlenecks(kept, [photos], heads, teacher)[Draw(0, 0, 0, SIDE)]["vehicle"]["teacher"]
    picture = decode_photo(photos[0].read(Settings()), where="0.png", settings=Settings())
    answer = Networks(bundle.manifest, bundle.files, threads=1, where="tiny").ask(picture.image).vehicle
    assert said.tolist() == pytest.approx([answer], abs=0.1)


def test_only_networks_with_features_have_any() -> None:
    with pytest.raises(ConfigError, match="answer from one vector a photo"):
        KeptFeatures(nn.Linear(1, 1), SIDE, Path())


def read_toy(folder: Path, *changes: str) -> Any:
    """The toy recipe, of a classifier: first its head on bottlenecks, then its last block with it."""
    import yaml

    document = toy_document(
        model={"name": "timm_classifier", "architecture": "test_convnext", "weights": None},
        heads={"vehicle": {"kind": "labels", "of": "vehicle"}, "damage": {"kind": "labels", "of": "damaged"}},
        optimizers=[{"kind": "adamw", "of": ["head"], "rate": 0.01}, {"kind": "adamw", "rate": 0.001}],
        phases=[
            {"epochs": 1, "size": SIDE, "bottleneck": True, "train": ["head"], "precision": "32"},
            {"steps": 2, "size": SIDE, "train": ["backbone.4", "head"], "precision": "32"},
        ],
        checkpoint_every=1,
    )
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(document))
    return read_recipe(path, changes)


def test_a_run_teaches_the_head_and_then_the_last_blocks(painted: Path, tmp_path: Path, looked: list[int]) -> None:
    recipe = read_toy(tmp_path)
    torch.manual_seed(recipe.seed)
    before: Any = recipe.model.build({name: head.output for name, head in recipe.build_heads().items()}, None)
    start = {name: value.clone() for name, value in before.state_dict().items()}
    after = read_checkpoint(train(recipe, data=painted, output=tmp_path / "runs" / "toy"))
    changed = {name for name, value in after.weights.items() if not torch.equal(value, start[name])}
    assert {name.partition(".")[0] for name in changed} == {"backbone", "head"}
    assert all(name.startswith(("head.", "backbone.stages.3")) for name in changed), changed
    assert sum(looked) > 0
    seen = len(looked)
    train(recipe, data=painted, output=tmp_path / "runs" / "again")
    assert len(looked) == seen  # the second run finds them beside the first


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        ({"bottleneck": True}, "teaches the head alone: say `train: [head]`"),
        ({"bottleneck": True, "train": ["head"], "mosaic": 0.1}, "leave out `mosaic` and `paste`"),
        ({"epochs": 1}, "give either `steps` or `epochs`"),
        ({"steps": 0}, "give either `steps` or `epochs`"),
    ],
)
def test_a_phase_that_cannot_be_is_refused(tmp_path: Path, phase: dict[str, Any], message: str) -> None:
    import yaml

    document = {"steps": 2, "size": SIDE} | phase
    with pytest.raises(ConfigError, match=r"phases.0") as caught:
        read_toy(tmp_path, f"phases={yaml.safe_dump([document], default_flow_style=True)}")
    assert message in str(caught.value)

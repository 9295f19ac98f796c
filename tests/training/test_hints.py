"""Features that are learned from a teacher's: what is compared, what learns, and that runs with them can be stopped anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from torch import Tensor, nn

import toy_bench
from dentify.bundle.open import Bundle
from dentify.errors import ConfigError
from dentify.training import export_bundle, train
from dentify.training.checkpoints import read_checkpoint
from dentify.training.heads import Output
from dentify.training.hints import HINTS, Hints
from dentify.training.models.network import normalised
from dentify.training.recipe import HintsRecipe, Recipe
from toy_bench import ToyNetwork, ToyRecipe, toy_recipe
from toy_runs import StoppedError, curve, rows, same, stop_at

OUTPUTS = {"types": Output(2, 2)}
HEADS: dict[str, Any] = {"types": toy_bench.toy_heads()["types"]}


def toy(width: int, seed: int) -> ToyNetwork:
    torch.manual_seed(seed)
    return ToyNetwork(ToyRecipe(width=width), OUTPUTS)


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 255, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def hints_of(network: nn.Module, large: nn.Module, **recipe: Any) -> Hints:
    return Hints(HintsRecipe(of="encoder.1", **recipe), network, large, size=32, seed=0)


def distance(hints: Hints, images: Tensor) -> Tensor:
    answers = hints.student(normalised(images, ToyNetwork.mean, ToyNetwork.std))
    return hints.distance(answers[HINTS], images)


def test_a_network_that_sees_what_its_teacher_sees_is_at_no_distance(images: Tensor) -> None:
    teacher = toy(8, seed=1)
    hints = hints_of(toy(8, seed=1), teacher)
    with torch.no_grad():
        hints.student.project.weight.copy_(torch.eye(8)[:, :, None, None])
        hints.student.project.bias.zero_()
    seen = teacher.body(teacher.stem(normalised(images, ToyNetwork.mean, ToyNetwork.std)))
    nothing = (seen.norm(dim=1) == 0).float().mean()  # of what points nowhere the cosine is nothing
    assert distance(hints, images).item() == pytest.approx(nothing.item(), abs=1e-4)


def test_a_network_comes_nearer_to_its_teacher_which_stays(images: Tensor) -> None:
    student, teacher = toy(4, seed=1), toy(16, seed=2)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    hints = hints_of(student, teacher)
    optimizer = torch.optim.AdamW([*student.parameters(), *(one for _, one in hints.named_parameters())], 0.01)
    told = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = distance(hints, images)
        loss.backward()
        optimizer.step()
        told.append(loss.item())
    assert told[-1] < 0.5 * told[0]
    assert same(dict(teacher.state_dict()), before)
    assert student.stem[0].weight.grad is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_the_projection_is_no_part_of_the_network() -> None:
    student = toy(4, seed=1)
    hints = hints_of(student, toy(8, seed=2), teacher="encoder.0")
    assert not any("project" in name for name in student.state_dict())
    assert {name: tuple(value.shape) for name, value in hints.state().items()} == {"weight": (8, 4, 1, 1), "bias": (8,)}
    assert [name for name, _ in hints.named_parameters()] == [f"{HINTS}.weight", f"{HINTS}.bias"]


def test_parts_without_features_are_told() -> None:
    with pytest.raises(ConfigError, match=r"^distil\.features\.teacher names encodr\.1, which is no part .* `encoder\.1`\?$"):
        hints_of(toy(4, seed=1), toy(8, seed=2), teacher="encodr.1")
    with pytest.raises(ConfigError, match=r"^distil\.features\.teacher: that part gives no map of features"):
        hints_of(toy(4, seed=1), toy(8, seed=2), teacher="answers")


# Runs


@pytest.fixture(scope="module")
def teacher(painted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run of a network that recipes can name."""
    small = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]}
    model: dict[str, Any] = {"name": "semantic", "architecture": "segformer_b0", "weights": None}
    model["configuration"] = small | {"decoder_hidden_size": 8}
    document = toy_bench.toy_document(model=model, heads=HEADS, phases=[{"steps": 2, "size": 32, "precision": "32"}])
    return train(Recipe.model_validate(document), data=painted, output=tmp_path_factory.mktemp("runs") / "large")


def hinted(teacher: Path, **changes: Any) -> Recipe:
    """The toy network, whose second layer learns from the first stage of that one."""
    distil = {"teacher": str(teacher), "features": {"of": "encoder.1", "teacher": "encoder.1", "weight": 0.5}}
    return toy_recipe(heads=HEADS, distil=distil, **changes)


@pytest.fixture(scope="module")
def learned(teacher: Path, painted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned") / "run"
    train(hinted(teacher), data=painted, output=folder)
    return folder


def test_a_checkpoint_teaches_by_its_answers_and_its_features(learned: Path) -> None:
    for row in rows(learned):
        assert float(row["loss"]) == pytest.approx(float(row["types"]) + 0.5 * float(row[HINTS]), rel=1e-5)
    (kept,) = (learned.parent / "teachers").iterdir()
    assert any(kept.iterdir())
    state = read_checkpoint(learned / "last.ckpt")
    assert state.hints["weight"].shape == (8, 8, 1, 1)
    assert f"{HINTS}.weight" in state.optimizers
    assert not any("project" in name for name in (*state.weights, *state.average))


def test_a_run_with_features_that_was_stopped_goes_on_as_if_it_had_not_been(teacher: Path, painted: Path, learned: Path) -> None:
    with pytest.raises(StoppedError):
        train(hinted(teacher), data=painted, output=learned.parent / "stopped", on_step=stop_at(5))
    train(hinted(teacher), data=painted, output=learned.parent / "stopped", resume=True)
    assert (learned.parent / "stopped" / "losses.csv").read_bytes() == (learned / "losses.csv").read_bytes()
    assert same(*(vars(read_checkpoint(run / "last.ckpt")) for run in (learned.parent / "stopped", learned)))


def test_batches_in_parts_follow_the_curve_of_whole_ones(teacher: Path, painted: Path, learned: Path) -> None:
    """Only nearly: losses are means over what is known in a part."""
    train(hinted(teacher, accumulate=2), data=painted, output=learned.parent / "parts")
    assert [float(row[HINTS]) for row in rows(learned.parent / "parts")] == pytest.approx(
        [float(row[HINTS]) for row in rows(learned)], rel=0.05
    )


def test_a_card_names_the_teacher_and_the_bundle_holds_no_more_than_without(learned: Path, painted: Path, tmp_path: Path) -> None:
    recipe = hinted(Path("runs/large/last.ckpt"))
    own = yaml.safe_load((learned / "recipe.yaml").read_text())["model"]["origins"]
    assert own["large"]["origin"] == "the bundle toy 1.0.0"
    known = ToyRecipe.model_validate({"origins": own})
    path = export_bundle(
        learned / "last.ckpt", tmp_path / "taught", recipe=recipe.model_copy(update={"model": known}), data=painted
    )
    manifest = Bundle.open(str(path)).manifest
    assert [(weights.name, weights.origin) for weights in manifest.weights] == [("large", "the bundle toy 1.0.0")]
    train(toy_recipe(heads=HEADS), data=painted, output=tmp_path / "plain")
    plain = export_bundle(tmp_path / "plain" / "last.ckpt", tmp_path / "bundle", recipe=toy_recipe(heads=HEADS), data=painted)
    sizes = [(folder / "network.onnx").stat().st_size for folder in (path, plain)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_a_run_that_goes_on_with_features_of_other_parts_is_told(teacher: Path, painted: Path, learned: Path) -> None:
    distil = {"teacher": str(teacher), "features": {"of": "encoder.1", "teacher": "encoder.4"}}
    with pytest.raises(ConfigError, match=r"^distil\.features: the run had those of other parts"):
        train(toy_recipe(heads=HEADS, distil=distil), data=painted, output=learned, resume=True)


def test_without_features_a_checkpoint_holds_none(run: Path) -> None:
    assert "hints" not in torch.load(run / "last.ckpt", weights_only=True)
    assert curve(run)
    assert read_checkpoint(run / "last.ckpt").hints == {}

"""A head and a network of a stranger's own, in this file alone: trained, exported, and asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import dentify
from dentify.bundle.manifest import Kind
from dentify.datasets import Sample
from dentify.strict import Strict
from dentify.training import export_bundle, train
from dentify.training.checkpoints import read_checkpoint
from dentify.training.classes import Classes
from dentify.training.heads import Output, Role, Truth
from dentify.training.models.network import NetworkRecipe
from dentify.training.scene import Scene
from toy_bench import SIDE, toy_document, toy_recipe


class BlueRecipe(Strict):
    """Asks whether a picture is blue somewhere, and calls that damaged."""

    kind: Literal["blue"] = "blue"
    weight: float = 1.0

    def build(self, name: str, classes: Classes) -> Blue:
        """The head."""
        return Blue(name, self.weight)


@dataclass(frozen=True)
class Blue:
    """See `dentify.training.heads.Head`."""

    name: str
    weight: float
    kind: Kind = "labels"
    role: Role = "damage_gate"
    auxiliary: str | None = None
    names: tuple[str, ...] = ("no", "yes")

    @property
    def output(self) -> Output:
        return Output(1)

    def shown(self, sample: Sample) -> Iterable[str]:
        return ("yes",) if any(damage.name == "dent" for damage in sample.damages) else ("no",)

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        return [0] if len(taught) == 2 else []

    def truth(self, scene: Scene) -> Truth:
        blue = (scene.image[..., 2] > 200) & (scene.image[..., 0] < 80)
        return {"blue": np.array(blue.any(), np.float32)}

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        return F.binary_cross_entropy_with_logits(outputs[:, 0], truth["blue"])

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            "right": ((outputs[:, 0] > 0) == truth["blue"].bool()).sum(),
            "all": truth["blue"].numel() + 0 * truth["blue"].sum(),
        }

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        return {"right": (counts["right"] / counts["all"]).item()}


class PixelRecipe(NetworkRecipe):
    """A network that looks at single pixels."""

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> Pixels:
        """The network."""
        return Pixels(outputs)


class Pixels(nn.Module):
    """See `dentify.training.models.Network`."""

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, outputs: Mapping[str, Output]) -> None:
        super().__init__()
        (self.told,) = outputs
        self.look = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU())
        self.say = nn.Linear(8, 1)

    def parts(self) -> dict[str, list[nn.Module]]:
        return {"look": [self.look], "say": [self.say]}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {self.told: self.say(self.look(images).amax((2, 3)))}


def test_a_strangers_head_on_a_strangers_network_is_trained_exported_and_asked(painted: Path, tmp_path: Path) -> None:
    data = toy_document()["data"]
    recipe = toy_recipe(
        model=PixelRecipe(),  # type: ignore[arg-type]
        data=data | {"hold_out": 0.2},
        augment={"strength": 0},
        optimizers=[{"kind": "adamw", "rate": 0.03}],
        phases=[{"steps": 60, "size": SIDE, "precision": "32"}],
        validate_every=60,
    ).model_copy(update={"heads": {"blue": BlueRecipe()}})
    checkpoint = train(recipe, data=painted, output=tmp_path / "run")
    assert read_checkpoint(checkpoint).taught == {"blue": ["no", "yes"]}
    assert float((tmp_path / "run" / "figures.csv").read_text().splitlines()[-1].split(",")[1]) > 0.9
    done = export_bundle(checkpoint, tmp_path / "bundle", recipe=recipe)
    assessor = dentify.load(done)
    dent, hood = (assessor.assess(painted / name) for name in ("0.png", "2.png"))
    assert dent.damage is not None
    assert hood.damage is not None
    assert (dent.damage.present, hood.damage.present) == (True, False)
    assert dent.vehicle is None
    assert dent.findings == ()

"""Maps of classes of which a cell has one at most: the parts of the vehicle, and how bad a damage is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from dentify.bundle.manifest import Kind
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError
from dentify.imaging.views import is_mirrored
from dentify.strict import Strict
from dentify.taxonomy import mirrored_part
from dentify.training import losses
from dentify.training.classes import Classes
from dentify.training.heads.head import LEAST_FILLED, Output, Role, Stride, Truth, iou_figures, is_filled, known_parts
from dentify.training.losses import IGNORE
from dentify.training.scene import Placed, Scene, cells_of
from dentify.visibility import COUNTERPARTS, VIEWS, known_view, mirrored_side, seen_from

Loss = Literal["cross_entropy", "focal", "dice", "tversky", "lovasz", "boundary", "views", "damaged"]


class ExclusiveRecipe(Strict):
    """One map of classes. That of parts has one more, the last: none of them."""

    kind: Literal["exclusive"]
    of: Literal["parts", "severity"]
    stride: Stride = Field(4, description="pixels of the picture a cell")
    weight: float = Field(1.0, ge=0, description="of the head's loss beside those of the others")
    loss: dict[Loss, Annotated[float, Field(ge=0)]] = Field(
        {"cross_entropy": 1.0, "dice": 1.0}, description="weights of losses by name", min_length=1
    )
    class_weights: tuple[float, ...] | None = Field(None, description="of the cross-entropy, one a class, for rare ones")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.class_weights is not None and "cross_entropy" not in self.loss:
            raise ValueError("`class_weights` are of the cross_entropy, which `loss` leaves out")
        if self.of != "parts" and (alone := {"views", "damaged"} & set(self.loss)):
            raise ValueError(f"`{min(alone)}` teaches parts alone")
        return self

    def build(self, name: str, classes: Classes) -> Exclusive:
        """The head."""
        return Exclusive(name, self, classes.parts if self.of == "parts" else classes.severity)


@dataclass(frozen=True)
class Exclusive:
    """See `Head`.

    Truth: `classes` (h, w) uint8, `IGNORE` where unknown; of parts `view` (h, w) uint8, which of `VIEWS` shows the vehicle where
    this alone is known, `IGNORE` elsewhere: what cannot be seen from there is not shown; `damaged` (h, w) bool, cells of damage
    where no parts are outlined; and `filled` () bool, whether a vehicle fills the picture.
    """

    name: str
    recipe: ExclusiveRecipe
    names: tuple[str, ...]
    kind: Kind = "maps"
    auxiliary: str | None = None

    @property
    def role(self) -> Role:
        """Parts, or severity."""
        return "parts" if self.recipe.of == "parts" else "severity"

    @property
    def weight(self) -> float:
        """See `Head`."""
        return self.recipe.weight

    @property
    def output(self) -> Output:
        """A logit a class; parts have one more, for none of them."""
        return Output(len(self.names) + (self.recipe.of == "parts"), self.recipe.stride)

    def shown(self, sample: Sample) -> Iterable[str]:
        """The parts that are outlined; the levels that damages are called.

        Raises:
            DatasetError: one outline is called two things, of which a cell could show one alone.
        """
        self._refuse_two_in_one(sample)
        if self.recipe.of == "parts":
            names = {part.name for part in sample.parts if part.has_mask}
            return (names | {mirrored_part(name) for name in names}) & set(self.names)  # half of all views are mirrored
        return {damage.severity for damage in sample.damages if damage.severity in self.names}

    def _refuse_two_in_one(self, sample: Sample) -> None:
        """Overlaps are drawn with the smaller on top; of two outlines that are the same one would be lost without a word."""
        called: dict[tuple[object, ...], str] = {}
        parts = self.recipe.of == "parts"
        for one in (one for one in (sample.parts if parts else sample.damages) if not one.ignored):
            name = one.name if parts else one.severity
            if name in self.names and one.has_mask:
                other = called.setdefault((one.box_xyxy, one.area), name)
                if other != name:
                    raise DatasetError(
                        f"{sample.where or sample.name}: calls one outline {other} and {name}, and heads.{self.name} tells one "
                        "class a place; correct its labels"
                    )

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """One a class, and none of them; one level alone tells nothing."""
        known = [place for place, name in enumerate(self.names) if name in taught]
        if self.recipe.of == "parts":
            return [*known, len(self.names)] if known else []
        return known if len(known) > 1 else []

    def truth(self, scene: Scene) -> Truth:
        """See the class."""
        side = scene.size // self.recipe.stride
        classes = np.full((side, side), IGNORE, np.uint8)
        view, damaged = classes.copy(), np.zeros(classes.shape, np.bool_)
        if self.recipe.of == "parts":
            for placed in scene.photos:
                cells = cells_of(placed.window, self.recipe.stride)
                classes[cells], view[cells] = self._parts(placed), self._view(placed)
                damaged[cells] = self._damaged(placed)
        else:  # a pasted damage was shrunk: how bad it is was judged at another size
            for placed in scene.photos:
                for damage in placed.damages:
                    if damage.annotation.severity in self.names:
                        window = classes[damage.cells(self.recipe.stride)]
                        window[damage.at(self.recipe.stride) > 64] = self.names.index(damage.annotation.severity)
            return {"classes": classes}
        return {"classes": classes, "view": view, "damaged": damaged, "filled": np.array(is_filled(scene))}

    def _view(self, placed: Placed) -> NDArray[np.uint8]:
        """The vehicle's side that one photo shows on its window, where no parts say more."""
        seen = known_view(placed.sample.view)
        rows, columns = (side // self.recipe.stride for side in placed.window_hw)
        if seen is None or placed.parts or placed.sample.vehicle is False:
            return np.full((rows, columns), IGNORE, np.uint8)
        side = VIEWS.index(mirrored_side(seen) if is_mirrored(placed.view) else seen)
        return np.where(self._thinned(placed.outside), IGNORE, side).astype(np.uint8)

    def _damaged(self, placed: Placed) -> NDArray[np.bool_]:
        """Cells of the window of one photo that show damage, which is on some part, where no parts are outlined."""
        stride = self.recipe.stride
        rows, columns = (side // stride for side in placed.window_hw)
        cells = np.zeros((rows, columns), np.bool_)
        for damage in () if placed.parts else placed.damages:
            if damage.annotation.has_mask and not (damage.annotation.loose or damage.annotation.crowd):
                cells |= damage.at(stride) > 127
        return cells

    def _thinned(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of a window, the value in the middle of each cell."""
        stride = self.recipe.stride
        return values[stride // 2 :: stride, stride // 2 :: stride]

    def _parts(self, placed: Placed) -> NDArray[np.uint8]:
        """Parts on the window of one photo; none of them is where no other could be, as all are labelled and outlined."""
        none = len(self.names)
        drawn = np.full(placed.window_hw, none, np.uint8)
        if placed.sample.vehicle is not False:
            outlined = [part for part in placed.parts if part.annotation.has_mask]
            boxed = [part for part in placed.parts if not part.annotation.has_mask]
            if not outlined or boxed or not known_parts(placed, self.names).all():
                drawn[:] = IGNORE
            for part in outlined:
                name = part.annotation.name
                drawn[part.cover > 127] = self.names.index(name) if name in self.names else IGNORE
            for region in placed.ignored:
                drawn[region.cover > 0] = IGNORE
            drawn[placed.outside] = IGNORE
        return self._thinned(drawn)

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """The recipe's losses in sum."""
        classes = truth["classes"].long()
        hot, known = losses.one_hot(classes, outputs.shape[1])
        total = outputs.new_zeros(())
        for name, weight in self.recipe.loss.items():
            match name:
                case "cross_entropy":
                    value = losses.cross_entropy(outputs, classes, self.recipe.class_weights)
                case "focal":
                    value = losses.focal(outputs, classes)
                case "dice":
                    value = losses.dice(outputs.softmax(1), hot, known)
                case "tversky":
                    value = losses.tversky(outputs.softmax(1), hot, known)
                case "lovasz":
                    value = losses.lovasz((hot - outputs.softmax(1)).abs(), hot, known)
                case "boundary":
                    value = losses.boundary(outputs.softmax(1), hot, known)
                case "views":
                    value = self._views(outputs, truth)
                case "damaged":
                    value = losses.yes_or_no(_less_none(outputs), torch.where(truth["damaged"], 1.0, torch.nan))
            total = total + weight * value
        return total

    def _views(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """That no part is taken for its counterpart on another side, and that enough is a part where a vehicle fills the picture.

        It is not asked which part a cell is, or whether it is one: wheels, or "none", would always be right.
        """
        families = [[self.names.index(name) for name in family if name in self.names] for family in COUNTERPARTS]
        which = losses.allowed(outputs, truth["view"].long(), self._seen, [family for family in families if len(family) > 1])
        return which + losses.too_small(_less_none(outputs).sigmoid(), truth["filled"], LEAST_FILLED)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Of the classes beside each other."""
        return losses.exclusive_distance(outputs, teacher, temperature)

    @property
    def _seen(self) -> list[list[bool]]:
        """Of each view, which channels it can show."""
        return [[*(view in seen_from(name) for name in self.names), True] for view in VIEWS]

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Pixels of the likeliest class."""
        classes = truth["classes"].long()
        hot, known = losses.one_hot(classes, outputs.shape[1])
        told = losses.one_hot(outputs.argmax(1), outputs.shape[1])[0].bool() & known
        classes_told, truth_told = told[:, : len(self.names)], hot.bool()[:, : len(self.names)]
        return {
            "both": (classes_told & truth_told).sum((0, 2, 3)),
            "either": (classes_told | truth_told).sum((0, 2, 3)),
        }

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """Pixel IoU."""
        return iou_figures(counts, self.names)


def _less_none(outputs: Tensor) -> Tensor:
    """(B, P + 1, h, w) logits of parts and none to (B, h, w) logits of any part, of which the gradient moves none alone.

    That some part is there says nothing of which: raised with the others, the likeliest of all photos would become all of them.
    """
    return outputs[:, :-1].detach().logsumexp(1) - outputs[:, -1]

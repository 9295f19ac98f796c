"""ONNX Runtime beside torch: logits and masks must both agree."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from torch import Tensor, nn

from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import BundleError
from dentify.runtime.session import Session
from dentify.training.as_onnx import Parity, check_parity, to_onnx
from dentify.training.heads import Output
from dentify.training.models.efficientnet_fpn import EfficientNetFPNRecipe
from dentify.training.taught import Kept
from toy_bench import toy_recipe


class Constant(nn.Module):
    """Answers `types` with one picture."""

    def __init__(self, types: Tensor) -> None:
        super().__init__()
        self.picture = nn.Parameter(types)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"types": self.picture + 0 * images.mean()}


@pytest.mark.parametrize(("shift", "message"), [(2e-3, r"logits by up to 0\.002"), (9e-4, r"IoU down to 0\.")])
def test_logits_and_masks_must_both_agree(shift: float, message: str) -> None:
    """Half of the cells lie so near to zero that a shift smaller than the first limit turns them over."""
    types = torch.full((1, 1, 8, 8), 1.0)
    types[..., :4] = -5e-4
    head = toy_recipe(classes={"damage": ["dent"], "parts": []}).build_heads()["types"]
    kept = {"types": Kept(head, ("dent",), [0])}
    onnx = to_onnx(Constant(types + shift), 32)
    session = Session(onnx, input_name="image", output_names=["types"], where="x")
    picture = np.zeros((1, 3, 32, 32), np.float32)
    with pytest.raises(BundleError, match=message):
        check_parity(Constant(types), session, [picture], kept)
    same = check_parity(Constant(types + shift), session, [picture, picture], kept)
    assert (same.photos, same.least_iou) == (2, 1.0)


@pytest.mark.parametrize(("turned", "agrees"), [(1, True), (2, False)])
def test_a_cell_that_rounding_decides_ends_no_export(turned: int, agrees: bool) -> None:
    """Of masks that are 8 cells in all, one that changed sides is an IoU of 0.875."""
    types = torch.full((1, 1, 8, 8), -1.0)
    types[0, 0, 0] = 1.0
    types[0, 0, 1, :turned] = -5e-5
    head = toy_recipe(classes={"damage": ["dent"], "parts": []}).build_heads()["types"]
    kept = {"types": Kept(head, ("dent",), [0])}
    session = Session(to_onnx(Constant(types + 1e-4), 32), input_name="image", output_names=["types"], where="x")
    picture = np.zeros((1, 3, 32, 32), np.float32)
    if agrees:
        assert check_parity(Constant(types), session, [picture], kept).least_iou == pytest.approx(8 / 9)
    else:
        with pytest.raises(BundleError, match=r"IoU down to 0\.8000"):
            check_parity(Constant(types), session, [picture], kept)


def test_numbers_that_are_none_agree_with_nothing() -> None:
    head = toy_recipe(classes={"damage": ["dent"], "parts": []}).build_heads()["types"]

    class Silent:
        def run(self, tensor: Any) -> dict[str, Any]:
            return {"types": np.full((1, 1, 8, 8), np.nan, np.float32)}

    kept = {"types": Kept(head, ("dent",), [0])}
    picture = np.zeros((1, 3, 32, 32), np.float32)
    with pytest.raises(BundleError, match="logits by up to nan"):
        check_parity(Constant(torch.ones(1, 1, 8, 8)), Silent(), [picture], kept)  # type: ignore[arg-type]


def check_tables(ours: Tensor, theirs: Tensor) -> Parity:
    """Of one photo, (N, 5 + cells) candidates of one type."""
    instances = {"types": {"kind": "instances", "of": "damage", "candidates": len(ours)}}
    head = toy_recipe(classes={"damage": ["dent"], "parts": []}, heads=instances).build_heads()["types"]

    class Answers:
        def run(self, tensor: Any) -> dict[str, Any]:
            return {"types": ours[None].numpy()}

    kept = {"types": Kept(head, ("dent",), [0])}
    return check_parity(Constant(theirs[None]), Answers(), [np.zeros((1, 3, 32, 32), np.float32)], kept)  # type: ignore[arg-type]


def drawn(count: int) -> Tensor:
    """(N, 5 + cells): small boxes beside each other, all told, each with a full mask."""
    table = torch.ones(count, 5 + INSTANCE_MASK**2)
    table[:, 0] = torch.arange(count) % 10 / 10
    table[:, 1] = torch.arange(count) // 10 / 20
    table[:, 2:4] = 0.5
    table[:, 4] = 0.9
    return table


@pytest.mark.parametrize(
    ("count", "others", "agrees"), [(5, 1, True), (5, 2, False), (100, 2, True), (100, 3, False)], ids=lambda value: str(value)
)
def test_a_candidate_in_fifty_may_be_another_and_one_however_few(count: int, others: int, agrees: bool) -> None:
    ours, theirs = drawn(count), drawn(count)
    theirs[:others, 4] = 0.3
    theirs[:others, 5:] = -1.0
    if agrees:
        told = check_tables(ours, theirs)
        assert (told.least_alike, told.least_iou, told.largest_difference) == (1 - others / count, 1.0, 0.0)
    else:
        with pytest.raises(BundleError, match=rf"of the candidates {1 - others / count:.1%} alike"):
            check_tables(ours, theirs)


def test_candidates_may_change_places_but_neither_boxes_nor_masks() -> None:
    ours = drawn(50)
    assert check_tables(ours, ours.flip(0)).least_alike == 1.0
    moved, other, none = ours.clone(), ours.clone(), ours.clone()
    moved[:, 2] += 2e-3
    other[:4, 5:] = -1.0
    none[3, 0] = torch.nan
    for table, message in ((moved, r"logits by up to 0\.002"), (other, r"IoU down to 0\.92"), (none, "logits by up to nan")):
        with pytest.raises(BundleError, match=message):
            check_tables(ours, table)


class Loud(nn.Module):
    """Says what torch and the exporter's libraries say now and then."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, 3, S, S), as it is."""
        for kind in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.warn("things will change", kind, stacklevel=1)
        for name in ("onnxscript", "onnx_ir"):
            logging.getLogger(f"{name}.within").warning("skipped")
        return {"types": images * 2}


def test_what_libraries_say_of_themselves_is_kept_from_who_exports(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        Loud()(torch.zeros(1, 3, 4, 4))
    assert (len(told), [one.getMessage() for one in caplog.records]) == (3, ["skipped"] * 2)
    caplog.clear()
    assert to_onnx(Loud(), 32)  # and warnings are errors in tests
    assert "skipped" not in caplog.messages


def test_a_network_says_nothing_of_the_machine_that_it_was_exported_on() -> None:
    recipe = EfficientNetFPNRecipe(name="efficientnet_fpn", encoder="test_efficientnet", width=8, fine_width=8)
    content = to_onnx(recipe.build({"types": Output(2, 4)}, None), 32)
    assert b"encoder.conv_stem" in content
    assert not [word for word in (b'.py", line', b"site-packages", str(Path(__file__).parents[2]).encode()) if word in content]

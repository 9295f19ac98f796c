"""ONNX Runtime beside torch: logits and masks must both agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from torch import Tensor, nn

from dentify.errors import BundleError
from dentify.runtime.session import Session
from dentify.training.as_onnx import check_parity, to_onnx
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

"""A tiny bundle whose answers can be foretold, for tests of Dentify and of programs that use it.

    folder = tiny_bundle(tmp_path / "bundle")
    photo = paint_photo(parts={"hood": (0.1, 0.25, 0.5, 0.75)}, damages=[Damage("dent", (0.25, 0.375, 0.375, 0.5))])
    assessment = dentify.load(folder).assess(photo)      # one dent, on the hood

The network knows colours, a pixel at a time: *green* says which part (or plain bodywork, or street), *red* alone says `dent`,
*blue* alone `scratch`, both `broken_part`, and how strong red or blue are says how sure and how bad. It runs on a grid of 64 × 64
cells, so sides of 64 pixels times a whole number and boxes of whole 64ths of the photo are told exactly. The photo counts as
damaged from 0.6 % of its area on, as a vehicle from a tenth on.

`tiny_classifier` writes a bundle that looks at the same colours and tells types of the photo as a whole, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dentify.bundle import Manifest, write_bundle
from dentify.errors import MissingExtraError

TYPES = ("dent", "scratch", "broken_part")
PARTS = ("hood", "front_bumper", "front_left_door")
SEVERITY_LEVELS = ("minor", "moderate", "severe")
SIDE = 64

_STREET, _BODY, _PARTS_GREEN = 255, 200, (152, 104, 56)  # green of the street, of bodywork without a name, of each part
_CALM = 51  # red and blue where nothing is damaged

Shares = tuple[float, float, float, float]


@dataclass(frozen=True)
class Damage:
    """A damage to paint.

    `box` is `(x_min, y_min, x_max, y_max)` as shares of the photo's width and height. A dent or scratch of `strength` 0.6 is told
    with a confidence of a half, of 0.7 with 0.88, of 1.0 with nearly 1; a broken part of 0.8, 0.85 and 1.0. It is minor below 0.8
    and severe from 0.92 on.
    """

    type: str
    box: Shares
    strength: float = 1.0


def paint_photo(
    *,
    size_hw: tuple[int, int] = (512, 768),
    body: Shares | None = (0.0, 0.0, 1.0, 1.0),
    parts: Mapping[str, Shares] | None = None,
    damages: Sequence[Damage] = (),
) -> NDArray[np.uint8]:
    """A photo that the tiny bundle understands.

    Args:
        size_hw: height and width in pixels.
        body: where the vehicle is; `None` for a photo without one.
        parts: where each part of `PARTS` is seen.
        damages: painted last, over the parts they lie on.

    Returns:
        `(H, W, 3)` uint8 RGB.
    """
    image = np.empty((*size_hw, 3), np.uint8)
    image[:] = (_CALM, _STREET, _CALM)

    def area(box: Shares) -> tuple[slice, slice]:
        x_min, y_min, x_max, y_max = (round(share * side) for share, side in zip(box, size_hw[::-1] * 2, strict=True))
        return slice(y_min, y_max), slice(x_min, x_max)

    if body is not None:
        image[(*area(body), 1)] = _BODY
    for name, box in (parts or {}).items():
        image[(*area(box), 1)] = _PARTS_GREEN[PARTS.index(name)]
    for damage in damages:
        level = round(damage.strength * 255)
        image[(*area(damage.box), 0)] = level if damage.type != "scratch" else _CALM
        image[(*area(damage.box), 2)] = level if damage.type != "dent" else _CALM
    return image


def tiny_bundle(path: str | os.PathLike[str], *, overwrite: bool = False, photo_types: bool = False, **changes: Any) -> Path:
    """Write the tiny bundle: one ONNX file of a few kB with all five heads.

    Args:
        path: the folder to make, or a zip where the name ends in `.zip`.
        overwrite: replace what is there.
        photo_types: a sixth head tells the types of the photo as a whole, as in `tiny_classifier`.
        changes: keys of the manifest to hold something else, such as `thresholds={…}`.

    Returns:
        The path written.

    Raises:
        MissingExtraError: the `onnx` package is not installed.
    """
    manifest = Manifest.model_validate(tiny_manifest(photo_types=photo_types) | changes)
    return write_bundle(path, manifest, {"tiny.onnx": tiny_onnx(photo_types=photo_types)}, overwrite=overwrite)


def tiny_classifier(path: str | os.PathLike[str], *, exclusive: bool = False, overwrite: bool = False, **changes: Any) -> Path:
    """Write a tiny bundle that tells the types of the photo as a whole, without a gate or a map.

    A type is told from 0.6 % of the photo's area on: with 0.998 where it covers 1.2 % or more, with 0.003 where it is nowhere.
    Where types are `exclusive`, one that covers 1.2 % by itself is told with nearly 1. Of two that both do, or on a photo without
    damage, none is likely enough to be told.

    Args:
        path: the folder to make, or a zip where the name ends in `.zip`.
        exclusive: whether a photo has one type only.
        overwrite: replace what is there.
        changes: keys of the manifest to hold something else.

    Returns:
        The path written.

    Raises:
        MissingExtraError: the `onnx` package is not installed.
    """
    whole = tiny_manifest(photo_types=True)
    alone = {
        "roles": {"types": whole["roles"]["types"]},
        "classes": {"types": whole["classes"]["types"]},
        "taxonomy": {key: whole["taxonomy"][key] for key in ("damage_types", "taught")},
        "thresholds": {},
        "calibration": {"types": {"exclusive": exclusive}},
    }
    return tiny_bundle(path, overwrite=overwrite, photo_types=True, **(alone | changes))


def tiny_manifest(*, photo_types: bool = False) -> dict[str, Any]:
    """The tiny bundle's manifest, without its list of files; with `photo_types` it tells those, too."""
    preprocessing = {"size_hw": [SIDE, SIDE], "mean": [0.5, 0.25, 0.5], "std": [0.5, 1.0, 0.25]}

    def member(output: str, kind: str) -> list[dict[str, str]]:
        return [{"file": "tiny.onnx", "output": output, "kind": kind}]

    types = {"types": member("photo_types", "labels")} if photo_types else {}
    return {
        "name": "tiny",
        "version": "1.0.0",
        "licence": "Apache-2.0",
        "description": "Reads painted test photos by their colours; knows nothing of real ones.",
        "taxonomy": {
            "damage_types": ["dent", "scratch", "crack", "glass_shatter", "lamp_broken", "tire_flat", "broken_part"],
            "taught": list(TYPES),
            "parts": list(PARTS),
            "severity_levels": list(SEVERITY_LEVELS),
        },
        "networks": [{"file": "tiny.onnx", "input": "image", "preprocessing": preprocessing}],
        "roles": {
            "vehicle_gate": member("vehicle", "labels"),
            "damage_gate": member("damaged", "labels"),
            "damage": member("types", "maps"),
            "parts": member("parts", "maps"),
            "severity": member("severity", "maps"),
            **types,
        },
        "classes": {
            **{role: list(TYPES) for role in types},
            "damage": list(TYPES),
            "parts": list(PARTS),
            "severity": list(SEVERITY_LEVELS),
        },
        "thresholds": {"findings": dict.fromkeys(TYPES, 0.5)},
        "review": {"sure_from": 0.7, "weak_types": ["broken_part"]},
        "data": [
            {
                "name": "painted",
                "origin": "dentify.testing.paint_photo",
                "licence": "Apache-2.0",
                "photos": 0,
                "used_for": "nothing",
            }
        ],
    }


def tiny_onnx(*, photo_types: bool = False) -> bytes:
    """The tiny network: `image` → logits: `vehicle`, `damaged` (1, 1), `types`, `parts`, `severity` (1, C, 64, 64).

    With `photo_types` it has one more output of that name, (1, C): logits of the types of the photo as a whole.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise MissingExtraError(what="The tiny bundle", extra="train") from error
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: Any, kind: Any = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def per_pixel(source: str, weights: Any, biases: Any, output: str) -> str:
        """A 1 × 1 convolution: `weights` (out, in)."""
        kernel = np.asarray(weights, np.float32)[:, :, None, None]
        return node("Conv", [source, constant(f"{output}.w", kernel), constant(f"{output}.b", biases)], output)

    # Undo the manifest's normalisation, so that all below reads in colours of 0..1.
    rgb = per_pixel("image", np.diag([0.5, 1.0, 0.25]), [0.5, 0.25, 0.5], "rgb")
    # dent: 20 (r - b) - 8, scratch: 20 (b - r) - 8, broken_part: 20 (r + b) - 32
    types = per_pixel(rgb, [[20, 0, -20], [-20, 0, 20], [20, 0, 20]], [-8, -8, -32], "types")
    # How far green is from bodywork's and from each part's: 10 - 100 |g - level|; street and plain bodywork are no part.
    levels = [-green / 255 for green in (_BODY, *_PARTS_GREEN)]
    distance = node("Abs", [per_pixel(rgb, [[0, 1, 0]] * len(levels), levels, "offset")], "distance")
    near = per_pixel(distance, -100 * np.eye(len(levels)), [10] * len(levels), "near")
    per_pixel(near, np.concatenate([np.eye(len(levels))[1:], np.zeros((1, len(levels)))]), [0] * len(levels), "parts")
    # Severity from the stronger of red and blue: moderate passes minor at 0.80, severe passes moderate at 0.92.
    red = per_pixel(rgb, [[1, 0, 0]], [0], "red")
    blue = per_pixel(rgb, [[0, 0, 1]], [0], "blue")
    per_pixel(node("Max", [red, blue], "stronger"), [[0], [40], [100]], [0, -32, -87.2], "severity")

    def gate(source: str, slope: float, share: float, output: str, *, each: bool = False) -> None:
        """Logit from the share of the photo where any channel of `source` is on, or where each of them is, 6 at most."""
        pooled_over = source if each else node("ReduceMax", [source], f"{output}.any", axes=[1], keepdims=1)
        on = node("Sigmoid", [pooled_over], f"{output}.on")
        pooled = node("Flatten", [node("GlobalAveragePool", [on], f"{output}.pooled")], f"{output}.share")
        scaled = node("Mul", [pooled, constant(f"{output}.slope", slope)], f"{output}.scaled")
        logit = node("Sub", [scaled, constant(f"{output}.from", slope * share)], f"{output}.logit")
        node("Clip", [logit, constant(f"{output}.low", -6.0), constant(f"{output}.high", 6.0)], output)

    gate(near, 40, 0.1, "vehicle")  # from a tenth of the photo on
    gate(types, 1000, 0.006, "damaged")  # from 0.6 % of the photo on, some 25 cells
    if photo_types:
        gate(types, 1000, 0.006, "photo_types", each=True)

    def tensor(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *shape))

    outputs = [tensor("vehicle", 1), tensor("damaged", 1), tensor("types", len(TYPES), SIDE, SIDE)]
    outputs += [tensor("parts", len(PARTS) + 1, SIDE, SIDE), tensor("severity", len(SEVERITY_LEVELS), SIDE, SIDE)]
    if photo_types:
        outputs.append(tensor("photo_types", len(TYPES)))
    graph = helper.make_graph(nodes, "tiny", [tensor("image", 3, SIDE, SIDE)], outputs, constants)
    # Old enough for every ONNX Runtime that Dentify takes.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="dentify.testing")
    data: bytes = model.SerializeToString(deterministic=True)
    return data

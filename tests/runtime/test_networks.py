"""A bundle's networks as one thing to ask."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle import Manifest
from dentify.bundle.manifest import Views
from dentify.errors import BundleError
from dentify.runtime.networks import Networks, chosen_views
from dentify.runtime.probabilities import logits_of_mean, sigmoid, softmax
from dentify.runtime.session import Session
from dentify.settings import Settings
from dentify.testing import PARTS, TYPES, Damage, paint_photo, tiny_manifest, tiny_onnx

DENT = paint_photo(damages=[Damage("dent", (0.25, 0.25, 0.5, 0.5))])


def networks(data: bytes | None = None, **changes: Any) -> Networks:
    manifest = Manifest.model_validate(tiny_manifest() | changes)
    return Networks(manifest, {"tiny.onnx": data or tiny_onnx()}, threads=1, where="b")


def roles(**changes: Any) -> dict[str, Any]:
    return tiny_manifest()["roles"] | changes


def test_every_role_is_answered() -> None:
    answers = networks().ask(DENT)
    assert answers.vehicle == pytest.approx(6, abs=1e-2)
    assert answers.damaged == pytest.approx(6, abs=1e-2)
    assert answers.types is not None
    assert answers.types.shape == (len(TYPES), 64, 64)
    assert (answers.types[0] > 0).sum() == 16 * 16
    assert answers.parts is not None
    assert answers.parts.shape == (len(PARTS) + 1, 64, 64)
    assert answers.severity is not None
    assert answers.photo_severity is None
    assert answers.auxiliary == {}


def test_a_photo_needs_no_more_pixels_than_the_largest_input() -> None:
    assert networks().enough_side == 64


def test_auxiliary_maps_come_by_their_keys() -> None:
    member = {"file": "tiny.onnx", "output": "types", "kind": "maps", "auxiliary": {"centres": "severity"}}
    answers = networks(roles=roles(damage=[member])).ask(DENT)
    assert {key: values.shape for key, values in answers.auxiliary.items()} == {"centres": (3, 64, 64)}


def test_calibration_is_no_business_of_theirs() -> None:
    calibration = {gate: {"temperature": 3.0, "bias": 1.0} for gate in ("vehicle", "damage")}
    plain, other = networks().ask(DENT), networks(calibration=calibration).ask(DENT)
    assert (plain.vehicle, plain.damaged) == (other.vehicle, other.damaged)


def test_gates_of_an_ensemble_are_one_logit() -> None:
    """One member is sure of yes, the other of no: together they are in between."""
    members = [{"file": "tiny.onnx", "output": output, "kind": "labels"} for output in ("vehicle", "damaged")]
    undamaged = paint_photo()
    yes, no = (networks().ask(undamaged).vehicle, networks().ask(undamaged).damaged)
    assert yes is not None
    assert no is not None
    both = networks(roles=roles(vehicle_gate=members)).ask(undamaged).vehicle
    assert both is not None
    assert sigmoid(np.array(both)) == pytest.approx(sigmoid(np.array([yes, no])).mean(), abs=1e-6)


def test_an_ensemble_is_a_weighted_mean_of_logits() -> None:
    """Two files, the second of which is the first with its dents moved to the scratches' channel."""
    model = onnx.load_model_from_string(tiny_onnx())
    (weights,) = (tensor for tensor in model.graph.initializer if tensor.name == "types.w")
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights)[[1, 0, 2]], "types.w"))
    whole = tiny_manifest()
    manifest = Manifest.model_validate(
        whole
        | {
            "networks": [network | {"file": file} for network in whole["networks"] for file in ("a.onnx", "b.onnx")],
            "roles": {
                "damage": [
                    {"file": "a.onnx", "output": "types", "kind": "maps", "weight": 3},
                    {"file": "b.onnx", "output": "types", "kind": "maps", "weight": 1},
                ]
            },
            "classes": {"damage": list(TYPES)},
        }
    )
    files = {"a.onnx": tiny_onnx(), "b.onnx": model.SerializeToString()}
    types = Networks(manifest, files, threads=1, where="b").ask(DENT).types
    alone = networks().ask(DENT).types
    assert types is not None
    assert alone is not None
    np.testing.assert_allclose(types[0], 0.75 * alone[0] + 0.25 * alone[1], atol=1e-4)


def finer(output: str) -> bytes:
    """The tiny network with one of its maps on half the cells, as `<output>.half`, beside the whole one."""
    model = onnx.load_model_from_string(tiny_onnx())
    pool = onnx.helper.make_node("AveragePool", [output], [f"{output}.half"], kernel_shape=[2, 2], strides=[2, 2])
    model.graph.node.append(pool)
    model.graph.output.append(onnx.helper.make_tensor_value_info(f"{output}.half", onnx.TensorProto.FLOAT, None))
    data: bytes = model.SerializeToString()
    return data


def ensemble_of(role: str, *outputs: str, auxiliary: dict[str, str] | None = None, **changes: Any) -> Networks:
    """The tiny network, several of its maps members of one role."""
    members = [{"file": "tiny.onnx", "output": one, "kind": "maps", "auxiliary": auxiliary or {}} for one in outputs]
    return networks(finer(role if role == "parts" else "types"), roles=roles(**{role: members}), **changes)


@pytest.mark.parametrize("how", [{}, {"damage": "mean"}])
def test_members_of_different_grids_meet_on_the_finest(how: dict[str, str]) -> None:
    types = ensemble_of("damage", "types", "types.half", combine=how).ask(DENT).types
    alone = networks().ask(DENT).types
    assert types is not None
    assert alone is not None
    assert types.shape == alone.shape
    np.testing.assert_allclose(types[:, 4:12, 4:12], alone[:, 4:12, 4:12], atol=0.1)  # nothing but bodywork there


def test_maps_vote_where_the_manifest_says_so() -> None:
    voted = (
        ensemble_of("parts", "parts", "parts", combine={"parts": "vote"}).ask(paint_photo(parts={"hood": (0, 0, 0.5, 1)})).parts
    )
    assert voted is not None
    assert set(voted.argmax(0).ravel().tolist()) == {0, len(PARTS)}
    assert softmax(voted).max() == pytest.approx(0.985, abs=0.01)


def test_maps_that_say_where_are_never_voted_on() -> None:
    auxiliary = {"any": "vehicle_map", "centres": "severity"}
    model = onnx.load_model_from_string(tiny_onnx())
    model.graph.node.append(onnx.helper.make_node("ReduceMax", ["types"], ["vehicle_map"], axes=[1], keepdims=1))
    model.graph.output.append(onnx.helper.make_tensor_value_info("vehicle_map", onnx.TensorProto.FLOAT, None))
    members = [{"file": "tiny.onnx", "output": "types", "kind": "maps", "auxiliary": auxiliary}] * 2
    told = networks(model.SerializeToString(), roles=roles(damage=members), combine={"damage": "vote"}).ask(DENT).auxiliary
    alone = networks().ask(DENT).severity
    assert alone is not None
    np.testing.assert_allclose(told["centres"], alone, atol=1e-4)
    assert np.abs(told["any"]).max() < 5  # a vote's


def test_grids_that_are_long_in_different_directions_meet_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentify.runtime.networks.MOST_VALUES", 3 * 64 * 64 - 1)
    with pytest.raises(
        BundleError, match=r"^b: the maps of roles\.damage take 3 × 64 × 64 values on the finest of their grids, over"
    ):
        ensemble_of("damage", "types", "types.half").ask(DENT)


def test_a_letterboxs_filling_is_no_part_of_the_answer() -> None:
    network = tiny_manifest()["networks"][0]
    letterbox = network | {"preprocessing": network["preprocessing"] | {"resize": "letterbox"}}
    types = networks(networks=[letterbox]).ask(paint_photo(size_hw=(256, 512))).types
    assert types is not None
    assert types.shape == (3, 32, 64)


def open_shapes() -> Any:
    """The tiny network with the shape of its outputs left open."""
    model = onnx.load_model_from_string(tiny_onnx())
    for output in model.graph.output:
        for dimension in output.type.tensor_type.shape.dim:
            dimension.dim_param = "any"
    return model


def test_channels_that_no_file_promised_are_checked_when_they_come() -> None:
    whole = tiny_manifest()
    parts = {"parts": list(PARTS[:2])}
    with pytest.raises(
        BundleError, match=r"^b/tiny\.onnx: output 'parts' is \(1, 4, 64, 64\), the classes of parts need \(1, 3, None, None\)"
    ):
        networks(open_shapes().SerializeToString(), taxonomy=whole["taxonomy"] | parts, classes=whole["classes"] | parts).ask(
            DENT
        )


def test_a_network_that_gives_no_numbers_is_broken() -> None:
    model = onnx.load_model_from_string(tiny_onnx())
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "types.b")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), "types.b"))
    with pytest.raises(BundleError, match=r"^b/tiny\.onnx: output '\w+' holds values that are no numbers"):
        networks(model.SerializeToString()).ask(DENT)


def types_of(*members: dict[str, Any], exclusive: bool) -> np.ndarray:
    whole = tiny_manifest(photo_types=True)
    made = [{"file": "tiny.onnx", "kind": "labels"} | member for member in members]
    changes = {"roles": whole["roles"] | {"types": made}, "calibration": {"types": {"exclusive": exclusive}}}
    manifest = Manifest.model_validate(whole | changes)
    told = Networks(manifest, {"tiny.onnx": tiny_onnx(photo_types=True)}, threads=1, where="b").ask(DENT).photo_types
    assert told is not None
    return told


def test_types_of_the_photo_are_logits_one_a_type() -> None:
    assert networks().ask(DENT).photo_types is None
    told = types_of({"output": "photo_types"}, exclusive=False)
    assert told[0] == pytest.approx(6, abs=1e-2)
    assert told[1:] == pytest.approx([-5.8, -5.8], abs=0.3)


@pytest.mark.parametrize("exclusive", [False, True])
def test_an_ensemble_tells_mean_probabilities_of_types(exclusive: bool) -> None:
    """Twice the same member changes nothing: not its probabilities, whatever the weights."""
    alone = types_of({"output": "photo_types"}, exclusive=exclusive)
    twice = types_of({"output": "photo_types"}, {"output": "photo_types", "weight": 3}, exclusive=exclusive)
    probabilities = softmax if exclusive else sigmoid
    np.testing.assert_allclose(probabilities(twice), probabilities(alone), atol=1e-5)


def test_means_of_independent_types_are_taken_type_by_type() -> None:
    first, second = np.float32([4, -4, 0]), np.float32([-4, -4, 0])
    mean = sigmoid(logits_of_mean([first, second], [3, 1]))
    np.testing.assert_allclose(mean, 0.75 * sigmoid(first) + 0.25 * sigmoid(second), atol=1e-6)
    assert logits_of_mean([first], [1]).tolist() == first.tolist()


# How else networks see a photo


class Counted:
    """How often each network was run, and on what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inputs: list[np.ndarray] = []
        run = Session.run

        def counted(session: Session, tensor: np.ndarray, **given: float) -> Any:
            self.inputs.append(tensor)
            return run(session, tensor, **given)

        monkeypatch.setattr(Session, "run", counted)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def with_settings(views: dict[str, Any] | None = None, **settings: Any) -> Networks:
    manifest = Manifest.model_validate(tiny_manifest() | {"views": views or {}})
    return Networks(manifest, {"tiny.onnx": tiny_onnx()}, threads=1, where="b", settings=Settings(**settings))


def views_of(networks: Networks, image: np.ndarray, **given: Any) -> tuple[np.ndarray, np.ndarray]:
    answers = networks.ask(image, **given)
    assert answers.types is not None
    assert answers.parts is not None
    return answers.types, answers.parts


def test_without_views_a_photo_is_seen_once(counted: Counted) -> None:
    networks().ask(paint_photo(size_hw=(640, 640)))
    assert len(counted.inputs) == 1


@given(
    st.tuples(st.integers(2, 6), st.integers(2, 6)),
    st.integers(2, 4),
    st.lists(st.sampled_from(range(8)), min_size=4, max_size=4),
    st.booleans(),
)
def test_a_network_that_looks_at_one_pixel_at_a_time_sees_the_same_in_tiles(
    times: tuple[int, int], tiles: int, edges: list[int], mirrored: bool
) -> None:
    """But for cells at the edge of a damage, which tiles cut in another place."""
    x, y = sorted(edges[:2]), sorted(edges[2:])
    damage = Damage("dent", (x[0] / 8, y[0] / 8, (x[1] + 1) / 8, (y[1] + 1) / 8))
    image = paint_photo(size_hw=(64 * times[0], 64 * times[1]), damages=[damage])
    plain, _ = views_of(networks(), image)
    tiled, _ = views_of(with_settings({"damage": {"tiles": tiles, "mirrored": mirrored}}, max_tiles=64), image)
    assert tiled.shape == plain.shape
    inside = np.zeros(plain.shape[1:], np.bool_)
    inside[y[0] * 8 : y[1] * 8 + 8, x[0] * 8 : x[1] * 8 + 8] = True
    near = cv2.dilate(inside.view(np.uint8), np.ones((5, 5))) != cv2.erode(inside.view(np.uint8), np.ones((5, 5)))
    np.testing.assert_allclose(tiled[:, ~near], plain[:, ~near], atol=0.05)
    assert ((tiled[0] > 0) == inside)[~near].all()


def test_each_tile_and_the_mirrored_photo_are_seen_once_by_each_network(counted: Counted) -> None:
    views = {"damage": {"tiles": 2, "mirrored": True}, "severity": {"tiles": 2}, "vehicle_gate": {"mirrored": True}}
    with_settings(views).ask(paint_photo(size_hw=(256, 256)))
    assert len(counted.inputs) == 1 + 4 + 1


def test_only_what_the_bundle_names_is_seen_otherwise() -> None:
    """Stripes of a pixel are a hood's green from afar; a tile sees bodywork and bumper."""
    image = paint_photo(size_hw=(256, 256), damages=[Damage("dent", (0.0, 0.0, 0.25, 0.25))])
    image[:, ::2, 1], image[:, 1::2, 1] = 200, 104
    plain, hood = views_of(networks(), image)
    same, stripes = views_of(with_settings({"parts": {"tiles": 4}}, max_tiles=16), image)
    assert hood[0, 40, 40] > 9
    assert stripes[0, 40, 40] < hood[0, 40, 40] - 2
    np.testing.assert_array_equal(plain, same)


@pytest.mark.parametrize(
    ("tiles", "photo_hw", "runs"),
    [("auto", None, 1), ("auto", (1024, 1024), 10), (3, None, 10), ("off", (1024, 1024), 1), ("bundle", (1024, 1024), 5)],
)
def test_settings_may_name_other_tiles(tiles: str | int, photo_hw: tuple[int, int] | None, runs: int, counted: Counted) -> None:
    """Auto goes by the photo's pixels, whatever it was decoded to."""
    made = with_settings({"damage": {"tiles": 2}}, tiles=tiles, max_tiles=9)
    made.ask(paint_photo(size_hw=(128, 128)), photo_hw=photo_hw)
    assert len(counted.inputs) == runs


def test_tiles_are_for_damage_where_the_bundle_names_none() -> None:
    plain = Manifest.model_validate(tiny_manifest())
    assert chosen_views(plain, "bundle") == chosen_views(plain, "off") == {}
    assert chosen_views(plain, 3) == {"damage": Views(tiles=3)}
    named = Manifest.model_validate(
        tiny_manifest() | {"views": {"severity": {"tiles": 2, "mirrored": True}, "vehicle_gate": {"mirrored": True}}}
    )
    assert chosen_views(named, "off") == {"severity": Views(mirrored=True), "vehicle_gate": Views(mirrored=True)}
    assert chosen_views(named, "auto") == {
        "damage": Views(tiles="auto"),
        "severity": Views(tiles="auto", mirrored=True),
        "vehicle_gate": Views(mirrored=True),
    }
    gate = {"vehicle_gate": tiny_manifest()["roles"]["vehicle_gate"]}
    nothing = {"taxonomy": {"damage_types": ["dent"], "taught": []}, "classes": {}, "thresholds": {}, "review": {}}
    assert chosen_views(Manifest.model_validate(tiny_manifest() | {"roles": gate} | nothing), "auto") == {}


def test_a_photo_that_is_seen_in_tiles_needs_more_pixels() -> None:
    assert with_settings({"damage": {"tiles": 2}}).enough_side == 112
    assert with_settings(tiles="auto").enough_side == 160  # three along the shorter side at most, of twelve
    assert with_settings({"vehicle_gate": {"mirrored": True}}).enough_side == 64


def test_a_mirrored_photo_counts_as_much_as_the_photo() -> None:
    """A network that sees dents on the left half alone, and a photo with one there."""
    model = onnx.load_model_from_string(tiny_onnx())
    left = np.concatenate([np.zeros((1, 1, 64, 32)), np.full((1, 1, 64, 32), -20)], axis=3).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(left, "left"))
    for node in model.graph.node:
        if "types" in node.output:
            node.output[0] = "types.whole"
    model.graph.node.append(onnx.helper.make_node("Add", ["types.whole", "left"], ["types"]))
    manifest = Manifest.model_validate(tiny_manifest() | {"views": {"damage": {"mirrored": True}}})
    data = model.SerializeToString()
    image = paint_photo(damages=[Damage("dent", (0.125, 0.25, 0.25, 0.5))])
    alone, _ = views_of(networks(data), image)
    both, _ = views_of(Networks(manifest, {"tiny.onnx": data}, threads=1, where="b"), image)
    np.testing.assert_allclose(both[0, 20, 12], alone[0, 20, 12] - 10, atol=0.1)
    np.testing.assert_allclose(both[1, 20, 40], alone[1, 20, 40] + 10, atol=0.1)


def test_parts_of_a_mirrored_photo_have_their_names() -> None:
    """The tiny network tells a door by its green, which a mirror does not change: half say it is a right one then."""
    parts = {"parts": ["hood", "front_right_door", "front_left_door"]}
    whole = tiny_manifest()
    changes = {"taxonomy": whole["taxonomy"] | parts, "classes": whole["classes"] | parts}
    image = paint_photo(parts={"front_left_door": (0.0, 0.0, 0.5, 1.0)})
    _, alone = views_of(networks(**changes), image)
    _, both = views_of(networks(**changes, views={"parts": {"mirrored": True}}), image)
    assert (alone[2, 32, 16], alone[1, 32, 16]) == pytest.approx((10, -8.8), abs=0.2)
    assert (both[2, 32, 16], both[1, 32, 16]) == pytest.approx((0.6, 0.6), abs=0.2)
    np.testing.assert_allclose(both[0], alone[0], atol=1e-4)


@pytest.mark.parametrize("exclusive", [False, True])
def test_labels_of_a_mirrored_photo_count_as_another_members(exclusive: bool) -> None:
    whole = tiny_manifest(photo_types=True)
    views = {role: {"mirrored": True} for role in ("vehicle_gate", "damage_gate", "types")}
    changes = {"views": views, "calibration": {"types": {"exclusive": exclusive}}}
    answers = [
        Networks(Manifest.model_validate(whole | one), {"tiny.onnx": tiny_onnx(photo_types=True)}, threads=1, where="b").ask(DENT)
        for one in (changes, changes | {"views": {}})
    ]
    mirrored, plain = answers
    assert mirrored.vehicle == pytest.approx(plain.vehicle, abs=0.01)
    probabilities = softmax if exclusive else sigmoid
    assert mirrored.photo_types is not None
    assert plain.photo_types is not None
    np.testing.assert_allclose(probabilities(mirrored.photo_types), probabilities(plain.photo_types), atol=1e-4)


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were gone before each run; each takes a fiftieth at least."""
    told: list[float] = []
    run = Session.run

    def slow(session: Session, tensor: np.ndarray, **given: float) -> Any:
        told.append(given["spent"])
        time.sleep(0.02)
        return run(session, tensor, **given)

    monkeypatch.setattr(Session, "run", slow)
    return told


def test_tiles_share_the_seconds_that_a_network_may_take(spent: list[float]) -> None:
    with_settings({"damage": {"tiles": 2}}).ask(paint_photo(size_hw=(256, 256)))
    assert spent[0] == 0
    assert all(later - earlier >= 0.02 for earlier, later in pairwise(spent))


def test_a_run_that_has_no_limit_takes_none_of_the_next_ones_time(spent: list[float]) -> None:
    """The first one on a GPU, which compiles."""
    networks = with_settings({"damage": {"tiles": 2}})
    for session in networks._sessions.values():
        session._seconds = None
    networks.ask(paint_photo(size_hw=(256, 256)))
    assert spent[:2] == [0.0, 0.0]
    assert all(later - earlier >= 0.02 for earlier, later in pairwise(spent[1:]))


def test_tiles_hold_no_more_than_one_output_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentify.runtime.networks.MOST_VALUES", 4 * 3 * 64 * 64 - 1)
    message = r"^b/tiny\.onnx: 4 tiles of a photo give 49,152 values, over the limit of 49,151; set DENTIFY_MAX_TILES lower$"
    with pytest.raises(BundleError, match=message):
        with_settings({"damage": {"tiles": 2}}).ask(paint_photo(size_hw=(256, 256)))

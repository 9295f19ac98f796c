"""Opening a bundle: what is checked, each with the line that a person reads."""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dentify.bundle import Bundle
from dentify.bundle.open import DEFAULT
from dentify.errors import BundleError
from dentify.settings import Settings
from dentify.testing import tiny_bundle, tiny_onnx

Edit = Callable[[Callable[[dict[str, Any]], None]], Path]


def refuse(path: Path, message: str, *, limits: Settings | None = None) -> None:
    """Opening must fail with one line that names the bundle and holds `message`."""
    with pytest.raises(BundleError) as caught:
        Bundle.open(path, settings=limits)
    text = str(caught.value)
    assert message in text
    assert text.startswith(str(path))
    assert "\n" not in text


def test_a_folder_and_a_zip_of_it_are_the_same_bundle(tmp_path: Path) -> None:
    folder, packed = Bundle.open(tiny_bundle(tmp_path / "b")), Bundle.open(tiny_bundle(tmp_path / "b.zip"))
    assert folder.identity == packed.identity
    assert folder.files == packed.files == {"tiny.onnx": tiny_onnx()}
    assert folder.identity.name == "tiny"


def test_its_size_is_that_of_its_files_and_its_networks(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path / "b"))
    assert bundle.size_bytes == len(tiny_onnx())
    initialisers = onnx.load_from_string(tiny_onnx()).graph.initializer
    assert bundle.num_parameters == sum(onnx.numpy_helper.to_array(one).size for one in initialisers)


def test_its_hash_is_that_of_the_manifest(bundle_folder: Path, edited: Edit) -> None:
    before = Bundle.open(bundle_folder).sha256
    assert len(before) == 64
    assert Bundle.open(edited(lambda d: d.update(version="1.0.1"))).sha256 != before


def test_what_was_verified_is_what_is_kept(bundle_folder: Path) -> None:
    bundle = Bundle.open(bundle_folder)
    (bundle_folder / "tiny.onnx").write_bytes(b"other")
    assert bundle.files["tiny.onnx"] == tiny_onnx()


def test_a_missing_file(bundle_folder: Path) -> None:
    (bundle_folder / "tiny.onnx").unlink()
    refuse(bundle_folder, "tiny.onnx: missing; take the bundle from its source again")


def test_one_flipped_bit(bundle_folder: Path) -> None:
    data = bytearray((bundle_folder / "tiny.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle_folder / "tiny.onnx").write_bytes(data)
    refuse(bundle_folder, "tiny.onnx: altered (its SHA-256 is not the manifest's)")


def test_a_file_cut_off(bundle_folder: Path) -> None:
    (bundle_folder / "tiny.onnx").write_bytes(tiny_onnx()[:-1])
    refuse(bundle_folder, f"tiny.onnx: {len(tiny_onnx()) - 1:,} bytes instead of {len(tiny_onnx()):,}")


def test_a_file_that_is_not_listed(bundle_folder: Path) -> None:
    (bundle_folder / "hook.py").write_text("print('hello')")
    refuse(bundle_folder, "hook.py: not listed in bundle.json")


def test_a_hostile_file_name_does_not_reach_the_terminal(bundle_folder: Path) -> None:
    (bundle_folder / "a\nb\x1b[31m.onnx").write_text("x")
    refuse(bundle_folder, "a\\nb\\x1b[31m.onnx: not listed in bundle.json")


def test_a_readme_needs_no_listing(bundle_folder: Path) -> None:
    (bundle_folder / "README.md").write_text("# mine")
    assert "README.md" not in Bundle.open(bundle_folder).files


def test_a_newer_schema(edited: Edit) -> None:
    refuse(
        edited(lambda d: d.update(schema_version="2.0")),
        "bundle.json: written for schema 2.0, this Dentify reads 1.x: update Dentify",
    )


def test_an_unknown_key(edited: Edit) -> None:
    refuse(
        edited(lambda d: d["thresholds"].update(vehicel=0.5)),
        "unknown key `thresholds.vehicel`; did you mean `vehicle`?",
    )


def test_a_wrong_type(edited: Edit) -> None:
    refuse(edited(lambda d: d["files"][0].update(bytes="many")), 'files[0].bytes: input should be a valid integer, got "many"')


def test_a_truncated_manifest(bundle_folder: Path) -> None:
    path = bundle_folder / "bundle.json"
    path.write_text(path.read_text()[:100])
    refuse(bundle_folder, "bundle.json: not valid JSON at line")


def test_external_data(with_network: Callable[[bytes], Path], tmp_path: Path) -> None:
    onnx.save(
        onnx.load_model_from_string(tiny_onnx()),
        tmp_path / "x.onnx",
        save_as_external_data=True,
        location="x.bin",
        size_threshold=0,
    )
    refuse(with_network((tmp_path / "x.onnx").read_bytes()), "tiny.onnx: keeps tensors in another file (external data)")


def test_a_symbolic_link(bundle_folder: Path, tmp_path: Path) -> None:
    (bundle_folder / "tiny.onnx").rename(tmp_path / "elsewhere.onnx")
    (bundle_folder / "tiny.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    refuse(bundle_folder, "tiny.onnx: is a symbolic link; a bundle holds plain files only")


def test_a_folder_within(bundle_folder: Path) -> None:
    (bundle_folder / "more").mkdir()
    refuse(bundle_folder, "more: is no plain file")


def test_a_pipe(bundle_folder: Path) -> None:
    os.mkfifo(bundle_folder / "README.md")
    refuse(bundle_folder, "README.md: is no plain file")


def test_a_path_that_leads_outside(edited: Edit) -> None:
    refuse(edited(lambda d: d["files"][0].update(name="../tiny.onnx")), "files[0].name: string should match pattern")


def test_an_output_that_is_not_there(edited: Edit) -> None:
    refuse(
        edited(lambda d: d["roles"]["parts"][0].update(output="part")),
        "tiny.onnx: has no output 'part' for roles.parts, only damaged, parts, severity, types, vehicle",
    )


def test_an_auxiliary_output_that_is_not_there(edited: Edit) -> None:
    refuse(
        edited(lambda d: d["roles"]["damage"][0].update(auxiliary={"centres": "centre"})),
        "has no output 'centre' for roles.damage",
    )


@pytest.mark.parametrize(
    ("auxiliary", "message"),
    [
        ({"any": "severity"}, "output 'severity' is 1 × 3 × 64 × 64, any must be 1 × 1 × any × any"),
        ({"centres": "vehicle"}, "output 'vehicle' is 1 × 1, centres must be 1 × 3 × any × any"),
        (
            {"borders": "severity"},
            "auxiliary names 'borders', which is not in what this Dentify can use (any, centres, offsets, vehicle)",
        ),
    ],
)
def test_an_auxiliary_output_that_would_not_be_understood(edited: Edit, auxiliary: dict[str, str], message: str) -> None:
    refuse(edited(lambda d: d["roles"]["damage"][0].update(auxiliary=auxiliary)), message)


def test_an_input_that_is_not_there(edited: Edit) -> None:
    refuse(edited(lambda d: d["networks"][0].update(input="photo")), "has no input 'photo', only image")


def test_an_input_of_another_size(edited: Edit) -> None:
    refuse(
        edited(lambda d: d["networks"][0]["preprocessing"].update(size_hw=[320, 320])),
        "input 'image' takes 1 × 3 × 64 × 64, the manifest says 1 × 3 × 320 × 320",
    )


def test_classes_that_do_not_match_the_channels(edited: Edit) -> None:
    def fewer(document: dict[str, Any]) -> None:
        document["taxonomy"]["parts"] = document["classes"]["parts"] = ["hood", "front_bumper"]

    refuse(edited(fewer), "output 'parts' is 1 × 4 × 64 × 64, the classes of parts need 1 × 3 × any × any")


def test_a_gate_with_two_outputs(edited: Edit) -> None:
    refuse(
        edited(lambda d: d["roles"]["vehicle_gate"][0].update(output="types")),
        "output 'types' is 1 × 3 × 64 × 64, the classes of vehicle_gate need 1 × 1",
    )


def test_foreign_operators(with_network: Callable[[bytes], Path]) -> None:
    model = onnx.load_model_from_string(tiny_onnx())
    model.graph.node[0].domain = "ai.onnx.contrib"
    refuse(with_network(model.SerializeToString()), "operators that are not ONNX Runtime's own")


def test_a_network_of_two_inputs_and_one_whose_weights_are_listed_as_inputs(
    with_network: Callable[[bytes], Path], edited: Edit
) -> None:
    model = onnx.load_model_from_string(tiny_onnx())
    weight = model.graph.initializer[0]
    model.graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims)))
    assert Bundle.open(with_network(model.SerializeToString())).size_bytes  # as exporters of old wrote them
    model.graph.input.append(onnx.helper.make_tensor_value_info("mask", onnx.TensorProto.FLOAT, [1, 1, 64, 64]))
    refuse(with_network(model.SerializeToString()), "tiny.onnx: takes mask beside 'image'; export it with that input alone")


def test_an_onnx_file_that_is_none(with_network: Callable[[bytes], Path]) -> None:
    refuse(with_network(b"\x80\x04\x95 pickle"), "tiny.onnx: not an ONNX file")


def test_nothing_there(tmp_path: Path) -> None:
    refuse(tmp_path / "nowhere", "no such bundle")


def test_not_a_bundle_at_all(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    refuse(tmp_path, "not a bundle (no bundle.json in it)")
    refuse(tmp_path / "photo.jpg", "photo.jpg: not a bundle: not a whole zip archive")


def test_a_bundle_over_the_limit(bundle_folder: Path) -> None:
    refuse(bundle_folder, "over the limit of 5,000; raise DENTIFY_MAX_BUNDLE_BYTES", limits=Settings(max_bundle_bytes=5000))


def test_a_manifest_over_its_limit(bundle_folder: Path) -> None:
    (bundle_folder / "bundle.json").write_bytes(b" " * (4 * 2**20 + 1))
    refuse(bundle_folder, "bundle.json: 4,194,305 bytes, over the limit")


def test_the_default_bundle_opens_or_says_that_it_is_absent() -> None:
    try:
        assert Bundle.open(DEFAULT).where == DEFAULT
    except BundleError as error:
        assert "came without its default bundle" in str(error)  # noqa: PT017 - a source checkout may lack it


@pytest.fixture
def members(bundle_folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in bundle_folder.iterdir()}


def pack(path: Path, members: dict[str, bytes], *, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(prefix + name, data)
    return path


def test_a_zip_as_file_managers_pack_a_folder(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert Bundle.open(pack(tmp_path / "b.zip", members, prefix="bundle/")).identity.name == "tiny"


@pytest.mark.parametrize("name", ["a/b/tiny.onnx", "a\\tiny.onnx", "./tiny.onnx"])
def test_a_zip_entry_in_another_folder_or_there_twice(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    refuse(pack(tmp_path / "b.zip", members | {name: b"x"}), "a bundle holds plain files in one folder only, each once")


@pytest.mark.parametrize("name", ["../tiny.onnx", "/tiny.onnx", "..\\tiny.onnx"])
def test_a_zip_entry_outside_its_folder(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    refuse(pack(tmp_path / "b.zip", members | {name: b"x"}), "b.zip: not a bundle: refused: its entry ")


def test_a_zip_with_a_link(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = pack(tmp_path / "b.zip", members)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("README.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refuse(path, "README.md: is a symbolic link")


def test_a_zip_bomb(tmp_path: Path, members: dict[str, bytes]) -> None:
    refuse(
        pack(tmp_path / "b.zip", members | {"README.md": bytes(2**21)}),
        "b.zip: not a bundle: refused as a zip bomb: README.md unpacks to more than 100 times its size",
    )


def test_a_zip_that_unpacks_beyond_the_limit(tmp_path: Path, members: dict[str, bytes]) -> None:
    refuse(pack(tmp_path / "b.zip", members), "over the limit of 3,000", limits=Settings(max_bundle_bytes=3000))


def test_a_zip_whose_compression_has_no_bound(tmp_path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    refuse(tmp_path / "b.zip", "is compressed by a method other than deflate; unpack it first")


def test_an_encrypted_zip(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = pack(tmp_path / "b.zip", members)
    data = bytearray(path.read_bytes())
    for match in re.finditer(rb"PK\x01\x02", bytes(data)):
        data[match.start() + 8] |= 1  # the flag in the central directory
    path.write_bytes(data)
    refuse(path, "is encrypted; unpack it with its password first")


@pytest.mark.parametrize("cut", [10, 400])
def test_a_zip_cut_off(tmp_path: Path, members: dict[str, bytes], cut: int) -> None:
    path = pack(tmp_path / "b.zip", members)
    path.write_bytes(path.read_bytes()[:-cut])
    refuse(path, "b.zip: not a bundle: not a whole zip archive; download or make it again")


def test_a_zip_with_a_damaged_entry(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = pack(tmp_path / "b.zip", members)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BundleError):
        Bundle.open(path)


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_of_a_zip_opens_or_is_a_bundle_error(zipped: tuple[Path, bytes], position: int, byte: int) -> None:
    path, original = zipped
    data = bytearray(original)
    data[position % len(data)] = byte
    path.write_bytes(data)
    try:
        Bundle.open(path)
    except BundleError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.fixture
def zipped(tmp_path: Path, members: dict[str, bytes]) -> tuple[Path, bytes]:
    path = pack(tmp_path / "b.zip", members)
    return path, path.read_bytes()


def test_opening_writes_nothing(bundle_folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    Bundle.open(bundle_folder)
    assert sorted(tmp_path.rglob("*")) == before
    assert json.loads((bundle_folder / "bundle.json").read_text())["name"] == "tiny"


# Networks whose inputs and outputs are none that can be used


def changed(change: Callable[[Any], None]) -> bytes:
    model = onnx.load_from_string(tiny_onnx())
    change(model.graph)
    return bytes(model.SerializeToString())


def types_of(side: int) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        for dimension in graph.output[2].type.tensor_type.shape.dim[2:]:
            dimension.dim_value = side

    return change


def kind_of(value: str, kind: int) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        next(one for one in (*graph.input, *graph.output) if one.name == value).type.tensor_type.elem_type = kind

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (kind_of("vehicle", onnx.TensorProto.STRING), "output 'vehicle' is no tensor of floating-point numbers"),
        (kind_of("types", onnx.TensorProto.INT64), "output 'types' is no tensor of floating-point numbers"),
        (kind_of("types", 0), "output 'types' is no tensor of floating-point numbers"),
        (kind_of("image", onnx.TensorProto.UINT8), "input 'image' is no tensor of 32-bit floats"),
        (types_of(8000), "output 'types' is 1 × 3 × 8000 × 8000, finer than twice the 64 × 64 of its input"),
        (types_of(0), "output 'types' is 1 × 3 × 0 × 0, which is empty"),
    ],
    ids=["strings", "whole numbers", "not told", "bytes", "finer than the input", "empty"],
)
def test_networks_that_take_or_answer_what_cannot_be_used_are_refused_at_opening(
    with_network: Callable[[bytes], Path], change: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        Bundle.open(with_network(changed(change)))


def test_half_precision_outputs_are_welcome(with_network: Callable[[bytes], Path]) -> None:
    assert Bundle.open(with_network(changed(kind_of("types", onnx.TensorProto.FLOAT16))))

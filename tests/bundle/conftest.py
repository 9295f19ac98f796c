"""A valid bundle to break in one way at a time, and several to build one of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dentify.bundle import Bundle, Manifest, build_bundle, write_bundle
from dentify.testing import tiny_bundle, tiny_manifest, tiny_onnx


@pytest.fixture
def bundle_folder(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path / "bundle")


@pytest.fixture
def document() -> dict[str, Any]:
    """The tiny bundle's manifest with all keys, as its JSON holds it."""
    data = tiny_onnx()
    files = [{"name": "tiny.onnx", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}]
    whole: dict[str, Any] = json.loads(Manifest.model_validate({**tiny_manifest(), "files": files}).to_json())
    return whole


@pytest.fixture
def edited(bundle_folder: Path) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """The bundle's folder after a change to its manifest."""

    def edit(change: Callable[[dict[str, Any]], None]) -> Path:
        path = bundle_folder / "bundle.json"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
        return bundle_folder

    return edit


@pytest.fixture
def with_network(edited: Callable[[Callable[[dict[str, Any]], None]], Path]) -> Callable[[bytes], Path]:
    """The bundle's folder with another network in place of its own, hashes and sizes in order."""

    def replace(data: bytes) -> Path:
        def change(document: dict[str, Any]) -> None:
            document["files"][0] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

        folder = edited(change)
        (folder / "tiny.onnx").write_bytes(data)
        return folder

    return replace


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def build() -> Callable[..., Bundle]:
    """`build(role=[…], …)` writes the plan and the bundle, and opens it."""

    import yaml

    def run(top: dict[str, Any] | None = None, **roles: Any) -> Bundle:
        plan = {"name": "built", "version": "1.0.0", "roles": roles} | (top or {})
        Path("roles.yaml").write_text(yaml.safe_dump(plan))
        built = build_bundle(Path("roles.yaml"))
        return Bundle.open(write_bundle("built", built.manifest, built.files, overwrite=True))

    return run

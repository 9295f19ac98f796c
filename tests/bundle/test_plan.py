"""The YAML file that says who answers what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from built_bundles import Build
from dentify.bundle import build_bundle
from dentify.errors import BundleError, ConfigError, MissingExtraError
from dentify.testing import tiny_bundle


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (
            {"roles": {"types": ["a"]}},
            "roles.types: a has no types, it answers vehicle_gate, damage_gate, damage, parts, severity;",
        ),
        ({"roles": {"damage": ["c"]}}, "c: no such bundle"),
        ({"roles": {}}, "roles names no bundle; say for one role at least who answers it"),
        ({"roles": {"damage_gates": ["a"]}}, "unknown key `roles.damage_gates`; did you mean `damage_gate`?"),
        ({"roles": {"report": ["a"]}}, "unknown key `roles.report`; known are vehicle_gate, damage_gate, types"),
        ({"roles": {"damage": [{"bundle": "a", "wieght": 2}]}}, "unknown key `roles.damage[0].wieght`; did you mean `weight`?"),
        ({"roles": {"damage": [{"bundle": "a", "weight": 0}]}}, "roles.damage[0].weight: input should be greater than 0, got 0"),
        ({"roles": {"damage": [{"weight": 2}]}}, "`roles.damage[0].bundle` is missing"),
        ({"roles": {"damage": "a"}}, 'roles.damage: input should be a valid list, got "a"'),
        ({"licenses": "MIT", "roles": {"damage": ["a"]}}, "unknown key `licenses`; did you mean `licence`?"),
        ({"version": 1.0, "roles": {"damage": ["a"]}}, "version: input should be a valid string, got 1.0"),
    ],
)
def test_a_wrong_plan_is_one_line(build: Build, plan: dict[str, Any], message: str) -> None:
    tiny_bundle("a")
    with pytest.raises((BundleError, ConfigError)) as caught:
        build(plan)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"name: [", "roles.yaml: is not YAML: while parsing"),
        (b"\xff\xfe\x00", "roles.yaml: is not YAML: 'utf-8' codec"),
        (b"- a", "roles.yaml: must hold keys and values (name, version, roles), got a list"),
        (b"#" * (2**20 + 1), "roles.yaml: over the limit of 1,048,576 bytes"),
        (b"", "roles.yaml: must hold keys and values (name, version, roles), got a NoneType"),
        (b"[" * 100_000, "roles.yaml: is not YAML"),
    ],
)
def test_a_file_that_is_no_plan_is_one_line(text: bytes, message: str) -> None:
    Path("roles.yaml").write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        build_bundle(Path("roles.yaml"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_pyyaml_it_says_what_to_install(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_bundle("a")
    Path("roles.yaml").write_text("{name: n, version: '1', roles: {parts: [a]}}")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r'^Reading YAML needs more packages: pip install "dentify\[data\]"$'):
        build_bundle(Path("roles.yaml"))

"""Bundles that cannot answer a role together."""

from __future__ import annotations

import pytest

from built_bundles import Build, member, other_bundle
from dentify.errors import BundleError
from dentify.testing import tiny_bundle, tiny_classifier, tiny_manifest, tiny_onnx
from tiny_tables import table_bundle


def broken_pair(which: str) -> None:
    """Bundles `a` and `b` that do not go together in one way."""
    tiny_bundle("a", **({"roles": member("damage", auxiliary={"centres": "types"})["roles"]} if which == "auxiliary" else {}))
    manifest = tiny_manifest()
    turned = ["scratch", "dent", "broken_part"]
    match which:
        case "order":
            tiny_bundle("b", name="b", classes=manifest["classes"] | {"damage": turned})
        case "classes":
            taxonomy = manifest["taxonomy"] | {"parts": ["hood", "front_bumper", "roof"]}
            tiny_bundle("b", name="b", taxonomy=taxonomy, classes=manifest["classes"] | {"parts": taxonomy["parts"]})
        case "kinds":
            whole = {"file": "tiny.onnx", "output": "photo_types", "kind": "labels"}
            other_bundle("b", tiny_onnx(photo_types=True), name="b", roles=manifest["roles"] | {"severity": [whole]})
        case "damage types":
            tiny_bundle("b", name="b", taxonomy=manifest["taxonomy"] | {"damage_types": manifest["taxonomy"]["taught"]})
        case "same":
            tiny_bundle("b")
        case _:
            tiny_bundle("b", name="b")


@pytest.mark.parametrize(
    ("which", "role", "message"),
    [
        (
            "order",
            "damage",
            "classes differ: their order is dent, scratch, broken_part and scratch, dent, broken_part; name one of",
        ),
        ("classes", "parts", "classes differ: only a names front_left_door and only b names roof; name one of them"),
        ("kinds", "severity", "kinds are maps and labels; name one of them"),
        ("auxiliary", "damage", "auxiliary outputs differ: only a names centres; name one of them"),
        ("damage types", "damage", "damage types differ: only a names crack, glass_shatter, lamp_broken, tire_flat; name one"),
        ("same", "damage_gate", "roles.damage_gate: b is a again; name it once, with a weight"),
    ],
)
def test_what_does_not_go_together_is_one_line(build: Build, which: str, role: str, message: str) -> None:
    broken_pair(which)
    with pytest.raises(BundleError, match=f"^roles.yaml: roles.{role}: .*") as caught:
        build(**{role: ["a", "b"]})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_auxiliary_maps_are_compared_among_maps_wherever_these_stand(build: Build) -> None:
    table_bundle("told")
    broken_pair("auxiliary")
    with pytest.raises(BundleError, match="a and b cannot answer together: auxiliary outputs differ: only a names centres"):
        build(damage=["told", "a", "b"])


def test_types_that_exclude_each_other_go_with_their_like_alone(build: Build) -> None:
    tiny_classifier("a")
    tiny_classifier("b", exclusive=True)
    with pytest.raises(BundleError, match="cannot answer together: types exclude each other: no and yes; name one of them"):
        build(types=["a", "b"])

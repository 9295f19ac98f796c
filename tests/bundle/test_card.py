"""The model card says what the manifest says."""

from __future__ import annotations

from dentify.bundle import Manifest, model_card
from dentify.testing import tiny_manifest


def test_a_card_tells_data_licences_results_failures_and_thresholds() -> None:
    manifest = Manifest.model_validate(
        tiny_manifest()
        | {
            "metrics": {
                "val": {"images": 500.0, "mean AP50": 0.25, "interval": [0.2, 0.3]},
                "types": {"dent": {"AP50": 0.21, "AP": 0.1}, "scratch": {"AP50": None, "AP": 0.05}},
            },
            "weights": [{"name": "EfficientNet-B0", "origin": "timm", "licence": "Apache-2.0"}],
            "limits": ["Reflections on wet paint are taken for dents."],
            "notes": ["Trained once."],
        }
    )
    card = model_card(manifest)
    for line in (
        "# tiny 1.0.0",
        "Licence: Apache-2.0.",
        "| images | 500 |",
        "| interval | 0.2 to 0.3 |",
        "| | AP50 | AP |" if "| | AP50 | AP |" in card else "|  | AP50 | AP |",
        "| scratch | – | 0.05 |",
        "- Reflections on wet paint are taken for dents.",
        "- Never told, as never taught or not well enough: crack, glass_shatter, lamp_broken, tire_flat.",
        "- Known badly, so always for a person to check: broken_part.",
        "| painted | 0 | Apache-2.0 | nothing | dentify.testing.paint_photo |",
        "| EfficientNet-B0 | Apache-2.0 | timm |",
        "| vehicle | 0.5 |",
        "- Trained once.",
    ):
        assert line in card.splitlines(), line


def test_an_empty_card_says_so() -> None:
    manifest = Manifest.model_validate(tiny_manifest() | {"data": [], "review": {}})
    card = model_card(manifest)
    assert "Not measured yet." in card
    assert "Nothing was written down." in card


def test_a_card_tells_types_of_the_photo_and_that_places_are_not_judged() -> None:
    whole = tiny_manifest(photo_types=True)
    card = model_card(Manifest.model_validate(whole)).splitlines()
    assert "- damage types of the photo as a whole: dent, scratch, broken_part" in card
    assert "| dent, of the photo as a whole | 0.5 |" in card
    assert not any(line.startswith("- Not judged, and told as such") for line in card)
    alone = {"roles": {"types": whole["roles"]["types"]}, "classes": {"types": whole["classes"]["types"]}}
    thresholds = {"types": {"dent": 0.3, "scratch": 0.5, "broken_part": 0.5}}
    alone |= {"thresholds": thresholds, "taxonomy": {key: whole["taxonomy"][key] for key in ("damage_types", "taught")}}
    card = model_card(Manifest.model_validate(whole | alone)).splitlines()
    assert "| dent, of the photo as a whole | 0.3 |" in card
    never = "- Not judged, and told as such: whether there is a vehicle, whether it is damaged, where damage lies, "
    assert f"{never}parts of the vehicle, severity." in card

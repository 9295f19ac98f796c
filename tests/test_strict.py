"""What is wrong with a document, message by message."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from typing_extensions import TypeAliasType

from dentify.strict import Strict, explain, nearest


class Overlapping(Strict):
    name: Literal["overlapping"]
    loss: Literal["focal", "dice"] = "focal"


class Exclusive(Strict):
    name: Literal["exclusive", "softmax"]
    smoothing: float = Field(0.0, ge=0, lt=1)
    within: Overlapping | None = None


Head = Annotated[Overlapping | Exclusive, Field(discriminator="name")]
NamedHead = TypeAliasType("NamedHead", Head)


class Photos(Strict):
    path: str = Field(validation_alias=AliasChoices("path", "folder"))
    weight: float = 1.0


class Words(Strict):
    words: tuple[str, ...] = ()


class Step(Strict):
    rate: float
    steps: int = Field(1, gt=0)

    @model_validator(mode="after")
    def _ends(self) -> Step:
        if self.rate * self.steps > 100:
            raise ValueError("rate and steps lead too far")
        return self


class Plan(Strict):
    title: str
    heads: dict[Literal["types", "parts"], Head] = Field({})
    optional: Head | None = None
    listed: list[Head] = Field([])
    aliased: tuple[NamedHead, ...] = ()
    pair: tuple[Step, Photos] | None = None
    schedule: Step | None = None
    photos: dict[str, Photos] = Field({})
    either: Photos | Words | int = 0
    text: str = ""

    @field_validator("text")
    @classmethod
    def _no_text(cls, text: str) -> str:
        if text:
            raise ValueError("must be empty")
        return text


ENDLESS: list[object] = []  # as `&a [*a]` in YAML
ENDLESS.append(ENDLESS)

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"titel": "x"}, "unknown key `titel`; did you mean `title`?"),
    "a misspelt key is told before the one that it leaves out": (
        {"title": None, "titel": "x"},
        "unknown key `titel`; did you mean `title`? (and 1 more)",
    ),
    "an unknown key like no other": (
        {"schedule": {"rate": 1, "x": 2}},
        "unknown key `schedule.x`; known are rate, steps",
    ),
    "a missing key": ({"schedule": {}}, "`schedule.rate` is missing"),
    "a wrong type": (
        {"schedule": {"rate": "fast"}},
        'schedule.rate: input should be a valid number, unable to parse string as a number, got "fast"',
    ),
    "out of range": ({"schedule": {"rate": 1, "steps": 0}}, "schedule.steps: input should be greater than 0, got 0"),
    "no number": ({"schedule": {"rate": float("nan")}}, "schedule.rate: input should be a finite number, got NaN"),
    "infinity": ({"schedule": {"rate": float("inf")}}, "schedule.rate: input should be a finite number, got Infinity"),
    "what a model checks": ({"schedule": {"rate": 99, "steps": 2}}, "schedule: rate and steps lead too far"),
    "what a field checks": ({"text": "x"}, "text: must be empty"),
    "a long value is cut": (
        {"schedule": {"rate": "x" * 100}},
        f'schedule.rate: input should be a valid number, unable to parse string as a number, got "{"x" * 59}…',
    ),
    "a list that holds itself": ({"title": ENDLESS}, "title: input should be a valid string, got a list"),
    "a name that would reach a terminal": ({"\x1b[2J\n": 1}, r"unknown key `\x1b[2J\n`; known are "),
    # unions by a tag
    "a key of a union's member": (
        {"heads": {"types": {"name": "overlapping", "los": "dice"}}},
        "unknown key `heads.types.los`; did you mean `loss`?",
    ),
    "a key of a union's member with two tags": (
        {"heads": {"types": {"name": "softmax", "smothing": 0.1}}},
        "unknown key `heads.types.smothing`; did you mean `smoothing`?",
    ),
    "a key of the other member": (
        {"heads": {"types": {"name": "overlapping", "smoothing": 0.1}}},
        "unknown key `heads.types.smoothing`; known are name, loss",
    ),
    "a key of an optional union's member": (
        {"optional": {"name": "overlapping", "los": "dice"}},
        "unknown key `optional.los`; did you mean `loss`?",
    ),
    "a key of a member in a list": (
        {"listed": [{"name": "overlapping"}, {"name": "overlapping", "los": "dice"}]},
        "unknown key `listed[1].los`; did you mean `loss`?",
    ),
    "a key of a member under an alias": (
        {"aliased": [{"name": "overlapping", "los": "dice"}]},
        "unknown key `aliased[0].los`; did you mean `loss`?",
    ),
    "a key below a member": (
        {"listed": [{"name": "softmax", "within": {"name": "overlapping", "los": "dice"}}]},
        "unknown key `listed[0].within.los`; did you mean `loss`?",
    ),
    "a value within a member": (
        {"heads": {"types": {"name": "overlapping", "loss": "focale"}}},
        "heads.types.loss: input should be 'focal' or 'dice', got \"focale\"; did you mean `focal`?",
    ),
    "an unknown tag": (
        {"optional": {"name": "overlaping"}},
        "optional.name: input should be 'overlapping', 'exclusive' or 'softmax', got \"overlaping\"; did you mean `overlapping`?",
    ),
    "an unknown tag like no other": (
        {"listed": [{"name": "x"}]},
        "listed[0].name: input should be 'overlapping', 'exclusive' or 'softmax', got \"x\"",
    ),
    "an unknown tag under an alias": (
        {"aliased": [{"name": "sofmax"}]},
        "aliased[0].name: input should be 'overlapping', 'exclusive' or 'softmax', got \"sofmax\"; did you mean `softmax`?",
    ),
    "no tag": (
        {"optional": {"loss": "dice"}},
        "`optional.name` is missing; it is 'overlapping', 'exclusive' or 'softmax'",
    ),
    "no mapping where a union is": (
        {"optional": 3},
        "optional: input should be a valid dictionary or object to extract fields from, got 3",
    ),
    # lists, tuples, mappings, plain unions
    "a key of a choice": (
        {"heads": {"typs": {"name": "overlapping"}}},
        "heads.typs: input should be 'types' or 'parts', got \"typs\"; did you mean `types`?",
    ),
    "a key in a mapping": (
        {"photos": {"yard": {"path": "x", "wieght": 1}}},
        "unknown key `photos.yard.wieght`; did you mean `weight`?",
    ),
    "an alias beside a slip": (
        {"photos": {"yard": {"folder": "x", "pth": 1}}},
        "unknown key `photos.yard.pth`; did you mean `path`?",
    ),
    "a key in a tuple": (
        {"pair": [{"rate": 1}, {"path": "x", "wieght": 1}]},
        "unknown key `pair[1].wieght`; did you mean `weight`?",
    ),
    "a key of a plain union's member": (
        {"either": {"words": [], "wrds": 1}},
        "unknown key `either.wrds`; did you mean `words`? (and 4 more)",
    ),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_one_line(changes: dict[str, Any], message: str) -> None:
    document = {key: value for key, value in {"title": "plan", **changes}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate(document)
    told = explain(caught.value, Plan)
    assert told.isprintable()
    assert told.startswith(message)
    if not message.endswith(" "):
        assert told.removeprefix(message) in ("", " (and 1 more)", " (and 2 more)")


def test_what_is_no_mapping_at_all_is_told_without_a_place() -> None:
    with pytest.raises(ValidationError) as caught:
        Words.model_validate([])
    assert explain(caught.value, Words) == "input should be a valid dictionary or instance of Words, got a list"


def test_a_strict_model_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Words().words = ("x",)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("word", "most", "told"),
    [
        ("scrach", 1, "; did you mean `scratch`?"),
        ("bumper", 1, "; did you mean `back_bumper`?"),
        ("bumper", 2, "; did you mean `back_bumper` or `front_bumper`?"),
        ("zebra", 2, ""),
        ("", 1, ""),
    ],
)
def test_the_nearest_of_some_words(word: str, most: int, told: str) -> None:
    assert nearest(word, ("scratch", "back_bumper", "front_bumper"), most=most) == told

"""What `search` in a recipe says: between which numbers, or among which values, `dentify tune` looks for a key's best one.

search:
optimizers.0.rate: [0.0001, 0.01, log]
model.width: {any_of: [64, 96, 128]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, model_serializer

from dentify.strict import Strict

_LOG = "log"


class Span(Strict):
    """Numbers from `low` to `high`, both among them: whole ones where both are. With `log` their orders of magnitude count."""

    low: int | float
    high: int | float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @model_serializer
    def _written(self) -> list[int | float | str]:
        return [self.low, self.high, *([_LOG] if self.log else [])]

    def examples(self) -> tuple[float, ...]:
        """Both ends, and one between them that a key of multiples, or of whole numbers, refuses."""
        return self.low, self.high, self.low + 1 if self.is_whole else self.low + (self.high - self.low) / math.e


class AnyOf(Strict):
    """Some values, of whatever kind YAML knows."""

    any_of: tuple[Any, ...]

    def examples(self) -> tuple[Any, ...]:
        """All of them."""
        return self.any_of


def read_search(given: object) -> Span | AnyOf:
    """What stands under a key of `search`.

    Raises:
        ValueError: it is neither two ends nor a choice, or these hold no two values.

    >>> read_search([1, 8]), read_search(["1e-4", 0.1, "log"])  # YAML takes 1e-4 for a text
    (Span(low=1, high=8, log=False), Span(low=0.0001, high=0.1, log=True))
    """
    if isinstance(given, Span | AnyOf):
        return given
    if isinstance(given, Mapping) and set(given) == {"any_of"} and isinstance(given["any_of"], list | tuple):
        return _any_of(tuple(given["any_of"]))
    if isinstance(given, list | tuple) and len(given) in (2, 3) and given[2:] in ([], (), [_LOG], (_LOG,)):
        return _span(given[0], given[1], log=len(given) == 3)
    raise ValueError("write [low, high], [low, high, log] or {any_of: [...]}")


def choice_key(value: object) -> str:
    """The text that stands for a choice in a study.

    >>> choice_key(True), choice_key({"dice": 1, "cross_entropy": 4})
    ('true', '{"cross_entropy": 4, "dice": 1}')
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _any_of(values: tuple[Any, ...]) -> AnyOf:
    try:
        keys = [choice_key(value) for value in values]
    except (TypeError, ValueError) as error:
        raise ValueError("any_of takes numbers, words, true, false, null, and lists and mappings of these") from error
    if len(keys) < 2 or len(set(keys)) < len(keys):
        raise ValueError("any_of takes two values or more, each once")
    return AnyOf(any_of=values)


def _span(low: object, high: object, *, log: bool) -> Span:
    ends = _number(low), _number(high)
    if ends[0] >= ends[1]:
        raise ValueError(f"the first number must be below the second, got {ends[0]} and {ends[1]}")
    if log and ends[0] <= 0:
        raise ValueError(f"log takes numbers above 0, got {ends[0]}")
    if not all(isinstance(end, int) for end in ends):
        ends = float(ends[0]), float(ends[1])
    return Span(low=ends[0], high=ends[1], log=log)


def _number(given: object) -> float:
    """A number; YAML reads 1e-4, which has no point, as a text."""
    value = given
    if isinstance(given, str):
        try:
            value = float(given)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"the ends are numbers, got {given!r}")
    return value


Search = Annotated[Span | AnyOf, PlainValidator(read_search)]

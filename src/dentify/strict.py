"""Models that take no key and no number that they do not know, and what is wrong with a document, as one plain sentence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from dentify.errors import printable

_LONGEST_VALUE = 60
_OF_A_KEY = "[key]"  # pydantic's last step to a key of a mapping that is wrong itself


class Strict(BaseModel):
    """A model that refuses unknown keys, NaN and infinity, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def nearest(word: str, known: Iterable[str], *, most: int = 1) -> str:
    """The end of a message about an unknown word: the known one, or up to `most`, that may be meant; empty where none is near.

    >>> nearest("recal", ["precision", "recall"]), nearest("x", ["precision", "recall"])
    ('; did you mean `recall`?', '')
    """
    near = get_close_matches(word, list(known), most)
    return f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing wrong in a document, as one plain line with the nearest valid key or value for an unknown one.

    Args:
        error: what `model` raised.
        model: the outermost model, from which valid keys and values are looked up.
    """
    problems = error.errors(include_url=False)
    first = min(problems, key=lambda problem: not _is_stranger(problem, model))  # a misspelt key also shows as a missing one
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return printable(f"{_sentence(first, model)}{more}")


class _Place(NamedTuple):
    """What a location in a document may hold by its model. `discriminator` is the key that tells members of a union apart."""

    annotation: Any
    discriminator: str | None = None


def _sentence(problem: Any, model: type[BaseModel]) -> str:
    kind, given = problem["type"], problem["input"]
    keys, places = _follow(model, problem["loc"])
    where = _path(keys)
    if kind == "extra_forbidden":
        known = _known_keys(model, problem["loc"][:-1])
        advice = nearest(str(keys[-1]), known) or (f"; known are {', '.join(known)}" if known else "")
        return f"unknown key `{where}`{advice}"
    if kind == "missing":
        return f"`{where}` is missing"
    if kind == "union_tag_not_found" and _values(places):
        return f"`{_path([*keys, _tag_key(places)])}` is missing; it is {_alternatives(places)}"
    if kind == "union_tag_invalid" and _values(places):
        where, given = _path([*keys, _tag_key(places)]), problem["ctx"]["tag"]
        return f"{where}: input should be {_alternatives(places)}, got {_told(given)}{nearest(given, _values(places))}"
    at = f"{where}: " if where else ""
    if kind == "value_error":
        return at + str(problem["msg"].removeprefix("Value error, "))
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    near = nearest(given, _values(places)) if kind == "literal_error" and isinstance(given, str) else ""
    return f"{at}{message}, got {_told(given)}{near}"


def _is_stranger(problem: Any, model: type[BaseModel]) -> bool:
    """Whether a problem is a key that is unknown, and not one that only another member of a union takes."""
    *above, key = problem["loc"] or ("",)
    return problem["type"] == "extra_forbidden" and key not in _known_keys(model, above)


def _known_keys(model: type[BaseModel], location: Iterable[int | str]) -> list[str]:
    return [key for place in _follow(model, location)[1] for one in _models(place) for key in _keys(one)]


def _told(value: object) -> str:
    """A value as a document has it; not the inside of a list or mapping, which YAML's aliases may make endless."""
    if not isinstance(value, str | int | float | None):
        return f"a {type(value).__name__}"
    told = json.dumps(value, ensure_ascii=False)
    return told if len(told) <= _LONGEST_VALUE else f"{told[:_LONGEST_VALUE]}…"


def _path(keys: Iterable[int | str]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _alternatives(places: Iterable[_Place]) -> str:
    *others, last = [f"'{value}'" for value in _values(places)]
    return f"{', '.join(others)} or {last}" if others else last


def _follow(model: type[BaseModel], location: Iterable[int | str]) -> tuple[list[int | str], list[_Place]]:
    """Where a location leads: its keys as the document has them, without what pydantic puts in between, and what may be there."""
    keys: list[int | str] = []
    places = above = [_Place(model)]
    for key in location:
        if key == _OF_A_KEY:
            places = [below for place in above for below in _below(place, key)]
        elif members := [member for place in places for member in _members(place, key)]:
            places = members
        else:
            keys.append(key)
            above, places = places, [below for place in places for below in _below(place, key)]
    return keys, places


def _members(place: _Place, key: int | str) -> list[_Place]:
    """The member of a union with the tag that pydantic puts into a location; none where the key is the document's.

    Of a union without tags pydantic tries all members and names each by its type: what any of them takes is known there.
    """
    place = _plain(place)
    if get_origin(place.annotation) not in (Union, UnionType):
        return []
    members = [_plain(_Place(one)) for one in get_args(place.annotation) if one is not type(None)]
    if len(members) < 2:
        return []
    if place.discriminator is not None:
        return [member for member in members if key in _tags(member, place.discriminator)]
    is_named = any(getattr(member.annotation, "__name__", None) == key for member in members)
    return members if is_named else [member for member in members if not _is_model(member.annotation)]


def _below(place: _Place, key: int | str) -> Iterator[_Place]:
    """What a key of a place may hold."""
    annotation = _plain(place).annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if _is_model(annotation):
        for name, field in annotation.model_fields.items():
            if key in _names(name, field):
                yield _Place(field.annotation, _discriminator(field))
    elif origin in (Union, UnionType):  # with one member beside None
        for one in arguments:
            yield from _below(_Place(one), key)
    elif isinstance(origin, type) and issubclass(origin, tuple) and Ellipsis not in arguments:
        yield from [_Place(one) for index, one in enumerate(arguments) if index == key]
    elif arguments and origin is not Literal:
        yield _Place(arguments[0] if key == _OF_A_KEY or len(arguments) == 1 or arguments[1] is Ellipsis else arguments[1])


def _plain(place: _Place) -> _Place:
    """A place without what stands around its type: an alias, `Annotated`, or `None` beside it."""
    annotation, discriminator = place
    while True:
        if isinstance(annotation, TypeAliasType):
            annotation = annotation.__value__
        elif get_origin(annotation) is Annotated:
            annotation, *marks = get_args(annotation)
            discriminator = next(filter(None, map(_discriminator, marks)), discriminator)
        else:
            break
    some = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(some) == 1:
        return _plain(_Place(some[0], discriminator))
    return _Place(annotation, discriminator)


def _discriminator(mark: object) -> str | None:
    found = getattr(mark, "discriminator", None)
    return found if isinstance(found, str) else None


def _values(places: Iterable[_Place]) -> list[str]:
    """The values that places take, where it is a choice of some; of a union with a discriminator, its tags."""
    found: list[str] = []
    for annotation, discriminator in map(_plain, places):
        if get_origin(annotation) is Literal:
            found += [str(value) for value in get_args(annotation)]
        elif discriminator is not None:
            found += [tag for one in get_args(annotation) for tag in _tags(_plain(_Place(one)), discriminator)]
    return found


def _tag_key(places: Iterable[_Place]) -> str:
    """The key that tells members of a union apart."""
    return next((place.discriminator for place in map(_plain, places) if place.discriminator), "")


def _tags(member: _Place, discriminator: str) -> list[str]:
    """Values of the discriminator that choose a member of a union."""
    if get_origin(member.annotation) in (Union, UnionType):
        return [tag for one in get_args(member.annotation) for tag in _tags(_plain(_Place(one)), discriminator)]
    if not _is_model(member.annotation) or discriminator not in member.annotation.model_fields:
        return []
    return [str(value) for value in get_args(member.annotation.model_fields[discriminator].annotation)]


def _models(place: _Place) -> Iterator[type[BaseModel]]:
    annotation = _plain(place).annotation
    if _is_model(annotation):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType):
        for one in get_args(annotation):
            yield from _models(_Place(one))


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _keys(model: type[BaseModel]) -> list[str]:
    """The keys of a model, each by the first of its names."""
    return [next(iter(_names(name, field))) for name, field in model.model_fields.items()]


def _names(name: str, field: FieldInfo) -> list[str]:
    """What a field may be called in a document."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias if isinstance(alias, str) else name]

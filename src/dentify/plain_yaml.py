"""YAML whose aliases do not make more of it than stands there.

An alias is another node once more: ten lines of ten aliases each are ten thousand million nodes for whoever walks or prints them,
and `<<` copies them while the document is read. So nodes are counted as they would be written out, before anything is made of it.
Nor does a key stand twice, of which PyYAML would keep the last without a word.
"""

from __future__ import annotations

from typing import Any

from dentify.errors import ConfigError, printable

_MOST_CHARACTERS = 2**18  # PyYAML takes some seconds for as many; a thousand classes are 30 kB
_MOST_NODES = 200_000  # with aliases written out


class RepeatedKeyError(ValueError):
    """A key that stands twice in one mapping, with two values of which parsers keep the last."""


def load_yaml(text: str) -> Any:
    """What a YAML document holds: numbers, texts, lists and mappings, nothing that runs code.

    Raises:
        RepeatedKeyError: it says two things of one key.
        ValueError: it is too long, refers to itself, aliases make too much of it, or it holds a value that is none.
        yaml.YAMLError: it is no YAML.
        ModuleNotFoundError: pyyaml is not installed.
    """
    import yaml

    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters, over the limit of {_MOST_CHARACTERS:,}")
    try:
        return _load(getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text))
    except yaml.YAMLError:  # halves of pairs, which the quick one does not read, or no YAML
        return _load(yaml.SafeLoader(text))


def change_key(document: dict[str, Any], change: str) -> None:
    """Applies one `key.key=value` of `--set` to a document, before anything reads it.

    Raises:
        ConfigError: it is no such change, its value is no YAML, or the document has no such place.
    """
    import yaml

    key, equals, text = change.partition("=")
    if not equals:
        raise ConfigError(f"--set {change}: write key=value, as in --set phases.0.steps=500")
    try:
        value = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"--set {change}: {text!r} is no YAML value") from error
    put_value(document, key, value, said=f"--set {change}")


def put_value(document: dict[str, Any], key: str, value: Any, *, said: str) -> None:
    """Puts a value in a document's place; `said` is what asked for it, for messages."""
    *parents, last = key.split(".")
    place: Any = document
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
            if not isinstance(place, dict | list):
                raise ConfigError(f"{said}: `{parent}` holds a value, not keys")
        place[int(last) if isinstance(place, list) else last] = value
    except (IndexError, ValueError) as error:
        raise ConfigError(f"{said}: `{key}` is no place in this recipe") from error


def _load(loader: Any) -> Any:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        try:
            return loader.construct_document(node)
        except (KeyError, IndexError, AttributeError, TypeError) as error:  # of `!!bool 3`, `!!timestamp x` and the like
            raise ValueError("a value is not of the kind that its tag says") from error
    finally:
        loader.dispose()


def _count(node: Any, known: dict[int, int]) -> int:
    """Nodes of a node, with aliases written out."""
    key = id(node)
    if key not in known:
        known[key] = 0  # while it is being counted
        total = 1
        children = node.value if isinstance(node.value, list) else ()
        _check_keys(children)
        for child in children:
            for one in child if isinstance(child, tuple) else (child,):  # of a mapping: key and value
                if known.get(id(one)) == 0:
                    raise ValueError("an alias refers to what it is part of")
                total += _count(one, known)
                if total > _MOST_NODES:
                    raise ValueError(f"aliases make more than {_MOST_NODES:,} nodes of it")
        known[key] = total
    return known[key]


def _check_keys(children: Any) -> None:
    """Refuses a mapping that says two things of one key; `<<`, which copies others, may stand there as often as it likes."""
    seen: dict[tuple[str, str], Any] = {}
    for pair in children:
        key, value = pair if isinstance(pair, tuple) else (None, None)
        if key is None or not isinstance(key.value, str) or key.value == "<<":
            continue
        before = seen.setdefault((key.tag, key.value), pair)
        if before is not pair and (before[1].tag, before[1].value) != (value.tag, value.value):
            lines = f"lines {before[0].start_mark.line + 1} and {key.start_mark.line + 1}"
            raise RepeatedKeyError(f"the key {printable(key.value)[:60]!r} stands twice, in {lines}; which one is meant?")

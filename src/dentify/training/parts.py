"""The parts of a network by the names that recipes call them by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import nn

from dentify.errors import ConfigError
from dentify.strict import nearest

Parts = Mapping[str, list[nn.Module]]


def parts_named(parts: Parts, patterns: Sequence[str], *, key: str) -> set[str]:
    """The names of a network's parts that patterns name.

    `encoder` is all that begins so, `encoder.3` one, `encoder.3-` that one and all later ones, `*` everything.

    Args:
        parts: of a network, in its order.
        patterns: of the recipe.
        key: the recipe's key, for messages.

    Raises:
        ConfigError: a pattern names nothing.

    >>> parts = {name: [] for name in ("encoder.0", "encoder.1", "encoder.2", "decoder", "photo")}
    >>> sorted(parts_named(parts, ["encoder.1-", "photo"], key="phases.0.train"))
    ['encoder.1', 'encoder.2', 'photo']
    """
    named: set[str] = set()
    for pattern in patterns:
        later = re.fullmatch(r"(.+)\.(\d+)-", pattern)
        if pattern == "*":
            found = set(parts)
        elif later is not None:
            numbered = {name: re.fullmatch(re.escape(later[1]) + r"\.(\d+)", name) for name in parts}
            found = {name for name, match in numbered.items() if match is not None and int(match[1]) >= int(later[2])}
        else:
            found = {name for name in parts if name == pattern or name.startswith(f"{pattern}.")}
        if not found:
            known = dict.fromkeys(name.partition(".")[0] for name in parts)
            raise ConfigError(f"{key}: the network has no part `{pattern}`{nearest(pattern, known)}; it has {', '.join(parts)}")
        named |= found
    return named

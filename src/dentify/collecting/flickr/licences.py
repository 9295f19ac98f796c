"""The licences that photos on Flickr stand under, and which of them a user chooses."""

from __future__ import annotations

import re
from typing import NamedTuple

from dentify.errors import ConfigError, printable
from dentify.strict import nearest

LICENCE_NAMES = ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd", "cc0", "pdm", "us-gov", "no-known-restrictions")
LICENCE_GROUPS = {
    "cc": LICENCE_NAMES[:8],
    "free": ("by", "by-sa", "cc0", "pdm"),
}


class Licence(NamedTuple):
    """A licence as Flickr lists it: `name` chooses it in all its versions, `label` is what people call it."""

    name: str
    label: str
    url: str


def parse_licences(text: str) -> frozenset[str]:
    """Names of licences, from a comma list of them and of groups.

    `cc` is all that bears a mark of Creative Commons, `free` what of it may be changed and sold.

    Raises:
        ConfigError: a name is unknown, or there is none.

    >>> sorted(parse_licences("free, CC-BY-ND"))
    ['by', 'by-nd', 'by-sa', 'cc0', 'pdm']
    """
    chosen: set[str] = set()
    for word in text.split(","):
        name = word.strip().lower().removeprefix("cc-")
        if name in LICENCE_GROUPS:
            chosen.update(LICENCE_GROUPS[name])
        elif name in LICENCE_NAMES:
            chosen.add(name)
        else:
            known = (*LICENCE_GROUPS, *LICENCE_NAMES)
            advice = nearest(name, known, most=3) or f"; give some of {', '.join(known)}"
            raise ConfigError(f"{printable(word)!r} is no licence of Flickr's{advice}")
    return frozenset(chosen)


def licence_at(url: str) -> Licence | None:
    """The licence that an address stands for; `None` where it is none that can be chosen.

    Flickr numbers its licences, and gave new numbers to the versions 4.0 in 2025. What it says of a number is its address.

    >>> licence_at("https://creativecommons.org/licenses/by-nc-sa/4.0/").label
    'CC BY-NC-SA 4.0'
    >>> licence_at("https://www.flickrhelp.com/hc/en-us/articles/10710266545556") is None
    True
    """
    address = re.sub(r"^https?://(?:www\.)?", "", url)
    if match := re.match(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/([0-9]\.[0-9])/", address):
        return Licence(match[1], f"CC {match[1].upper()} {match[2]}", url)
    for start, name, label in (
        ("creativecommons.org/publicdomain/zero/1.0/", "cc0", "CC0 1.0"),
        ("creativecommons.org/publicdomain/mark/1.0/", "pdm", "Public Domain Mark 1.0"),
        ("usa.gov/", "us-gov", "United States Government Work"),
        ("flickr.com/commons/usage", "no-known-restrictions", "No known copyright restrictions"),
    ):
        if address.startswith(start):
            return Licence(name, label, url)
    return None


def is_chosen(licence: Licence | None, chosen: frozenset[str]) -> bool:
    """Whether photos under a licence are wanted."""
    return licence is not None and licence.name in chosen

"""Licences by name and by address."""

from __future__ import annotations

import pytest

from dentify.collecting.flickr import licence_at, parse_licences
from dentify.errors import ConfigError


@pytest.mark.parametrize(
    ("licences", "message"),
    [
        ("by-as", r"^'by-as' is no licence of Flickr's; did you mean `by-sa` or `by-.*\?$"),
        ("gpl", r"^'gpl' is no licence of Flickr's; give some of cc, free, by, by-sa, "),
        ("", r"^'' is no licence of Flickr's; give some of cc, "),
        ("by,\x1b[2J", r"^'\\\\x1b\[2J' is no licence"),
    ],
)
def test_an_unknown_licence_is_told_the_nearest_ones(licences: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_licences(licences)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("http://creativecommons.org/licenses/by-nd/2.0/", "CC BY-ND 2.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.en", "CC BY 4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd-sa/4.0/", None),
        ("https://creativecommons.org.example.net/licenses/by/4.0/", None),
        ("https://example.net/?creativecommons.org/licenses/by/4.0/", None),
        ("", None),
    ],
)
def test_a_licence_is_known_by_its_address(url: str, label: str | None) -> None:
    licence = licence_at(url)
    assert (licence and licence.label) == label

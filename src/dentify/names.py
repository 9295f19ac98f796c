"""Names that someone else chose: of photos, folders and labels, as files and systems have them."""

from __future__ import annotations

import re


def clean_name(name: str) -> str:
    r"""A file name as valid UTF-8, bytes of other encodings as `%E9`.

    >>> clean_name("caf\udce9.jpg"), clean_name("caf\udcc3\udca9.jpg"), clean_name("café.jpg")
    ('caf%E9.jpg', 'café.jpg', 'café.jpg')
    """
    if name.isascii():
        return name
    whole = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", name)  # halves of a pair, as Windows allows them
    text = whole.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) & 0xFF:02X}", text)

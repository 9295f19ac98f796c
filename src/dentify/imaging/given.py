"""Photos as people give them: a path, a file's bytes, a Pillow picture, an array, or what is read when its turn comes."""

from __future__ import annotations

import os
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dentify.errors import InputError
from dentify.imaging.decode import DecodedPhoto, decode_photo, photo_from_array, photo_from_pil
from dentify.imaging.files import read_photo_file
from dentify.settings import Settings


@runtime_checkable
class NamedPhoto(Protocol):
    """A photo that knows its name and is read when its turn comes, such as those of `dentify.sources`."""

    @property
    def name(self) -> str:
        """What the assessment calls the photo."""

    @property
    def where(self) -> str:
        """What errors call it."""

    def read(self) -> bytes:
        """The file's bytes."""


PhotoLike = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8] | DecodedPhoto | NamedPhoto


def decode_given(photo: PhotoLike, *, where: str, settings: Settings, enough_side: int | None = None) -> DecodedPhoto:
    """A photo of any kind, read and decoded; files only as finely as `enough_side` asks for (see `decode_photo`).

    Raises:
        ImageError: it cannot be read, or is over a limit.
        InputError: it is nothing that can be assessed.
    """
    match photo:
        case DecodedPhoto():
            return photo
        case np.ndarray():
            return photo_from_array(photo, where=where, settings=settings)
        case Image.Image():
            return photo_from_pil(photo, where=where, settings=settings)
        case bytes():
            data = photo
        case str() | os.PathLike():
            data = read_photo_file(photo, where=where, settings=settings)
        case NamedPhoto():
            data = photo.read()
        case _:
            raise InputError(f"cannot assess a {type(photo).__name__}; give a path, bytes, a Pillow picture or an array")
    return decode_photo(data, where=where, settings=settings, enough_side=enough_side)

"""An answer as something to look at: drawn on its photo, as a file, and in a notebook. What `Assessment`'s own methods do."""

from __future__ import annotations

import base64
import html
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from dentify.assessment import Assessment
from dentify.errors import DentifyError, InputError, printable
from dentify.imaging.draw import draw_assessment, encode_jpeg
from dentify.imaging.given import PhotoLike, decode_given
from dentify.settings import Settings
from dentify.writing import write_whole

_NOTEBOOK_SIDE, _NOTEBOOK_QUALITY = 1000, 90


def draw(assessment: Assessment, photo: PhotoLike, *, parts: bool = False, settings: Settings | None = None) -> Image.Image:
    """The photo with what was found on it; see `Assessment.draw`."""
    settings = settings or Settings()
    where = printable(assessment.photo.name)
    decoded = decode_given(photo, where=where, settings=settings, enough_side=settings.photo_long_side)
    told_hw = (assessment.photo.height, assessment.photo.width)
    if decoded.photo_hw != told_hw:
        (height, width), (told_height, told_width) = decoded.photo_hw, told_hw
        raise InputError(
            f"{where}: assessed at {told_width} × {told_height} pixels, this photo has {width} × {height}; give that one"
        )
    return Image.fromarray(draw_assessment(decoded.image, assessment, settings=settings, parts=parts))


def save(assessment: Assessment, path: str | os.PathLike[str]) -> None:
    """Writes an answer into a file of the kind that its name ends in; see `Assessment.save`."""
    path = Path(path)
    match path.suffix.lower():
        case ".json":
            data = (assessment.to_json(indent=2) + "\n").encode()
        case ".txt":
            data = (assessment.report + "\n").encode()
        case ".jpg" | ".jpeg":
            data = encode_jpeg(np.asarray(assessment.draw()), Settings().photo_jpeg_quality)
        case ".png":
            file = io.BytesIO()
            assessment.draw().save(file, "PNG")
            data = file.getvalue()
        case _:
            raise InputError(f"{printable(str(path))}: an answer is saved as .json, .txt, .jpg or .png; name it so")
    write_whole({path: data})


def to_html(assessment: Assessment) -> str:
    """Picture and report for a notebook; the report alone where the photo is not known or not there any more."""
    report = f"<pre>{html.escape(assessment.report)}</pre>"
    photo = assessment.known_photo
    if photo is None:
        return report
    try:
        picture = draw(assessment, photo, settings=Settings(photo_long_side=_NOTEBOOK_SIDE))
    except DentifyError as error:
        return f"{report}<p>{html.escape(str(error))}</p>"
    data = base64.b64encode(encode_jpeg(np.asarray(picture), _NOTEBOOK_QUALITY)).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(assessment.photo.name)}" style="max-width: 100%">{report}'

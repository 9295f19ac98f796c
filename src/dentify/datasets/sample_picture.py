"""The picture of a sample: whether it is there and as large as its labels say, and its pixels."""

from __future__ import annotations

from dentify.datasets.adjustments import OnAdjust
from dentify.datasets.label_set import TURNED
from dentify.datasets.pictures import is_file
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError, ImageError, printable
from dentify.imaging.decode import DecodedPhoto, decode_photo, read_photo_frame
from dentify.settings import Settings


def check_picture(sample: Sample, settings: Settings, adjust: OnAdjust | None = None) -> None:
    """Makes sure that a sample's picture is there and as large as its labels say.

    Args:
        sample: to be checked.
        settings: the limits.
        adjust: is told of labels that are taken for the photo upright where their size does not tell that, as EXIF mirrors or
            turns the picture and it stays as large.

    Raises:
        DatasetError: it is missing, cannot be read, or has another size.
    """
    missing = missing_picture(sample)
    if missing is not None:
        raise missing
    if isinstance(sample.image, bytes) or sample.size_hw is None:
        return
    try:
        (height, width), orientation = read_photo_frame(sample.image, where=str(sample.image), settings=settings)
    except ImageError as error:
        raise DatasetError(f"{sample.where}: {error}", kind="broken picture") from error
    if sample.size_hw != (height, width):
        told = f"{sample.size_hw[1]} × {sample.size_hw[0]}"
        as_stored = orientation >= 5 and sample.size_hw == (width, height)
        turned = " (upright, as its EXIF says)" if as_stored else ""
        advice = "were they made on another copy of the photo?"
        if as_stored:
            advice = "if they are for the picture as it is stored, `--frame stored` turns them"
        raise DatasetError(
            f"{sample.where}: {printable(sample.name)} is {width} × {height} pixels{turned}, its labels are for {told}; {advice}",
            kind="wrong size",
        )
    if adjust is not None and sample.annotations and orientation > 1 and (orientation < 5 or height == width):
        adjust(TURNED, str(sample.image))


def missing_picture(sample: Sample) -> DatasetError | None:
    """What to say of a sample whose picture is not there; `None` where it is."""
    if isinstance(sample.image, bytes) or is_file(sample.image):
        return None
    told = f"{sample.where}: no picture {sample.name!r:.200} in {printable(str(sample.image.parent))}"
    return DatasetError(told, kind="missing picture")


def decode_picture(sample: Sample, settings: Settings, *, enough_side: int | None = None) -> DecodedPhoto:
    """A sample's picture, decoded; see `decode_photo`.

    Raises:
        DatasetError: it cannot be read, is broken, or is over a limit.
    """
    try:
        return decode_photo(sample.read(settings), where=printable(sample.name), settings=settings, enough_side=enough_side)
    except ImageError as error:
        raise DatasetError(f"{sample.where}: {error}", kind="broken picture") from error

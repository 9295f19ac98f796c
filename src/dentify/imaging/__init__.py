"""From files to upright sRGB pixels, and from findings to masks, boxes and drawings.

Conversions of coordinates, masks and colours live here and nowhere else. Nothing in this room knows of models. Drawing is in
`dentify.imaging.draw` (`draw_assessment`, `encode_jpeg`), imported where it is wanted: most runs do without its fonts.
"""

from dentify.imaging.boxes import xyxy_to_xywh
from dentify.imaging.decode import DecodedPhoto, decode_photo, photo_from_array, photo_from_pil
from dentify.imaging.formats import is_picture_name, is_picture_start
from dentify.imaging.masks import (
    crop_to_rle,
    mask_to_box,
    polygons_to_mask,
    polygons_to_rle,
    rle_area,
    rle_decode,
    rle_encode,
    rle_to_box,
    rle_to_crop,
    rle_to_runs,
    runs_to_rle,
)
from dentify.imaging.quality import QualityMeasures, judge_quality, measure_quality

__all__ = [
    "DecodedPhoto",
    "QualityMeasures",
    "crop_to_rle",
    "decode_photo",
    "is_picture_name",
    "is_picture_start",
    "judge_quality",
    "mask_to_box",
    "measure_quality",
    "photo_from_array",
    "photo_from_pil",
    "polygons_to_mask",
    "polygons_to_rle",
    "rle_area",
    "rle_decode",
    "rle_encode",
    "rle_to_box",
    "rle_to_crop",
    "rle_to_runs",
    "runs_to_rle",
    "xyxy_to_xywh",
]

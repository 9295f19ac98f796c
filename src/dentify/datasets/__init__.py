"""Labelled photos: one `Sample` from any annotation format."""

from dentify.datasets.formats.coco import read_coco
from dentify.datasets.photos import read_photos
from dentify.datasets.sample import Annotation, Sample, canonical_name, kind_of

__all__ = ["Annotation", "Sample", "canonical_name", "kind_of", "read_coco", "read_photos"]

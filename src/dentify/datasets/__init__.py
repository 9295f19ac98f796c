"""Labelled photos: one `Sample` from any annotation format."""

from dentify.datasets.dataset import Dataset, open_dataset
from dentify.datasets.labels import LabelMap, read_label_map
from dentify.datasets.photos import read_photos
from dentify.datasets.sample import Annotation, Sample, canonical_name, kind_of

__all__ = [
    "Annotation",
    "Dataset",
    "LabelMap",
    "Sample",
    "canonical_name",
    "kind_of",
    "open_dataset",
    "read_label_map",
    "read_photos",
]

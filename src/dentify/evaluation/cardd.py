"""CarDD (Wang, Li, Wu, T-ITS 2023): its release as its owner unpacks it, and what was published of its test split.

The release holds the same photos twice: `CarDD_COCO` with outlines by type, and `CarDD_SOD` with black and white masks of any
damage, made from these outlines. Its licence lets nobody pass it on; who has signed it has it, and nothing of it is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dentify.datasets.documents import read_json
from dentify.datasets.label_set import split_in
from dentify.datasets.pictures import is_file, leads_out, walk
from dentify.datasets.sample import UNTYPED, Annotation, Sample, canonical_name
from dentify.errors import DatasetError, ImageError
from dentify.evaluation.results import Benchmark
from dentify.imaging.decode import decode_label_map
from dentify.imaging.files import read_photo_file
from dentify.imaging.formats import is_picture_name
from dentify.imaging.masks import mask_to_box, rle_encode
from dentify.settings import Settings

TYPES = ("dent", "scratch", "crack", "glass_shatter", "lamp_broken", "tire_flat")
SPLITS = ("train", "val", "test")
_SOD = {"train": "CarDD-TR", "val": "CarDD-VAL", "test": "CarDD-TE"}
_WHITE = 128  # from here on a pixel of a mask is damage, as the field's toolboxes have it

Figures = tuple[float | None, ...]


@dataclass(frozen=True)
class Published:
    """What was published of one model on the test split; `None` where it was not, or was not to be had.

    Attributes:
        model: its name, and where it is from if not from CarDD's paper.
        mask: AP, AP50, AP75, and AP of small, medium and large damages.
        box: AP, AP50, AP75.
        types: mask and box AP of each of `TYPES`.
    """

    model: str
    mask: Figures = (None,) * 6
    box: Figures = (None,) * 3
    types: tuple[tuple[float, float], ...] = ()


# The paper's figures are those that independent notes on it give, as its tables could not be read; others lack for that reason.
MODELS = (
    Published(
        "DCN+ R101",
        (0.570, 0.777, 0.584, 0.346, 0.440, 0.716),
        (0.606, 0.788, 0.648),
        ((0.405, 0.422), (0.343, 0.423), (0.166, 0.296), (0.896, 0.901), (0.708, 0.695), (0.900, 0.902)),
    ),
    Published("DCN R101", (0.525, None, None, 0.197, None, None), (0.543, 0.698, None)),
    Published("DCN+ R50", box=(None, 0.774, None)),
    Published("DCN R50", box=(None, 0.709, None)),
    Published("HTC R101", box=(None, 0.684, None)),
    Published("HTC R50", box=(None, 0.681, None)),
    Published("Mask R-CNN R101", box=(None, 0.677, None)),
    Published("Mask R-CNN R50", box=(None, 0.663, None)),
    Published("GCNet R50", box=(None, 0.664, None)),
    Published("Cascade Mask R-CNN R50", box=(None, 0.647, None)),
    Published(
        "RF-DETR-Seg-Medium (AutoScan AI, since)",
        (0.595, 0.789, 0.597, 0.394, 0.539, 0.721),
        (0.631, 0.786, 0.647),
        ((0.374, 0.395), (0.343, 0.414), (0.207, 0.294), (0.948, 0.954), (0.759, 0.776), (0.937, 0.951)),
    ),
)
SALIENT: dict[str, Figures] = {
    "SGL-KRN": (0.791, 0.744, 0.809, 0.884, 0.071),
    "PoolNet": (None, None, 0.811, None, 0.071),
}
"""F, weighted F, S, E and MAE."""


@dataclass(frozen=True)
class Release:
    """CarDD, or half of it, on somebody's disk.

    Attributes:
        path: what is to be read.
        split: which of `SPLITS`; `None` for all.
        masks: whether it is the half with black and white masks, which `mask_samples` reads.
    """

    path: Path
    split: str | None
    masks: bool

    @property
    def benchmark(self) -> Benchmark | None:
        """Which figures it is compared by; none for several splits together."""
        return None if self.split is None else Benchmark(name="CarDD", split=self.split)


def release_at(path: Path, split: str | None, settings: Settings) -> Release | None:
    """What of CarDD a path holds: the release, one of its halves, a file of its annotations, or a folder of one split's masks.

    Where both halves are there, that with outlines is taken, as it tells more; without a split the test split, which is what the
    paper judges.

    Args:
        path: as somebody named it.
        split: which one is asked for.
        settings: limits on files.
    """
    of_file = split_in(path.stem)
    if path.stem in map(_instances, SPLITS) and _is_cardd(path, settings):
        return Release(path, split or of_file, masks=False)
    for folder in (path, path / "CarDD_COCO", path / "CarDD_release" / "CarDD_COCO"):
        there = [one for one in SPLITS if is_file(folder / "annotations" / f"{_instances(one)}.json")]
        if there and _is_cardd(folder / "annotations" / f"{_instances(there[-1])}.json", settings):
            return Release(folder, split or there[-1], masks=False)
    for folder in (path, path / "CarDD_SOD", path / "CarDD_release" / "CarDD_SOD"):
        there = [one for one in SPLITS if (folder / _SOD[one] / f"{_SOD[one]}-Mask").is_dir()]
        if there:
            return Release(folder, split or there[-1], masks=True)
    if path.name in _SOD.values() and (path / f"{path.name}-Mask").is_dir():
        return Release(path.parent, split or of_file, masks=True)
    return None


def _instances(split: str) -> str:
    return f"instances_{split}2017"


def _is_cardd(path: Path, settings: Settings) -> bool:
    """Whether annotations are CarDD's, whose files are called as COCO's own."""
    try:
        document = read_json(path, settings)
    except DatasetError:
        return False  # its reader says what is wrong with it
    rows = document.get("categories") if isinstance(document, dict) else None
    names = [row.get("name") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {canonical_name(name) for name in names if isinstance(name, str)} == set(TYPES) and len(names) == len(TYPES)


def mask_samples(release: Release, settings: Settings) -> Iterator[Sample]:
    """Photos of `CarDD_SOD` with one annotation each, damage of a type that nobody told.

    Raises:
        DatasetError: a mask cannot be read, its photo is not there, or there is no photo of the split.
    """
    found = False
    for split, name in _SOD.items():
        masks = release.path / name / f"{name}-Mask"
        if release.split not in (None, split) or not masks.is_dir():
            continue
        for path in walk(masks):
            if is_picture_name(path.name):
                found = True
                yield _mask_sample(path, release.path / name / f"{name}-Image", split, release.path, settings)
    if not found:
        raise DatasetError(f"{release.path}: holds no photo" + (f" of split {release.split!r}" if release.split else ""))


def _mask_sample(path: Path, photos: Path, split: str, root: Path, settings: Settings) -> Sample:
    photo = photos / f"{path.stem}.jpg"
    for file in (path, photo):
        if not is_file(file):
            raise DatasetError(f"{path}: its photo {photo} is not there")
        if not settings.follow_links and leads_out(file, [root]):
            raise DatasetError(f"{file}: is a link that leads out of the data set; put the file itself there")
    try:
        pixels, _ = decode_label_map(
            read_photo_file(path, where=str(path), settings=settings), where=str(path), settings=settings
        )
    except ImageError as error:
        raise DatasetError(str(error)) from error
    mask = (pixels if pixels.ndim == 2 else pixels.max(axis=2)) >= _WHITE
    box = mask_to_box(np.asarray(mask, np.bool_))
    return Sample(
        image=photo,
        name=photo.name,
        size_hw=(mask.shape[0], mask.shape[1]),
        annotations=() if box is None else (Annotation(UNTYPED, box, rle=rle_encode(mask)),),
        labelled=frozenset({UNTYPED}),
        vehicle=True,
        damage=box is not None,
        split=split,
        where=str(path),
    )


def benchmark_of(releases: Sequence[Release | None]) -> Benchmark | None:
    """What labelled data sets are compared by: one release of CarDD, and no other data set beside it."""
    (first, *others) = releases or (None,)
    return None if first is None or others else first.benchmark

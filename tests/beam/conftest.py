"""What the tests of preprocessing share: painted photos with metadata, and a data set whose outlines are their paint."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

pytest.importorskip("apache_beam", reason="needs the extra beam")

BOX = [40.0, 30.0, 60.0, 24.0]  # x, y, width, height of what is painted, pixels of the upright photo
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:cc="http://creativecommons.org/ns#" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    ' exif:GPSLatitude="41,0.5N"><cc:license rdf:resource="https://creativecommons.org/licenses/by/4.0/"/></rdf:Description>'
    "</rdf:RDF></x:xmpmeta>"
)

Photo = Callable[..., Path]


def texture(seed: int, size_wh: tuple[int, int] = (200, 120)) -> Image.Image:
    """A picture that no other seed's is a near-duplicate of, with a white box on it."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 180, (7, 11, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size_wh, Image.Resampling.BICUBIC)
    scale_x, scale_y = size_wh[0] / 200, size_wh[1] / 120
    x, y, w, h = BOX
    picture.paste(
        (255, 255, 255), tuple(round(value) for value in (x * scale_x, y * scale_y, (x + w) * scale_x, (y + h) * scale_y))
    )
    return picture


def exif_of(*, orientation: int = 1, author: str = "Ayse Fotograf", gps: bool = True) -> Image.Exif:
    """EXIF as a telephone writes it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x013B], exif[0x8298] = orientation, "Secretphone", author, "CC BY"
    if gps:
        exif.get_ifd(0x8825).update({1: "N", 2: (41.0, 0.0, 30.0), 3: "E", 4: (29.0, 0.0, 1.0)})
    return exif


def encoded(picture: Image.Image, name: str, **options: Any) -> bytes:
    """A picture as the file that its name tells."""
    stream = io.BytesIO()
    if name.endswith(".heic"):
        return _heic(picture, **options)
    kind = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF"}[name.rpartition(".")[2].lower()]
    if kind != "PNG":
        options.setdefault("quality", 92)
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _heic(picture: Image.Image, exif: Image.Exif) -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(picture).save(stream, exif=exif.tobytes())
    return stream.getvalue()


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """`photo("a/b.jpg", seed)` writes a photo below `in/`."""

    def write(name: str, seed: int, size_wh: tuple[int, int] = (200, 120), **options: Any) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(texture(seed, size_wh), name, **options))
        return path

    return write


def coco(names: list[str], size_wh: tuple[int, int] = (200, 120), **keys: Any) -> str:
    """COCO in which each photo has its white box as a dent, drawn as a polygon, and once more as a scratch, boxed alone."""
    x, y, w, h = BOX
    images, rows = [], []
    for number, name in enumerate(names, 1):
        images.append({"id": number, "file_name": name, "width": size_wh[0], "height": size_wh[1], **keys})
        rows.append(
            {
                "id": 2 * number,
                "image_id": number,
                "category_id": 9,
                "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                "bbox": BOX,
                "severity": "minor",
            }
        )
        rows.append({"id": 2 * number + 1, "image_id": number, "category_id": 4, "segmentation": [], "bbox": BOX})
    categories = [{"id": 9, "name": "dent"}, {"id": 4, "name": "scratch"}]
    return json.dumps({"images": images, "annotations": rows, "categories": categories})


@pytest.fixture
def dataset(tmp_path: Path, photo: Photo) -> Path:
    """Three photos with annotations, in two splits."""
    for seed, name in enumerate(("train/a.jpg", "train/b.png", "val/c.jpg")):
        photo(name, seed)
    folder = tmp_path / "in"
    (folder / "train.json").write_text(coco(["a.jpg", "b.png"], source="yard", group="car 1"))
    (folder / "val.json").write_text(coco(["c.jpg"], source="yard"))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def lines(data: bytes) -> list[dict[str, Any]]:
    """The documents of JSON lines."""
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def png_text() -> PngImagePlugin.PngInfo:
    """A PNG's text chunks with XMP."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP)
    return info

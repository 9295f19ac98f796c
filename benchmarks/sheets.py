"""Measures how surely `dentify.imaging.quality` tells sheets of several photos and blank pictures from photos.

    python benchmarks/sheets.py [--data ../shared/data] [--split val] [--sheets 200] [--seed 0] [--each FILE]

Pastes photos of cars together in many ways, as people and programs do, makes pictures of one colour and gradients, and frames
single photos in ways that must not count. Prints, for each, the share that is told as `several_photos` and as `not_a_photo`,
then the same for all single photos of each folder. `--each` writes one line for each picture that is told wrongly.
Takes about two minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.imaging.decode import decode_photo
from dentify.imaging.quality import judge_quality
from dentify.settings import Settings

Photo = NDArray[np.uint8]
Colour = tuple[int, int, int]
OF_CARS = ("damage", "cars", "wrecks", "whole", "undamaged", "undamaged_everyday")
FOLDERS = (*OF_CARS, "tire_flat", "severity", "parts", "no_vehicle", "no_vehicle_everyday")
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (128, 128, 128)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def main() -> None:
    """Makes the pictures, judges all, prints the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments.add_argument("--split", default="val")
    arguments.add_argument("--sheets", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--each", type=Path, help="a file for what is told wrongly")
    given = arguments.parse_args()
    pool = Pool([file for folder in OF_CARS for file in photos_of(given.data, folder, given.split)], given.seed)

    print(f"{'told of, %':<36}{'pictures':>10}{'several':>10}{'no photo':>10}")
    wrong: list[str] = []
    for title, makers, number, expected in (
        ("sheets", SHEETS, given.sheets, ("several_photos",)),
        ("single photos, framed", FRAMED, given.sheets, ()),
        ("blank pictures", BLANK, len(BLANK), ("not_a_photo",)),
    ):
        told: dict[str, list[tuple[str, ...]]] = {name: [] for name in makers}
        for index in range(number):
            name = list(makers)[index % len(makers)]
            told[name].append(kind_of(makers[name](pool)))
            if told[name][-1] != expected:
                wrong.append(f"{title}, {name}, {index}: {told[name][-1]}")
        print_rows(title, told)
    singles: dict[str, list[tuple[str, ...]]] = {}
    for folder in FOLDERS:
        files = photos_of(given.data, folder, given.split)
        singles[folder] = [kind_of(read(file)) for file in files]
        wrong += [f"{file}: {kind}" for file, kind in zip(files, singles[folder], strict=True) if kind]
    print_rows("single photos", singles)
    if given.each:
        given.each.write_text("".join(f"{line}\n" for line in wrong))


def photos_of(data: Path, folder: str, split: str) -> list[Path]:
    """The photos of one folder and split."""
    if (data / folder / "photos.csv").exists():
        with (data / folder / "photos.csv").open() as file:
            names = [row["file"] for row in csv.DictReader(file) if row["split"] == split]
        return sorted(data / name if "/" in name else data / folder / "images" / name for name in names)
    listed = json.loads((data / folder / f"{split}.json").read_text())["images"]
    return sorted(data / folder / "images" / image["file_name"] for image in listed)


def read(file: Path) -> Photo:
    """One photo's pixels."""
    return decode_photo(file.read_bytes(), where=str(file), settings=Settings()).image


def kind_of(image: Photo) -> tuple[str, ...]:
    """What a picture is told to be in place of a photo."""
    issues = judge_quality(image, (image.shape[0], image.shape[1])).issues
    return tuple(issue for issue in issues if issue in ("several_photos", "not_a_photo"))


def print_rows(title: str, told: Mapping[str, list[tuple[str, ...]]]) -> None:
    """All of a kind, and each apart."""
    rows = [(title, [kind for kinds in told.values() for kind in kinds])]
    rows += [(f"  {name}", kinds) for name, kinds in told.items() if kinds]
    for name, kinds in rows:
        shares = [100 * np.mean([issue in kind for kind in kinds]) for issue in ("several_photos", "not_a_photo")]
        print(f"{name:<36}{len(kinds):10}" + "".join(f"{share:10.1f}" for share in shares))


class Pool:
    """Photos to paste, drawn anew each time."""

    def __init__(self, files: list[Path], seed: int) -> None:
        self.files = files
        self.chooser = random.Random(seed)
        self.rng = np.random.default_rng(seed)

    def any(self) -> Photo:
        """A photo in its own shape."""
        return read(self.chooser.choice(self.files))

    def fitted(self, width: int, height: int) -> Photo:
        """The middle of a photo, to fill a place."""
        image = self.any()
        scale = max(width / image.shape[1], height / image.shape[0])
        image = resized(image, max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale)))
        left, top = (image.shape[1] - width) // 2, (image.shape[0] - height) // 2
        return image[top : top + height, left : left + width]

    def colour(self) -> Colour:
        """Of a border or a page: mostly white, black or grey."""
        red, green, blue = (self.chooser.randrange(256) for _ in range(3))
        return self.chooser.choice([WHITE, WHITE, BLACK, GREY, (242, 242, 247), (30, 30, 30), (red, green, blue)])

    def saved(self, image: Photo) -> Photo:
        """As it comes: resized, packed as JPEG, or both, in either order."""
        image = resized_to(image, self.chooser.randint(500, 1600))
        if self.chooser.random() < 0.3:
            image = resized_to(jpeg(image, self.chooser.randint(60, 95)), self.chooser.randint(500, 1600))
        return jpeg(image, self.chooser.randint(50, 95))


def resized(image: Photo, width: int, height: int) -> Photo:
    """To a size."""
    smaller = width < image.shape[1]
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC), np.uint8)


def resized_to(image: Photo, long_side: int) -> Photo:
    """To a long side."""
    scale = long_side / max(image.shape)
    return resized(image, max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))


def jpeg(image: Photo, quality: int) -> Photo:
    """Saved once more."""
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1]


def page(width: int, height: int, colour: Colour) -> Photo:
    """A sheet of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def paste(sheet: Photo, image: Photo, left: int, top: int, *, radius: int = 0) -> None:
    """Onto a sheet, in place; with rounded corners where there is a radius."""
    height, width = image.shape[:2]
    mask = np.full((height, width), 255, np.uint8)
    if radius:
        mask[:] = 0
        cv2.rectangle(mask, (radius, 0), (width - 1 - radius, height - 1), 255, -1)
        cv2.rectangle(mask, (0, radius), (width - 1, height - 1 - radius), 255, -1)
        for x in (radius, width - 1 - radius):
            for y in (radius, height - 1 - radius):
                cv2.circle(mask, (x, y), radius, 255, -1)
    there = sheet[top : top + height, left : left + width]
    there[:] = np.where(mask[:, :, None] > 0, image, there)


def write(sheet: Photo, text: str, left: int, top: int, size: int) -> None:
    """A line of text of a height in pixels, dark on light or light on dark."""
    ink = BLACK if sheet[min(top, len(sheet) - 1), min(left, sheet.shape[1] - 1)].mean() > 128 else WHITE
    cv2.putText(sheet, text, (left, top + size), FONT, size / 22, ink, max(1, size // 12), cv2.LINE_AA)


def grid(pool: Pool, rows: int, columns: int, *, gap: float = 0, margin: float = 0, colour: Colour = WHITE) -> Photo:
    """Equal cells. Gap and margin are shares of the sheet's width."""
    width, height = pool.chooser.randint(800, 2000), pool.chooser.randint(700, 2000)
    between, around = round(gap * width), round(margin * width)
    wide = (width - 2 * around - (columns - 1) * between) // columns
    high = (height - 2 * around - (rows - 1) * between) // rows
    sheet = page(2 * around + columns * (wide + between) - between, 2 * around + rows * (high + between) - between, colour)
    for row in range(rows):
        for column in range(columns):
            paste(sheet, pool.fitted(wide, high), around + column * (wide + between), around + row * (high + between))
    return pool.saved(sheet)


def bordered(pool: Pool, rows: int, columns: int) -> Photo:
    """A grid with borders of any width and colour, around it or not."""
    gap = pool.chooser.choice([0.003, 0.006, 0.01, 0.02, 0.04])
    return grid(pool, rows, columns, gap=gap, margin=pool.chooser.choice([0, gap, 0.04]), colour=pool.colour())


def any_grid(pool: Pool, make: Callable[..., Photo]) -> Photo:
    """Of any usual shape."""
    rows, columns = pool.chooser.choice([(1, 2), (2, 1), (2, 3), (3, 2), (1, 3), (3, 1), (4, 3)])
    return make(pool, rows, columns)


def unequal(pool: Pool, *, gap: float | None = None) -> Photo:
    """Rows or columns of different sizes, each cut into a different number of cells."""
    width, height = 1500, pool.chooser.choice([1000, 1500, 2000])
    between = round(width * (pool.chooser.choice([0.005, 0.01, 0.02]) if gap is None else gap))
    sheet = page(width, height, pool.colour())
    first = round(height * pool.chooser.uniform(0.35, 0.65))
    for top, high, columns in ((0, first, 1), (first + between, height - first - between, pool.chooser.choice([2, 3]))):
        cuts = [round(width * (column + pool.chooser.uniform(-0.12, 0.12)) / columns) for column in range(1, columns)]
        for left, right in zip([0, *cuts], [*cuts, width + between], strict=True):
            paste(sheet, pool.fitted(right - left - between, high), left, top)
    if pool.chooser.random() < 0.5:
        sheet = np.ascontiguousarray(sheet.transpose(1, 0, 2))[:, ::-1]
    return pool.saved(np.ascontiguousarray(sheet))


def rounded(pool: Pool) -> Photo:
    """A grid of photos with round corners."""
    cell, gap, columns, rows = 400, pool.chooser.choice([12, 25, 40]), pool.chooser.choice([2, 3]), pool.chooser.choice([2, 3])
    sheet = page(gap + columns * (cell + gap), gap + rows * (cell + gap), pool.colour())
    for index in range(rows * columns):
        place = [gap + (cell + gap) * step for step in (index % columns, index // columns)]
        paste(sheet, pool.fitted(cell, cell), *place, radius=pool.chooser.choice([16, 40]))
    return pool.saved(sheet)


def captioned(pool: Pool) -> Photo:
    """A contact sheet: photos with a line of text under each."""
    cell, gap, columns, rows = 400, 30, pool.chooser.choice([2, 3, 4]), pool.chooser.choice([1, 2, 3])
    sheet = page(gap + columns * (cell + gap), gap + rows * (cell - 40 + gap), pool.colour())
    for index in range(rows * columns):
        left, top = gap + index % columns * (cell + gap), gap + index // columns * (cell - 40 + gap)
        paste(sheet, pool.fitted(cell, 300), left, top)
        write(sheet, f"IMG_{pool.chooser.randrange(10000):04}.JPG", left + 60, top + 312, 26)
    return pool.saved(sheet)


def scanned(pool: Pool) -> Photo:
    """A scanned page of paper with photos pasted on it, not quite straight, and lines of text."""
    sheet = page(1240, 1754, (pool.chooser.randint(225, 252),) * 3)
    write(sheet, "Damage report", 100, 80, 50)
    top = 200
    for _ in range(pool.chooser.choice([2, 3])):
        wide, high, left = pool.chooser.randint(480, 900), pool.chooser.randint(330, 440), pool.chooser.randint(80, 250)
        turn = cv2.getRotationMatrix2D((wide / 2, high / 2), pool.chooser.uniform(-2, 2), 1)
        turn[:, 2] += (left, top)
        photo = pool.fitted(wide, high)
        turned = cv2.warpAffine(photo, turn, sheet.shape[1::-1], flags=cv2.INTER_LINEAR)
        there = cv2.warpAffine(np.ones(photo.shape[:2], np.uint8), turn, sheet.shape[1::-1], flags=cv2.INTER_NEAREST)
        sheet = np.where(there[:, :, None] > 0, turned, sheet).astype(np.uint8)
        top += high + 70
    grain = pool.rng.normal(0, 3, sheet.shape)
    return pool.saved(np.clip(sheet + grain, 0, 255).astype(np.uint8))


def phone(pool: Pool, photos: int) -> Photo:
    """A screenshot of a phone: bars, text and one photo or several, one below the other."""
    sheet = page(1080, pool.chooser.choice([1920, 2340]), pool.chooser.choice([WHITE, (242, 242, 247), (18, 18, 18)]))
    write(sheet, "12:40", 60, 30, 36)
    write(sheet, "Claims", 60, 130, 60)
    inset, gap = pool.chooser.choice([0, 40]), pool.chooser.choice([30, 160])
    room = len(sheet) - 520
    high = min(room // photos - gap, 800)
    for index in range(photos):
        top = 260 + index * (high + gap)
        paste(sheet, pool.fitted(1080 - 2 * inset, high), inset, top, radius=24 if inset else 0)
        if gap > 100:
            write(sheet, "Anna  yesterday, 14:02", 60, top + high + 30, 36)
            write(sheet, "Rear bumper, left side of the car", 60, top + high + 90, 36)
    for index in range(5):
        cv2.circle(sheet, (120 + 210 * index, len(sheet) - 80), 28, GREY, 4)
    return pool.saved(sheet)


def plain(pool: Pool) -> Photo:
    """As it is."""
    return pool.saved(pool.any())


def letterboxed(pool: Pool) -> Photo:
    """Bars above and below, or at the sides."""
    photo = resized_to(pool.any(), 1000)
    height, width = photo.shape[:2]
    bar = round(pool.chooser.uniform(0.05, 0.3) * height)
    sheet = page(width, height + 2 * bar, pool.chooser.choice([BLACK, WHITE, pool.colour()]))
    paste(sheet, photo, 0, bar)
    if pool.chooser.random() < 0.5:
        sheet = page(width + 2 * bar, height, pool.colour())
        paste(sheet, photo, bar, 0)
    return pool.saved(sheet)


def in_margins(pool: Pool) -> Photo:
    """A page around one photo, a narrow one or a wide one."""
    photo = resized_to(pool.any(), 1000)
    height, width = photo.shape[:2]
    left, top, right, bottom = (round(pool.chooser.uniform(0.01, 0.5) * 1000) for _ in range(4))
    sheet = page(width + left + right, height + top + bottom, pool.colour())
    paste(sheet, photo, left, top, radius=pool.chooser.choice([0, 20]))
    return pool.saved(sheet)


def with_banner(pool: Pool) -> Photo:
    """A strip with text added below or above: a time, an address, a logo."""
    photo = resized_to(pool.any(), 1000)
    height, width = photo.shape[:2]
    bar = round(pool.chooser.uniform(0.04, 0.25) * height)
    sheet = page(width, height + bar, pool.colour())
    below = pool.chooser.random() < 0.7
    paste(sheet, photo, 0, 0 if below else bar)
    top = height if below else 0
    for line in range(max(1, bar // 70)):
        write(sheet, "2026-11-21 14:02  52.5200 N 13.4050 E  Unit 7", 30, top + 12 + line * 60, min(40, bar // 2))
    cv2.circle(sheet, (width - bar // 2 - 10, top + bar // 2), bar // 3, (200, 40, 40), -1)
    return pool.saved(sheet)


def stamped(pool: Pool) -> Photo:
    """A time written into the photo, and a logo in a corner."""
    photo = np.ascontiguousarray(resized_to(pool.any(), 1000))
    write(photo, "2026/11/21 14:02:33", 30, photo.shape[0] - 60, 36)
    cv2.rectangle(photo, (photo.shape[1] - 190, 20), (photo.shape[1] - 20, 90), pool.colour(), -1)
    return pool.saved(photo)


def of_colour(pool: Pool, colour: Colour, *, grain: float = 0, quality: int = 90) -> Photo:
    """A picture of one colour."""
    return grainy(pool, page(640, 480, colour).astype(np.float64), grain, quality)


def gradient(pool: Pool, first: Colour, last: Colour, *, round_: bool = False, grain: float = 0, quality: int = 90) -> Photo:
    """From one colour to another, in any direction or outwards."""
    y, x = np.mgrid[0:480, 0:640]
    angle = pool.chooser.uniform(0, np.pi)
    way = np.hypot(x - 320, y - 240) if round_ else x * np.cos(angle) + y * np.sin(angle)
    way = (way - way.min()) / np.ptp(way)
    return grainy(pool, np.array(first) + way[:, :, None] * (np.array(last) - np.array(first)), grain, quality)


def grainy(pool: Pool, image: NDArray[np.float64], grain: float, quality: int) -> Photo:
    """With a sensor's noise, saved as JPEG."""
    return jpeg(np.clip(image + pool.rng.normal(0, grain, image.shape) * (grain > 0), 0, 255).astype(np.uint8), quality)


SHEETS: dict[str, Callable[[Pool], Photo]] = {
    "2 × 2, bordered": partial(bordered, rows=2, columns=2),
    "2 × 2, touching": partial(grid, rows=2, columns=2),
    "3 × 3, bordered": partial(bordered, rows=3, columns=3),
    "3 × 3, touching": partial(grid, rows=3, columns=3),
    "other grids, bordered": partial(any_grid, make=bordered),
    "other grids, touching": partial(any_grid, make=grid),
    "unequal cells, bordered": unequal,
    "unequal cells, touching": partial(unequal, gap=0),
    "round corners": rounded,
    "captions": captioned,
    "scanned page": scanned,
    "screenshot of several": lambda pool: phone(pool, pool.chooser.choice([2, 3])),
}
FRAMED: dict[str, Callable[[Pool], Photo]] = {
    "saved again": plain,
    "letterbox bars": letterboxed,
    "page around it": in_margins,
    "banner": with_banner,
    "time and logo": stamped,
    "screenshot of one": partial(phone, photos=1),
}
BLANK: dict[str, Callable[[Pool], Photo]] = {
    "blue": partial(of_colour, colour=(0, 0, 255)),
    "cyan": partial(of_colour, colour=(0, 255, 255)),
    "red": partial(of_colour, colour=(255, 0, 0), quality=50),
    "green": partial(of_colour, colour=(0, 160, 0)),
    "yellow": partial(of_colour, colour=(255, 230, 0)),
    "white": partial(of_colour, colour=WHITE),
    "black": partial(of_colour, colour=BLACK),
    "grey": partial(of_colour, colour=GREY),
    "grey, grain 3": partial(of_colour, colour=GREY, grain=3),
    "black, grain 6": partial(of_colour, colour=BLACK, grain=6),
    "beige, grain 6": partial(of_colour, colour=(205, 190, 160), grain=6),
    "blue, grain 10": partial(of_colour, colour=(40, 60, 200), grain=10, quality=60),
    "black to white": partial(gradient, first=BLACK, last=WHITE),
    "blue to white": partial(gradient, first=(0, 60, 220), last=WHITE),
    "red to yellow": partial(gradient, first=(200, 0, 0), last=(255, 255, 0), quality=50),
    "purple to cyan, grain 3": partial(gradient, first=(90, 0, 140), last=(0, 220, 220), grain=3),
    "grey to grey, grain 6": partial(gradient, first=(90, 90, 90), last=(160, 160, 160), grain=6),
    "white to black, outwards": partial(gradient, first=WHITE, last=BLACK, round_=True),
    "sky to navy, outwards": partial(gradient, first=(150, 200, 255), last=(0, 0, 80), round_=True, quality=60),
    "brown to beige, outwards": partial(gradient, first=(90, 60, 30), last=(220, 200, 170), round_=True, grain=3),
}


if __name__ == "__main__":
    main()

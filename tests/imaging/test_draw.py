"""Drawings: their size, that what was found can be seen, and that nothing found makes them fail."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from dentify.assessment import (
    Assessment,
    Box,
    BundleIdentity,
    Finding,
    FoundPart,
    Mask,
    PartOfFinding,
    Photo,
    PhotoType,
    Presence,
    Quality,
    Review,
    Severity,
)
from dentify.imaging import draw
from dentify.imaging.draw import draw_assessment, encode_jpeg
from dentify.imaging.masks import rle_encode
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, damage_colour, part_colour

Pixels = NDArray[np.uint8]
MINOR = Severity(level="minor", confidence=0.8)
DENT_OF_PHOTO = PhotoType(type="dent", confidence=0.93)


def assessment(hw: tuple[int, int], *findings: Finding, parts: tuple[FoundPart, ...] = (), **other: Any) -> Assessment:
    fields: dict[str, Any] = {
        "photo": Photo(name="a.jpg", sha256="", width=hw[1], height=hw[0]),
        "bundle": BundleIdentity(name="tiny", version="1", sha256=""),
        "quality": Quality(usable=True),
        "vehicle": Presence(present=True, confidence=0.9),
        "damage": Presence(present=bool(findings), confidence=0.9),
        "severity": MINOR if findings else None,
        "review": Review(needed=False),
        "report": "",
        "dentify_version": "0",
    }
    return Assessment(**{**fields, **other}, findings=findings, parts=parts)


def finding(type_name: str, box: Box, mask: Mask | None = None, *, part: str = "", confidence: float = 0.81) -> Finding:
    on = (PartOfFinding(name=part, confidence=0.7, share_of_finding=1.0, share_of_part=0.1),) if part else ()
    return Finding(
        id=1, type=type_name, confidence=confidence, box=box, mask=mask, area_share=0.1, parts=on, severity=MINOR
    )  # fmt: skip


def drawn(told: Assessment, *, long_side: int = 2000, scale: float = 1.0, grey: int = 128) -> Pixels:
    photo = np.full((round(scale * told.photo.height), round(scale * told.photo.width), 3), grey, np.uint8)
    return draw_assessment(photo, told, settings=Settings(photo_long_side=long_side))


def share_of_colour(image: Pixels, colour: tuple[int, int, int], *, within: int = 3) -> float:
    return float((np.abs(image.astype(int) - colour).max(axis=2) <= within).mean())


def ring(hw: tuple[int, int]) -> Mask:
    y, x = np.mgrid[: hw[0], : hw[1]]
    away = np.hypot(y - hw[0] / 2, x - hw[1] / 2) / min(hw)
    return rle_encode((away < 0.4) & (away > 0.2))


class TestSize:
    @pytest.mark.parametrize(
        ("hw", "scale", "expected_long_side"),
        [
            ((3000, 4000), 1.0, 2000),
            ((4000, 3000), 1.0, 2000),  # upright: the caption counts, too
            ((3000, 4000), 0.25, 1000),  # a reduced picture is not blown up to the limit
            ((600, 900), 1.0, 1000),
            ((300, 400), 1.0, 800),  # small ones are enlarged, twice at most
        ],
    )
    def test_the_longer_side(self, hw: tuple[int, int], scale: float, expected_long_side: int) -> None:
        image = drawn(assessment(hw), scale=scale)
        assert max(image.shape) <= 2000
        assert max(image.shape[:2]) == pytest.approx(expected_long_side, rel=0.08)
        assert image.dtype == np.uint8

    @given(st.integers(16, 500), st.integers(16, 500), st.integers(1, 400))
    def test_a_limit_holds_for_any_photo(self, height: int, width: int, long_side: int) -> None:
        told = assessment((height, width), finding("dent", (0, 0, width, height)))
        assert max(drawn(told, long_side=long_side).shape[:2]) <= long_side

    def test_the_picture_keeps_its_shape_above_the_caption(self) -> None:
        image = drawn(assessment((750, 1000)))
        assert image.shape[1] == 1000
        assert (image[:750] == 128).all()
        assert (image[755:] != 128).any(axis=2).all()

    def test_the_photo_is_not_written_to(self) -> None:
        photo = np.full((1000, 1000, 3), 128, np.uint8)
        draw_assessment(photo, assessment((1000, 1000), finding("dent", (1, 1, 900, 900))), settings=Settings())
        assert (photo == 128).all()


class TestFindings:
    @pytest.mark.parametrize("grey", [0, 255])
    @pytest.mark.parametrize("type_name", [*DAMAGE_NAMES, "hail_mark"])
    def test_every_type_is_seen_on_black_and_on_white(self, type_name: str, grey: int) -> None:
        told = assessment((1000, 1000), finding(type_name, (300, 300, 700, 700)))
        assert share_of_colour(drawn(told, grey=grey), damage_colour(type_name)) > 0.003

    def test_a_mask_is_tinted_and_its_hole_is_not(self) -> None:
        told = assessment((1000, 1000), finding("dent", (100, 100, 900, 900), ring((1000, 1000))))
        image = drawn(told)
        scale = image.shape[1] / 1000
        on, hole, beside = (image[round(y * scale), round(x * scale)] for y, x in ((500, 200), (500, 500), (130, 130)))
        expected = 0.7 * 128 + 0.3 * np.array(damage_colour("dent"))
        np.testing.assert_allclose(on, expected, atol=2)
        assert hole.tolist() == beside.tolist() == [128, 128, 128]

    def test_outlines_of_holes_are_drawn(self) -> None:
        told = assessment((1000, 1000), finding("dent", (100, 100, 900, 900), ring((1000, 1000))))
        image = drawn(told)
        scale = image.shape[1] / 1000
        inner_edge = image[round(500 * scale), round(690 * scale) : round(712 * scale)]
        assert (np.abs(inner_edge.astype(int) - damage_colour("dent")).max(axis=1) <= 3).any()

    def test_coordinates_are_those_of_the_full_photo(self) -> None:
        """The same findings on the photo and on a reduced one are drawn at the same places."""
        told = assessment((2000, 2000), finding("scratch", (1200, 400, 1800, 900)))
        full, reduced = drawn(told, long_side=1000), drawn(told, scale=0.5, long_side=1000)
        assert (full == reduced).mean() > 0.999

    def test_parts_that_are_damaged_are_outlined(self) -> None:
        part = FoundPart(name="hood", confidence=0.9, box=(100, 100, 900, 900), mask=ring((1000, 1000)))
        image = drawn(assessment((1000, 1000), finding("dent", (10, 10, 50, 50), part="hood"), parts=(part,)))
        assert 0 < share_of_colour(image, part_colour("hood"), within=40) < 0.02  # a line so thin is smoothed at its sides
        sound = drawn(assessment((1000, 1000), finding("dent", (10, 10, 50, 50)), parts=(part,)))
        assert share_of_colour(sound, part_colour("hood"), within=40) == 0
        assert share_of_colour(image, (128, 128, 128)) > 0.9

    def test_degenerate_boxes_and_boxes_at_the_edge(self) -> None:
        boxes: list[Box] = [(0, 0, 0, 0), (999, 999, 1000, 1000), (1000, 1000, 1000, 1000), (-5, -5, 2000, 2000)]
        for box in boxes:
            for mask in (None, rle_encode(np.zeros((1000, 1000), bool))):
                drawn(assessment((1000, 1000), finding("dent", box, mask)))


class TestLabels:
    def labels(self, told: Assessment, monkeypatch: pytest.MonkeyPatch) -> list[draw._Label]:
        """Those that a drawing holds, taken where they are placed."""
        placed: list[draw._Label] = []
        place = draw._place_label

        def listening(*arguments: Any) -> draw._Label:
            placed.append(place(*arguments))
            return placed[-1]

        monkeypatch.setattr(draw, "_place_label", listening)
        drawn(told)
        return placed

    def test_what_a_label_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = assessment(
            (1000, 1000),
            finding("dent", (400, 400, 600, 600), part="front_left_door"),
            finding("glass_shatter", (100, 700, 300, 900), confidence=0.5),
        )
        assert [label.text for label in self.labels(told, monkeypatch)] == ["dent 81 % · front left door", "shattered glass 50 %"]

    def test_labels_stay_in_the_picture(self, monkeypatch: pytest.MonkeyPatch) -> None:
        corners = [(0, 0, 30, 30), (970, 0, 1000, 30), (0, 970, 30, 1000), (970, 970, 1000, 1000), (0, 0, 1000, 1000)]
        told = assessment((1000, 1000), *(finding("broken_part", corner, part="back_left_light") for corner in corners))
        side = drawn(told).shape[1]
        for label in self.labels(told, monkeypatch):
            left, top, right, bottom = label.box
            assert 0 <= left < right <= side
            assert 0 <= top < bottom <= side

    def test_labels_of_neighbours_do_not_cover_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = assessment(
            (1000, 1000),
            *(finding("scratch", (300 + 40 * n, 500, 330 + 40 * n, 540), part="hood", confidence=0.9 - n / 10) for n in range(5)),
        )
        boxes = [label.box for label in self.labels(told, monkeypatch)]
        assert all(draw._overlap(a, b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])

    def test_text_is_dark_on_light_colours_and_light_on_dark_ones(self) -> None:
        assert draw._text_colour((240, 228, 66)) == (0, 0, 0)
        assert draw._text_colour((0, 114, 178)) == (255, 255, 255)


class TestCaption:
    @pytest.mark.parametrize(
        ("told", "words"),
        [
            (assessment((10, 10)), "no damage found"),
            (assessment((10, 10), vehicle=Presence(present=False, confidence=0.9)), "no vehicle"),
            (assessment((10, 10), vehicle=None, damage=None), "no damage found"),
            (
                assessment((10, 10), damage=Presence(present=True, confidence=0.9)),
                "perhaps damaged: no damage is marked",
            ),
            (assessment((10, 10), finding("dent", (0, 0, 1, 1))), "1 finding: 1 dent · minor"),
            (
                assessment((10, 10), *[finding("scratch", (0, 0, 1, 1))] * 2, finding("dent", (0, 0, 1, 1)), severity=None),
                "3 findings: 2 scratches, 1 dent",
            ),
            (
                assessment((10, 10), finding("dent", (0, 0, 1, 1)), vehicle=Presence(present=False, confidence=0.9)),
                "no vehicle · 1 finding: 1 dent · minor",
            ),
            (assessment((10, 10), types=()), "no damage found"),
            (
                assessment((10, 10), types=(DENT_OF_PHOTO,), damage=Presence(present=True, confidence=0.9)),
                "as a whole: dent 93 %, no place is marked",
            ),
            (
                assessment((10, 10), finding("scratch", (0, 0, 1, 1)), types=(DENT_OF_PHOTO,)),
                "1 finding: 1 scratch · minor · as a whole: dent",
            ),
        ],
    )
    def test_the_verdict_in_words(self, told: Assessment, words: str) -> None:
        captions = draw._captions(told)
        assert captions[0] == words
        assert captions == sorted(captions, key=len, reverse=True)

    def test_what_needs_a_look_says_so(self) -> None:
        told = {needed: drawn(assessment((750, 1000), review=Review(needed=needed))) for needed in (True, False)}
        assert share_of_colour(told[True][755:], draw._CHECK_GROUND) > 0.05
        assert share_of_colour(told[False][755:], draw._CHECK_GROUND) == 0


def test_the_same_photo_gives_the_same_bytes() -> None:
    told = assessment((500, 700), finding("dent", (100, 100, 300, 300), part="hood"), review=Review(needed=True))
    assert encode_jpeg(drawn(told), 90) == encode_jpeg(drawn(told), 90)


def test_a_jpeg_keeps_colours_and_size(pixels: Pixels) -> None:
    data = encode_jpeg(pixels, 95)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        assert np.abs(np.asarray(picture).astype(int) - pixels).mean() < 3
    assert len(encode_jpeg(pixels, 30)) < len(data)

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
    AnswerSettings,
    Assessment,
    Box,
    BundleIdentity,
    Finding,
    FoundPart,
    Mask,
    PartOfFinding,
    Photo,
    Presence,
    Quality,
    ReportLine,
    Review,
    Severity,
)
from dentify.certainty import CERTAINTIES
from dentify.imaging import draw
from dentify.imaging.draw import draw_assessment, encode_jpeg
from dentify.imaging.masks import rle_encode
from dentify.languages import in_language
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, RGB, damage_colour

Pixels = NDArray[np.uint8]
MINOR = Severity(level="minor", confidence=0.8)
CLEAR, PROBABLE, POSSIBLE = 0.95, 0.81, 0.3  # confidences


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


def finding(
    type_name: str, box: Box, mask: Mask | None = None, *, part: str = "", confidence: float = PROBABLE, number: int = 1
) -> Finding:
    on = (PartOfFinding(name=part, confidence=0.7, share_of_finding=1.0, share_of_part=0.1),) if part else ()
    return Finding(
        id=number, type=type_name, confidence=confidence, box=box, mask=mask, area_share=0.1, parts=on, severity=MINOR
    )  # fmt: skip


def drawn(told: Assessment, *, long_side: int = 2000, scale: float = 1.0, grey: int = 128, parts: bool = False) -> Pixels:
    photo = np.full((round(scale * told.photo.height), round(scale * told.photo.width), 3), grey, np.uint8)
    return draw_assessment(photo, told, settings=Settings(photo_long_side=long_side), parts=parts)


def disc(hw: tuple[int, int], centre_yx: tuple[float, float], radius: float) -> Mask:
    y, x = np.mgrid[: hw[0], : hw[1]]
    return rle_encode(np.hypot(y - centre_yx[0], x - centre_yx[1]) < radius)


SQUARE = (1000, 1000)
DISC = disc(SQUARE, (500, 500), 300)
AROUND_DISC = (200, 200, 800, 800)


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

    def test_the_picture_keeps_its_shape_above_the_bar(self) -> None:
        line = ReportLine(kind="verdict", text="Nothing found: probably undamaged.", sources=("damage",))
        image = drawn(assessment((750, 1000), report_lines=(line,)))
        assert image.shape[1] == 1000
        assert image.shape[0] > 750
        assert (image[:750] == 128).all()
        assert (image[755:] != 128).any(axis=2).all()

    def test_nothing_to_say_takes_no_room(self) -> None:
        assert drawn(assessment((750, 1000))).shape == (750, 1000, 3)

    def test_the_photo_is_not_written_to(self) -> None:
        photo = np.full((1000, 1000, 3), 128, np.uint8)
        draw_assessment(photo, assessment((1000, 1000), finding("dent", (1, 1, 900, 900))), settings=Settings())
        assert (photo == 128).all()


class TestFindings:
    @pytest.mark.parametrize("grey", [0, 255])
    @pytest.mark.parametrize("confidence", [CLEAR, PROBABLE, POSSIBLE])
    @pytest.mark.parametrize("type_name", [*DAMAGE_NAMES, "hail_mark"])
    def test_every_type_is_seen_on_black_and_on_white(self, type_name: str, confidence: float, grey: int) -> None:
        told = assessment(SQUARE, finding(type_name, (300, 300, 700, 700), confidence=confidence))
        assert share_of_colour(drawn(told, grey=grey)[200:800], damage_colour(type_name)) > 0.002

    @pytest.mark.parametrize(("confidence", "tint"), [(CLEAR, 0.34), (PROBABLE, 0.26), (POSSIBLE, 0.15)])
    def test_a_mask_is_tinted_the_more_the_surer_it_is_and_its_hole_is_not(self, confidence: float, tint: float) -> None:
        told = assessment(SQUARE, finding("dent", (100, 100, 900, 900), ring(SQUARE), confidence=confidence))
        image = drawn(told)
        scale = image.shape[1] / 1000
        on, hole, beside = (image[round(y * scale), round(x * scale)] for y, x in ((500, 200), (500, 500), (130, 130)))
        expected = (1 - tint) * 128 + tint * np.array(damage_colour("dent"))
        np.testing.assert_allclose(on, expected, atol=2)
        assert hole.tolist() == beside.tolist() == [128, 128, 128]

    def test_outlines_of_holes_are_drawn(self) -> None:
        told = assessment(SQUARE, finding("dent", (100, 100, 900, 900), ring(SQUARE)))
        image = drawn(told)
        scale = image.shape[1] / 1000
        inner_edge = image[round(500 * scale), round(690 * scale) : round(712 * scale)]
        assert (np.abs(inner_edge.astype(int) - damage_colour("dent")).max(axis=1) <= 3).any()

    def test_the_line_says_how_sure_it_is(self) -> None:
        """Heavy, plain, dashed: ever less of a circle is in the type's colour."""
        shares = [
            share_of_colour(drawn(assessment(SQUARE, finding("dent", AROUND_DISC, DISC, confidence=sure))), damage_colour("dent"))
            for sure in (CLEAR, PROBABLE, POSSIBLE)
        ]
        assert shares[0] > 1.3 * shares[1]
        assert shares[1] > 1.3 * shares[2] > 0

    def test_the_stairs_of_a_coarse_mask_are_smoothed(self) -> None:
        """The outline of a disc in cells of 40 pixels lies nearer to the disc than the mask's own pixels do."""
        y, x = np.mgrid[:25, :25]
        coarse = np.kron(np.hypot(y - 12, x - 12) < 8, np.ones((40, 40))).astype(bool)
        told = finding("dent", (0, 0, 1000, 1000), rle_encode(coarse))
        photo = np.zeros((1000, 1000, 3), np.uint8)
        (smooth,) = draw._outlines(told, (1.0, 1.0), photo)
        turns = np.diff(np.unwrap(np.arctan2(*np.diff(smooth[::10], axis=0).T)))
        assert np.abs(turns).max() < np.pi / 3  # a stair turns by a right angle
        assert draw._area(smooth) == pytest.approx(coarse.sum(), rel=0.03)

    def test_what_is_small_gets_a_ring(self) -> None:
        small, large = disc(SQUARE, (500, 500), 6), disc(SQUARE, (500, 500), 60)
        ringed = drawn(assessment(SQUARE, finding("tire_flat", (494, 494, 506, 506), small)))
        far = ringed[470:531, 470:531].copy()
        far[14:47, 14:47] = 0  # the ring alone, 16 pixels and more from the middle
        assert share_of_colour(far, damage_colour("tire_flat")) > 0.005
        plain = drawn(assessment(SQUARE, finding("tire_flat", (440, 440, 560, 560), large)))
        assert share_of_colour(plain[470:531, 470:531], damage_colour("tire_flat")) == 0

    def test_coordinates_are_those_of_the_full_photo(self) -> None:
        """The same findings on the photo and on a reduced one are drawn at the same places."""
        told = assessment((2000, 2000), finding("scratch", (1200, 400, 1800, 900)))
        full, reduced = drawn(told, long_side=1000), drawn(told, scale=0.5, long_side=1000)
        assert (full == reduced).mean() > 0.999

    def test_parts_are_drawn_on_request_only(self) -> None:
        part = FoundPart(name="hood", confidence=0.9, box=AROUND_DISC, mask=DISC)
        told = assessment(SQUARE, finding("dent", (10, 10, 50, 50), part="hood"), parts=(part,))
        without, outlined = drawn(told), drawn(told, parts=True)
        across = slice(190, 900)
        assert (without[across, across] == 128).all()
        white = share_of_colour(outlined[across, across], draw.PART_COLOUR, within=40)
        assert 0 < white < 0.02
        assert share_of_colour(outlined[across, across], (128, 128, 128)) > 0.9
        middle = outlined[480:520, 470:530]
        assert share_of_colour(middle, draw.PART_COLOUR, within=40) > 0.02  # its name

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
            finding("glass_shatter", (100, 700, 300, 900), confidence=0.4, number=2),
        )
        assert [label.text for label in self.labels(told, monkeypatch)] == ["1 · dent, probable", "2 · shattered glass, possible"]

    def test_a_label_in_german(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = assessment(SQUARE, finding("glass_shatter", (100, 700, 300, 900)), settings=AnswerSettings(language="de"))
        assert [label.text for label in self.labels(told, monkeypatch)] == ["1 · zersplittertes Glas, wahrscheinlich"]

    def test_a_crowd_has_numbers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        crowd = [
            finding("broken_part", (480 + 6 * n, 480, 520 + 6 * n, 520), number=n, confidence=1 - n / 100) for n in range(1, 40)
        ]
        texts = [label.text for label in self.labels(assessment((400, 1000), *crowd), monkeypatch)]
        assert texts[0] == "1 · broken or missing part, clear"
        assert texts[-1] == "39"

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


class TestBar:
    VERDICT = ReportLine(kind="verdict", text="Look closely: clearly damaged.", sources=("damage",))
    POOR = ReportLine(kind="quality", text="Take a better photo: this one is too dark.", sources=("quality",))

    def test_it_says_what_the_report_says_to_do(self) -> None:
        told = assessment((10, 10), finding("dent", (0, 0, 1, 1)), report_lines=(self.POOR, self.VERDICT))
        assert draw._captions(told, in_language("en")) == ["Look closely: clearly damaged.", "Look closely"]
        blank = assessment((10, 10), report_lines=(self.POOR,))
        assert draw._captions(blank, in_language("en"))[0] == self.POOR.text

    def test_an_answer_of_before_is_counted(self) -> None:
        told = assessment((10, 10), *[finding("scratch", (0, 0, 1, 1))] * 2, finding("dent", (0, 0, 1, 1)))
        assert draw._captions(told, in_language("en")) == ["Two scratches and one dent."]

    def test_types_of_the_photo_are_told_where_no_finding_shows_them(self) -> None:
        types = ReportLine(kind="types", text="As a whole: dent – clear.", sources=("types",))
        lines = (self.VERDICT, types)
        told = assessment((10, 10), report_lines=lines)
        assert draw._captions(told, in_language("en"))[0] == f"{self.VERDICT.text} {types.text}"
        told = assessment((10, 10), finding("dent", (0, 0, 1, 1)), report_lines=lines)
        assert draw._captions(told, in_language("en"))[0] == self.VERDICT.text

    def test_the_legend_explains_what_is_drawn_and_no_more(self) -> None:
        part = FoundPart(name="hood", confidence=0.9, box=(0, 0, 9, 9), mask=None)
        told = assessment(
            (10, 10),
            finding("scratch", (0, 0, 1, 1), confidence=POSSIBLE),
            finding("dent", (0, 0, 1, 1), confidence=CLEAR),
            finding("scratch", (0, 0, 1, 1), confidence=CLEAR),
            parts=(part,),
        )
        legend = draw._legend(told, in_language("en"), parts=False)
        assert [entry.text for entry in legend] == ["scratch", "dent", "clear", "possible"]
        assert [entry.colour for entry in legend[:2]] == [damage_colour("scratch"), damage_colour("dent")]
        assert [entry.text for entry in draw._legend(told, in_language("en"), parts=True)][-1] == "part"
        assert draw._legend(assessment((10, 10), parts=(part,)), in_language("en"), parts=False) == []

    def test_what_needs_a_look_has_a_sign(self) -> None:
        told = {
            needed: drawn(assessment((750, 1000), review=Review(needed=needed), report_lines=(self.VERDICT,)))
            for needed in (True, False)
        }
        assert share_of_colour(told[True][755:], draw._CHECK_GROUND) > 0.005
        assert share_of_colour(told[False][755:], draw._CHECK_GROUND) == 0

    def test_a_long_verdict_is_wrapped_and_one_too_long_is_cut_to_what_to_do(self) -> None:
        long = self.VERDICT.model_copy(update={"text": "Look closely: " + ", ".join(["clearly damaged"] * 12) + "."})
        rows = {width: draw._bar(self.told(long), in_language("en"), width, 1000, parts=False).verdict for width in (1800, 400)}
        assert len(rows[1800]) == 2
        assert " ".join(rows[1800]) == long.text
        assert rows[400] == ("Look closely",)

    def test_a_bar_without_room_is_left_out(self) -> None:
        assert draw._bar(self.told(self.VERDICT), in_language("en"), 60, 1000, parts=False).height == 0

    def told(self, line: ReportLine) -> Assessment:
        return assessment((10, 10), report_lines=(line,))

    def test_umlauts_are_drawn(self) -> None:
        """A letter that a font lacks is drawn as its box, the same for all such letters."""
        font = draw._font(20)
        letters = "äöüÄÖÜßéğışçŁếЖΩ×–·"
        shapes = {font.getmask(letter).getbbox() and bytes(font.getmask(letter)) for letter in letters}
        assert len(shapes) == len(letters)
        assert bytes(font.getmask("\ufffe")) not in shapes


def seen_by(colour: RGB, kind: str) -> NDArray[np.float64]:
    """A colour as people see it who lack a kind of cone. Source: Machado et al. 2009, severity 1, on linear RGB."""
    matrix = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        "all": np.eye(3).tolist(),
    }[kind]
    linear = (np.array(colour) / 255) ** 2.2
    return 255 * np.clip(np.array(matrix) @ linear, 0, 1) ** (1 / 2.2)


class TestColours:
    @pytest.mark.parametrize("kind", ["all", "protan", "deutan"])
    def test_types_and_parts_are_told_apart(self, kind: str) -> None:
        colours = [draw.PART_COLOUR, *(damage_colour(name) for name in DAMAGE_NAMES)]
        seen = [seen_by(colour, kind) for colour in colours]
        apart = [float(np.abs(a - b).max()) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(apart) > 25

    @pytest.mark.parametrize("colour", [draw.PART_COLOUR, *(damage_colour(name) for name in DAMAGE_NAMES)])
    def test_lines_stand_out_from_their_casing_and_the_casing_from_white(self, colour: RGB) -> None:
        """By three to one, as WCAG 2.1 asks of what is no text (1.4.11)."""
        casing = draw.luminance(draw.CASING) + 0.05
        assert (draw.luminance(colour) + 0.05) / casing >= 3
        assert 1.05 / casing >= 3

    def test_every_certainty_has_a_tint(self) -> None:
        assert set(draw._TINTS) == set(CERTAINTIES)


def test_the_same_photo_gives_the_same_bytes() -> None:
    told = assessment((500, 700), finding("dent", (100, 100, 300, 300), part="hood"), review=Review(needed=True))
    assert encode_jpeg(drawn(told), 90) == encode_jpeg(drawn(told), 90)


def test_a_jpeg_keeps_colours_and_size(pixels: Pixels) -> None:
    data = encode_jpeg(pixels, 95)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        assert np.abs(np.asarray(picture).astype(int) - pixels).mean() < 3
    assert len(encode_jpeg(pixels, 30)) < len(data)

"""The loop of `dentify assess`: photos from `sources` through an `Assessor` into a sink of `sinks`.

    assessor = dentify.load()
    with FolderSink("out", formats=("json", "photo"), damage_types=assessor.bundle.manifest.counted_types) as sink:
        for outcome in assess_photos(iter_photos(["photos"]), assessor, sink):
            if outcome.error:
                print(outcome.message)

Nothing of a photo stays in memory once its outcome was given, so ten thousand photos need no more than ten.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter

from dentify.arrays import Photo
from dentify.assessment import Assessment
from dentify.assessor import Assessor, answer_settings
from dentify.errors import DentifyError, OutputError
from dentify.imaging.decode import DecodedPhoto, decode_photo
from dentify.in_order import map_in_order
from dentify.results.pictures import LARGE_SIDE, PagePictures, finding_crops, page_pictures
from dentify.settings import Settings
from dentify.sinks import Conditions, Format, Result, Sink, concerns_one_photo
from dentify.sources import SourcePhoto
from dentify.summary import Timings
from dentify.version import __version__


@dataclass(frozen=True)
class Outcome:
    """What became of one photo: an assessment that was written or (`kept`) was there already, or an error."""

    photo: SourcePhoto
    assessment: Assessment | None = None
    kept: bool = False
    error: Exception | None = None

    @property
    def message(self) -> str:
        """The error on one line; empty where there is none."""
        if self.error is None:
            return ""
        if isinstance(self.error, DentifyError):
            return str(self.error)
        told = " ".join(f"{type(self.error).__name__}: {self.error}".split())
        return f"{self.photo.where}: a fault of Dentify's own, please report it ({told})"


def conditions(assessor: Assessor, *, score_threshold: float | None = None, gates: bool = True) -> Conditions:
    """What answers depend on beside the photos: a `FolderSink` that resumes keeps those given under the same conditions."""
    language, tiles = assessor.settings.language, assessor.settings.tiles
    settings = answer_settings(score_threshold, gates=gates, language=language, tiles=tiles)
    return Conditions(assessor.bundle.sha256, settings, __version__)


def assess_photos(
    photos: Iterable[SourcePhoto],
    assessor: Assessor,
    sink: Sink,
    *,
    workers: int = 2,
    score_threshold: float | None = None,
    gates: bool = True,
    draw_parts: bool = False,
) -> Iterator[Outcome]:
    """Assesses photos and writes each result before its outcome is given: lazily, in order, reading and writing overlapped.

    Args:
        photos: what `iter_photos` gives.
        assessor: with the bundle to use.
        sink: entered already.
        workers: photos in work at a time; each needs memory for its pixels.
        score_threshold: as in `Assessor.assess`.
        gates: as in `Assessor.assess`.
        draw_parts: outline the parts in view on annotated photos, too.

    Yields:
        One outcome a photo. A photo that fails does not end the run.

    Raises:
        OutputError: results can no longer be written, as on a full disk.
    """

    def work(item: tuple[SourcePhoto, OutputError | None]) -> Result | Assessment | Exception:
        photo, in_the_way = item
        if in_the_way is not None:
            return in_the_way
        try:
            started = perf_counter()
            data = photo.read()
            earlier = sink.earlier(photo.name, data)
            if earlier is not None:
                return earlier
            have_read = perf_counter()
            decoded = assessor.decode(data, name=photo.where)
            look = assessor.look(decoded, name=photo.name)  # and told without the photo, which an answer on its way would hold
            assessment = assessor.tell(look, score_threshold=score_threshold, gates=gates)
            have_assessed = perf_counter()
            pictures = drawn_pictures(data, decoded, assessment, sink.wants, settings=assessor.settings, parts=draw_parts)
        except Exception as error:  # one photo that trips a bug of ours must not cost the other ten thousand
            return error
        draw_ms = None if pictures == Pictures() else (perf_counter() - have_assessed) * 1000
        timings = Timings((have_read - started) * 1000, (have_assessed - have_read) * 1000, draw_ms)
        return Result(assessment, pictures.drawn, timings, pictures.page, pictures.crops)

    with closing(map_in_order(work, _reserved(photos, sink), workers=workers)) as done:  # type: ignore[type-var]  # a generator
        for (photo, in_the_way), answer in done:
            yield _written(photo, answer, sink, reserved=in_the_way is None and photo.error is None)


def _written(photo: SourcePhoto, answer: Result | Assessment | Exception, sink: Sink, *, reserved: bool) -> Outcome:
    if isinstance(answer, Result):
        try:
            sink.write(answer)
        except OutputError as error:
            if not concerns_one_photo(error):
                raise
            answer = error
        else:
            return Outcome(photo, answer.assessment)
    if isinstance(answer, Assessment):
        sink.keep(answer)
        return Outcome(photo, answer, kept=True)
    outcome = Outcome(photo, error=_without_locals(answer))
    if reserved and not isinstance(answer, OutputError):
        sink.discard(photo.name)
    sink.fail(photo.name, type(answer).__name__, outcome.message)
    return outcome


def _without_locals(error: Exception) -> Exception:
    """An error whose traceback tells lines alone: its frames would hold the photo's bytes and pixels until Python finds them."""
    one: BaseException | None = error
    while one is not None:
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__
    return error


@dataclass(frozen=True)
class Pictures:
    """Pictures of one photo that results hold: with its assessment drawn on, plain for the page, and of each finding."""

    drawn: bytes | None = None
    page: PagePictures | None = None
    crops: Mapping[int, bytes] = field(default_factory=dict)


def drawn_pictures(
    data: bytes,
    decoded: DecodedPhoto,
    assessment: Assessment,
    wanted: Collection[Format],
    *,
    settings: Settings,
    parts: bool = False,
) -> Pictures:
    """The pictures that some formats need.

    The photo is decoded again where it was decoded too small for them: what the network sees must not depend on whether a picture
    of the result is asked for, or the answer would.

    Args:
        data: the photo's file.
        decoded: the same, as it was assessed.
        assessment: of it.
        wanted: formats.
        settings: how large annotated photos are, and their quality.
        parts: outline the parts in view on the annotated photo.
    """
    page, drawn, crops = "page" in wanted, "photo" in wanted, "crops" in wanted and bool(assessment.findings)
    if not (page or drawn or crops):
        return Pictures()
    side = settings.photo_long_side if drawn or crops else LARGE_SIDE
    image = _large_enough(data, decoded, max(side, LARGE_SIDE if page else 0), assessment, settings)
    annotated = None
    if drawn:
        from dentify.imaging.draw import draw_assessment, encode_jpeg  # fonts and drawing, which most single photos do without

        annotated = encode_jpeg(draw_assessment(image, assessment, settings=settings, parts=parts), settings.photo_jpeg_quality)
    return Pictures(
        annotated,
        page_pictures(image) if page else None,
        finding_crops(image, assessment, quality=settings.photo_jpeg_quality) if crops else {},
    )


def _large_enough(data: bytes, decoded: DecodedPhoto, side: int, assessment: Assessment, settings: Settings) -> Photo:
    """The photo with a longer side of so many pixels or more, where it has them."""
    long_side, short_side = max(decoded.photo_hw), min(decoded.photo_hw)
    wanted = min(side, long_side)
    if max(decoded.image.shape[:2]) >= wanted:
        return decoded.image
    enough_side = max(1, round(short_side * wanted / long_side))
    return decode_photo(data, where=assessment.photo.name, settings=settings, enough_side=enough_side).image


def _reserved(photos: Iterable[SourcePhoto], sink: Sink) -> Iterator[tuple[SourcePhoto, OutputError | None]]:
    for photo in photos:
        try:
            if photo.error is None:
                sink.reserve(photo.name, photo.where)
        except OutputError as error:
            yield photo, error
        else:
            yield photo, None

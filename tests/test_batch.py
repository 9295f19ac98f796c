"""The loop from sources to sinks, with a real assessor on the tiny bundle."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb

import pytest
from PIL import Image

from dentify.assessor import Assessor, load
from dentify.batch import Outcome, assess_photos, conditions, drawn_pictures
from dentify.errors import ImageError, OutputError
from dentify.imaging.decode import decode_photo
from dentify.results.pictures import LARGE_SIDE, SMALL_SIDE
from dentify.settings import Settings
from dentify.sinks import FolderSink, Format, StreamSink
from dentify.sources import SourcePhoto, iter_photos
from dentify.testing import TYPES, Damage, paint_photo, tiny_bundle


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> Assessor:
    return load(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"), threads=1)


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def encoded(*, size_hw: tuple[int, int] = (128, 192), kind: str = "PNG") -> bytes:
    image = paint_photo(
        size_hw=size_hw, parts={"hood": (0.125, 0.125, 0.875, 0.875)}, damages=[Damage("dent", (0.25, 0.25, 0.5, 0.5))]
    )
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def photo(name: str, data: bytes | Exception) -> SourcePhoto:
    def read() -> bytes:
        if isinstance(data, Exception):
            raise data
        return data

    return SourcePhoto(name, f"photos/{name}", read)


def folder(*, formats: tuple[Format, ...] = ("json",), **options: object) -> FolderSink:
    return FolderSink("out", formats=formats, damage_types=TYPES, **options)  # type: ignore[arg-type]


def all_outcomes(assessor: Assessor, *photos: SourcePhoto, sink: FolderSink | None = None, **options: object) -> list[Outcome]:
    with sink or folder() as opened:
        return list(assess_photos(photos, assessor, opened, **options))  # type: ignore[arg-type]


def test_each_photo_has_an_outcome_in_order(assessor: Assessor) -> None:
    broken = ImageError("photos/b.png: broken")
    outcomes = all_outcomes(assessor, photo("a.png", encoded()), photo("b.png", broken), photo("c.png", encoded()), workers=3)
    assert [(outcome.photo.name, outcome.message) for outcome in outcomes] == [
        ("a.png", ""),
        ("b.png", "photos/b.png: broken"),
        ("c.png", ""),
    ]
    assert [outcome.assessment is None for outcome in outcomes] == [False, True, False]
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "a.json",
        "c.json",
        "errors.jsonl",
        "findings.csv",
        "summary.csv",
    ]


def test_errors_say_where_the_photo_is_not_what_it_is_called(assessor: Assessor) -> None:
    (outcome,) = all_outcomes(assessor, photo("a.png", b""))
    assert outcome.message.startswith("photos/a.png: the file is empty")


def test_a_bug_costs_one_photo_and_asks_to_be_reported(assessor: Assessor) -> None:
    outcomes = all_outcomes(assessor, photo("a.png", KeyError("gone\nwrong")), photo("b.png", encoded()))
    assert outcomes[0].message == "photos/a.png: a fault of Dentify's own, please report it (KeyError: 'gone\\nwrong')"
    assert outcomes[1].error is None


def test_an_error_holds_nothing_of_its_photo_and_still_says_where_it_was_raised(assessor: Assessor) -> None:
    (outcome,) = all_outcomes(assessor, photo("a.png", encoded()[:60]))
    assert outcome.error is not None
    frames = [frame for one in (outcome.error, outcome.error.__cause__) for frame, _ in walk_tb(one and one.__traceback__)]
    assert {"work", "decode_photo"} <= {frame.f_code.co_name for frame in frames}
    assert not [frame for frame in frames if frame.f_code.co_name in ("work", "decode_photo") and frame.f_locals]


def test_photos_are_worked_on_at_once(assessor: Assessor) -> None:
    """One after the other, the first would wait for the second for ever."""
    barrier = threading.Barrier(2)

    def read() -> bytes:
        barrier.wait(timeout=10)
        return encoded()

    outcomes = all_outcomes(assessor, *(SourcePhoto(name, name, read) for name in ("a.png", "b.png")), workers=2)
    assert [outcome.error for outcome in outcomes] == [None, None]


def test_only_a_few_photos_are_taken_ahead(assessor: Assessor) -> None:
    taken = 0

    def endless() -> Iterator[SourcePhoto]:
        nonlocal taken
        while True:
            taken += 1
            yield photo(f"{taken}.png", encoded())

    with folder() as sink:
        outcomes = assess_photos(endless(), assessor, sink, workers=2)
        for _ in range(5):
            next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
    assert taken <= 5 + 3


def test_a_photo_in_the_way_of_another_fails_before_it_is_read(assessor: Assessor) -> None:
    outcomes = all_outcomes(assessor, photo("a.png", encoded()), photo("a.jpg", AssertionError("read")))
    assert isinstance(outcomes[1].error, OutputError)


def test_a_result_that_cannot_be_placed_costs_one_photo(assessor: Assessor) -> None:
    Path("out/a").mkdir(parents=True)
    Path("out/a/b").write_text("a file where a folder has to be")
    outcomes = all_outcomes(assessor, photo("a/b/c.png", encoded()), photo("d.png", encoded()))
    assert outcomes[0].message == "out/a/b/c.json: cannot be written: Not a directory"
    assert outcomes[1].error is None


def test_what_is_done_is_kept_without_being_decoded(assessor: Assessor) -> None:
    all_outcomes(assessor, photo("a.png", encoded()))
    sink = folder(resume=conditions(assessor))
    (outcome,) = all_outcomes(assessor, photo("a.png", encoded()), sink=sink)
    assert outcome.kept
    assert outcome.assessment is not None
    sink = folder(resume=conditions(assessor, gates=False))
    (outcome,) = all_outcomes(assessor, photo("a.png", encoded()), sink=sink, gates=False)
    assert not outcome.kept


def test_the_answer_does_not_depend_on_whether_a_picture_of_it_is_wanted(assessor: Assessor) -> None:
    data = encoded(size_hw=(1024, 1536), kind="JPEG")
    with_photo = all_outcomes(assessor, photo("a.jpg", data), sink=folder(formats=("json", "photo")))
    stream = io.StringIO()
    with StreamSink(stream=stream) as sink:
        without = list(assess_photos([photo("a.jpg", data)], assessor, sink))
    assert with_photo[0].assessment == without[0].assessment


@pytest.mark.parametrize(("size_hw", "long_side"), [((1024, 1536), 1536), ((3000, 4000), 2000)])
def test_the_drawing_is_as_large_as_allowed_however_coarsely_the_network_sees(
    size_hw: tuple[int, int], long_side: int, assessor: Assessor
) -> None:
    data = encoded(size_hw=size_hw, kind="JPEG")
    decoded = assessor.decode(data)
    assert max(decoded.image.shape) < long_side
    assessment = assessor.assess(decoded, name="a.jpg")
    pictures = drawn_pictures(data, decoded, assessment, {"photo", "page"}, settings=assessor.settings)
    assert pictures.drawn is not None
    assert pictures.page is not None
    assert max(decode_photo(pictures.drawn, where="drawn", settings=Settings()).photo_hw) == long_side
    assert max(decode_photo(pictures.page.large, where="large", settings=Settings()).photo_hw) == LARGE_SIDE
    assert max(decode_photo(pictures.page.small, where="small", settings=Settings()).photo_hw) == SMALL_SIDE


def test_the_docstrings_example_works(assessor: Assessor) -> None:
    Path("photos").mkdir()
    Path("photos/a.png").write_bytes(encoded())
    types = assessor.bundle.manifest.taxonomy.damage_types
    with FolderSink("out", formats=("json", "photo"), damage_types=types) as sink:
        for outcome in assess_photos(iter_photos(["photos"]), assessor, sink):
            assert not outcome.error
    assert Path("out/a.photo.jpg").exists()


@pytest.mark.parametrize("how", ["overwrite", "resume"])
def test_a_photo_that_fails_now_keeps_no_earlier_answer(assessor: Assessor, how: str) -> None:
    all_outcomes(assessor, photo("a.png", encoded()), sink=folder(formats=("json", "photo")))
    Path("out/notes.json").write_text("{}")
    again = {"overwrite": True} if how == "overwrite" else {"resume": conditions(assessor)}
    gone = [photo("a.png", b"cut off"), photo("notes.png", b"cut off")]
    outcomes = all_outcomes(assessor, *gone, sink=folder(formats=("json", "photo"), **again))
    assert all(outcome.error is not None for outcome in outcomes)
    assert sorted(path.name for path in Path("out").iterdir()) == ["errors.jsonl", "findings.csv", "notes.json", "summary.csv"]

"""Results of made-up photos, in a folder `out` or a zip `out.zip` of the current folder."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from dentify.assessment import AnswerSettings, Assessment, BundleIdentity, Finding, Photo, Presence, Quality, Review, Severity
from dentify.errors import OutputError
from dentify.sinks import Conditions, FolderSink, Format, Result, ZipSink, concerns_one_photo
from dentify.summary import Timings

TYPES = ("dent", "scratch", "crack")
SAME = Conditions("b" * 64, AnswerSettings(), "0.1.0")
PIXELS = b"the photo's bytes"


def assessed(name: str, *types: str, photo: bytes = PIXELS, threshold: float | None = None) -> Assessment:
    findings = tuple(
        Finding(id=number, type=one, confidence=0.8, box=(0, 0, 1, 1), mask=None, area_share=0.1, severity=None)
        for number, one in enumerate(types, 1)
    )
    return Assessment(
        photo=Photo(name=name, sha256=sha256(photo).hexdigest(), width=640, height=480, captured_at=None),
        bundle=BundleIdentity(name="tiny", version="1", sha256="b" * 64),
        quality=Quality(usable=True, issues=("blurred",)),
        vehicle=Presence(present=True, confidence=0.9),
        damage=Presence(present=bool(types), confidence=0.9),
        findings=findings,
        severity=Severity(level="minor", confidence=0.5) if types else None,
        review=Review(needed=False),
        not_judged=("crack",),
        report=f"{len(types)} damages.",
        settings=AnswerSettings(score_threshold=threshold),
        dentify_version="0.1.0",
    )


def result(name: str, *types: str) -> Result:
    return Result(assessed(name, *types), b"\xff\xd8 drawn on", Timings(1, 20.25, 3))


def folder_sink(
    *, formats: Sequence[Format] = ("json", "photo"), overwrite: bool = False, resume: Conditions | None = None
) -> FolderSink:
    return FolderSink("out", formats=formats, damage_types=TYPES, overwrite=overwrite, resume=resume)


def zip_sink(*, overwrite: bool = False, resume: Conditions | None = None) -> ZipSink:
    return ZipSink("out.zip", formats=("json", "photo"), damage_types=TYPES, overwrite=overwrite, resume=resume)


def fill(sink: FolderSink | ZipSink, *names: str) -> None:
    with sink:
        for name in names:
            sink.reserve(name, name)
            sink.write(result(name, "dent"))


def break_off(sink: FolderSink | ZipSink) -> None:
    with sink:
        sink.write(result("a.jpg"))
        raise KeyboardInterrupt


def files(folder: str = "out") -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def rows() -> list[dict[str, str]]:
    with Path("out/summary.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_many(sink: FolderSink | ZipSink) -> None:
    with sink:
        for number in range(100):
            sink.write(Result(assessed(f"{number}.jpg"), os.urandom(5000)))


def fill_the_disk(sink: FolderSink | ZipSink) -> str:
    with pytest.raises(OutputError) as told:
        write_many(sink)
    assert not concerns_one_photo(told.value)
    assert isinstance(told.value.__cause__, OSError)
    assert told.value.__cause__.errno == errno.ENOSPC
    return str(told.value)

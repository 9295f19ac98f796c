"""Assessments into files, folders, zips and standard output.

A sink is told of every photo in turn: `reserve` before it is assessed (does something stand in its way?), then `write` with the
result. It is a context manager: leaving it normally finishes the results, leaving it by an error takes away what is unfinished.

    with FolderSink("out", formats=("json", "photo"), damage_types=types) as sink:
        sink.reserve("a/b.jpg", "photos/a/b.jpg")
        sink.write(Result(assessment, annotated_jpeg, Timings(…)))

A photo `a/b.jpg` becomes `a/b.json`, `a/b.photo.jpg` and `a/b.txt`, and two pictures in `index_files` for the page. Nothing is
ever half-written: files are written beside their place as `.NAME.part` and renamed when whole, so a killed run leaves at most
some `.part` files, which the next run replaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dentify.first_use import on_first_use

if TYPE_CHECKING:
    from dentify.sinks.file import FileSink
    from dentify.sinks.folder import FolderSink
    from dentify.sinks.names import FORMATS, Format, output_stem
    from dentify.sinks.sink import Conditions, Result, Sink, concerns_one_photo
    from dentify.sinks.stream import StreamSink
    from dentify.sinks.zip import ZipSink

__all__ = [
    "FORMATS",
    "Conditions",
    "FileSink",
    "FolderSink",
    "Format",
    "Result",
    "Sink",
    "StreamSink",
    "ZipSink",
    "concerns_one_photo",
    "output_stem",
]

_HOMES = {
    "Conditions": "dentify.sinks.sink",
    "FORMATS": "dentify.sinks.names",
    "FileSink": "dentify.sinks.file",
    "FolderSink": "dentify.sinks.folder",
    "Format": "dentify.sinks.names",
    "Result": "dentify.sinks.sink",
    "Sink": "dentify.sinks.sink",
    "StreamSink": "dentify.sinks.stream",
    "ZipSink": "dentify.sinks.zip",
    "concerns_one_photo": "dentify.sinks.sink",
    "output_stem": "dentify.sinks.names",
}

__getattr__ = on_first_use(__name__, _HOMES)

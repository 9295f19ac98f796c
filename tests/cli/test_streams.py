"""Standard streams: no escape sequences from any command, closed ones, and Ctrl-C more than once."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import Result

from dentify.cli.streams import PlainStream, plain_streams, raw_stream
from dentify.testing import tiny_bundle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="streams and signals as on Unix")

Dentify = Callable[..., Result]
Paint = Callable[..., Path]
EVIL = "\x1b[31mred\x1b]0;pwned\x07\x9b2J\u202etxt"
ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
COMMAND = f"{sys.executable} -c 'from dentify.cli import main; main()'"


@given(st.text())
def test_a_plain_stream_lets_no_control_character_through(text: str) -> None:
    stream = io.StringIO()
    PlainStream(stream).write(text)
    assert not ODD.search(stream.getvalue())
    if not ODD.search(text) and not re.search("[\u200e\u200f]", text):
        assert stream.getvalue() == io.StringIO(text, newline="").getvalue()


def test_json_with_odd_characters_stays_json() -> None:
    stream = io.StringIO()
    PlainStream(stream).write(json.dumps({"name": EVIL}, ensure_ascii=False))
    assert json.loads(stream.getvalue()) == {"name": EVIL}
    assert not ODD.search(stream.getvalue())


def test_streams_are_plain_within_and_as_they_were_after() -> None:
    before = sys.stdout
    with plain_streams(), plain_streams():
        assert raw_stream(sys.stdout) is before
    assert sys.stdout is before


@pytest.mark.parametrize(
    "arguments",
    [
        ("assess", f"{EVIL}.jpg"),
        ("assess", "photo.png", "--bundle", EVIL),
        ("assess", "photo.png", "--format", EVIL),
        ("assess", "photo.png", f"--{EVIL}"),
        ("assess", "photo.png", "--bundle", "evil"),
        (EVIL,),
        ("bundle", "info", "evil"),
        ("bundle", "verify", "evil"),
        ("bundle", "verify", f"missing{EVIL}"),
        ("dataset", "inspect", "ds", "-q"),
        ("dataset", "inspect", f"ds/{EVIL}.json", "-q"),
        ("dataset", "convert", "ds", "-o", "out", "--to", "coco", "-q"),
        ("dataset", "convert", "ds", "-o", "out", "--to", EVIL, "-q"),
        ("dataset", "inspect", "labels", "-q", "--skip-invalid"),
        ("evaluate", "ds", "--bundle", "tiny"),
    ],
    ids=lambda arguments: " ".join(arguments).encode("unicode_escape").decode()[:60],
)
def test_no_command_prints_escape_sequences(dentify: Dentify, paint: Paint, arguments: tuple[str, ...]) -> None:
    paint("photo.png", "dent")
    tiny_bundle("evil", name=EVIL, description=EVIL, licence=EVIL)
    tiny_bundle("tiny")
    Path("ds").mkdir()
    Path(f"ds/{EVIL}.json").write_text('{"x":[')
    Path("labels").mkdir()
    rows = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 900, 900]}]
    image = {"id": 1, "file_name": f"{EVIL}.png", "width": 192, "height": 128}
    Path(f"labels/{EVIL}.json").write_text(
        json.dumps({"images": [image], "annotations": rows, "categories": [{"id": 1, "name": EVIL}]})
    )
    paint(f"labels/{EVIL}.png", "dent")
    told = dentify(*arguments)
    assert not ODD.search(told.output)
    assert not ODD.search(told.stderr)
    assert "a fault of Dentify's own" not in told.output


def shell(command: str) -> tuple[int, str]:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("assess - --bundle tiny -q <&-", (1, "error: standard input: is closed; name a file, or pipe one photo into it\n")),
        ("assess photo.png --bundle tiny >&-", (1, "error: standard output: is closed; leave it open, or say with -o where")),
        ("bundle info tiny >&-", (1, "error: standard output: is closed; leave it open, or say with -o where results go\n")),
        ("--help >&-", (1, "error: standard output: is closed; leave it open, or say with -o where results go\n")),
        ("--version >/dev/full", (1, "error: standard output: ")),
        ("assess photo.png --bundle tiny -o out 2>&-", (0, "")),
        ("assess missing.png --bundle tiny -o out 2>&-", (1, "")),
        ("assess photo.png --bundle tiny -o out -q <&- >&- 2>&-", (0, "")),
    ],
)
def test_a_closed_stream_is_one_line_or_none(paint: Paint, command: str, expected: tuple[int, str]) -> None:
    paint("photo.png", "dent")
    tiny_bundle("tiny")
    code, told = shell(f"{COMMAND} {command}")
    assert code == expected[0]
    assert told.startswith(expected[1])
    assert told.count("\n") == expected[1][:1].count("e")
    for path in Path("out").glob("*.json"):
        json.loads(path.read_bytes())


def test_what_was_told_before_a_file_could_not_be_written_still_comes(paint: Paint) -> None:
    for number in range(6):
        paint(f"set/{('dent', 'scratch')[number % 2]}/{number}.png", "dent")
    Path("set/splits.csv").mkdir()
    code, told = shell(f"env -u PYTHONUNBUFFERED {COMMAND} dataset split set --overwrite 2>error")
    assert code == 1
    assert "scratch" in told
    assert Path("error").read_text().splitlines()[-1] == "error: set/splits.csv: cannot be written: Is a directory"


def test_what_a_decoder_prints_by_itself_is_not_seen() -> None:
    """libtiff tells into standard error, past Python, that a TIFF lacks the sizes of its strips."""
    tags = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1), (277, 3, 1, 1)]
    tags += [(322, 4, 1, 16), (323, 4, 1, 16), (324, 4, 16, 122)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    Path("a.tif").write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + b"\x08\0\0\0" * 16)
    tiny_bundle("tiny")
    code, told = shell(f"{COMMAND} assess a.tif --bundle tiny -q")
    assert (code, told.count("\n")) == (1, 1)
    assert told.startswith("error: a.tif: this TIFF is damaged (")


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.1])
def test_ctrl_c_twice_ends_as_once(paint: Paint, pause: float) -> None:
    photo = paint("photos/000.png", "dent").read_bytes()
    tiny_bundle("tiny")
    for number in range(1, 300):
        Path(f"photos/{number:03}.png").write_bytes(photo)
    process = subprocess.Popen(
        ["sh", "-c", f"exec {COMMAND} assess photos -o out --bundle tiny -q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 60
    while len(list(Path("out").glob("*.json"))) < 5:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    for _ in range(3):
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
        time.sleep(pause)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert re.fullmatch(r"interrupted: \d+ assessed, 0 failed; --resume finishes it\n", err)
    assert not list(Path("out").glob(".*"))

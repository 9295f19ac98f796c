"""Where commands write: never where another run does, and never onto what they read."""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import Result

from dentify.writing import locked, locked_folder

Dentify = Callable[..., Result]
Paint = Callable[..., Path]

HAS_ALL = all(find_spec(name) for name in ("apache_beam", "hotcoco", "scipy", "matplotlib", "jinja2", "yaml"))
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="locks as on Unix"),
    pytest.mark.skipif(not HAS_ALL, reason="needs the extras beam, evaluate and data"),
]


@pytest.fixture
def data(paint: Paint, bundle: Path) -> Path:
    """A photo with a dent, in COCO, and a bundle beside it."""
    paint("set/a.png", "dent")
    Path("set/labels.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.png", "width": 192, "height": 128}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [48, 32, 24, 16]}],
                "categories": [{"id": 1, "name": "dent"}],
            }
        )
    )
    Path("tiny").symlink_to(bundle)
    return Path("set")


def contents() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("assess", "set", "-o", "out", "--bundle", "tiny", "-q"),
        ("assess", "set", "-o", "out", "--bundle", "tiny", "-q", "--resume"),
        ("evaluate", "tiny", "set", "-o", "out"),
        ("evaluate", "tiny", "set", "-o", "out", "--overwrite"),
        ("compare", "tiny", "tiny", "set", "-o", "out"),
        ("dataset", "inspect", "set", "-o", "out"),
        ("dataset", "crops", "set", "-o", "out", "--overwrite", "--least-side", "8"),
        ("dataset", "preprocess", "set", "-o", "out", "--overwrite"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_second_run_into_a_folder_is_refused(dentify: Dentify, data: Path, arguments: tuple[str, ...]) -> None:
    with locked_folder(Path("out")):
        told = dentify(*arguments)
        assert (told.exit_code, told.stdout) == (1, "")
        assert told.stderr == "error: out: another run of Dentify writes there; wait for it, or write elsewhere\n"
    assert not Path("out").exists()
    assert dentify(*arguments).exit_code == 0
    assert not list(Path("out").glob(".*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("dataset", "convert", "set", "-o", "out", "--to", "coco"),
        ("dataset", "merge", "set", "set", "-o", "out"),
        ("dataset", "prelabel", "set/a.png", "-o", "out", "--to", "coco", "--bundle", "tiny"),
        ("bundle", "build", "roles.yaml", "-o", "out"),
        ("bundle", "build", "roles.yaml", "-o", "out.zip"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_second_run_to_a_name_that_is_not_there_yet_is_refused(
    dentify: Dentify, data: Path, arguments: tuple[str, ...]
) -> None:
    Path("roles.yaml").write_text("name: x\nversion: 1.0.0\nlicence: MIT\nroles: {damage_gate: [tiny]}\n")
    out = arguments[-1] if arguments[-1].startswith("out") else "out"
    with locked(Path(f"{out}.part")):
        told = dentify(*arguments)
        assert told.exit_code == 1
        assert "another run of Dentify writes there" in told.stderr
        assert not Path(out).exists()
    assert dentify(*arguments).exit_code == 0
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


REFUSED = re.compile(r"is read as an input|holds what is read|results and photos need places apart|is no bundle")


@pytest.mark.parametrize(
    "arguments",
    [
        ("dataset", "normalize", "set", "-o", "set/labels.json", "--overwrite"),
        ("dataset", "normalize", "set", "-o", "set/a.png", "--overwrite"),
        ("dataset", "normalize", "set", "-o", "link.json", "--overwrite"),
        ("dataset", "captions", "set", "-o", "set/labels.json", "--overwrite"),
        ("dataset", "captions", "set/labels.json", "-o", "link.json", "--overwrite"),
        ("dataset", "crops", "set", "-o", "set", "--overwrite"),
        ("dataset", "crops", "table", "-o", "table", "--overwrite"),
        ("dataset", "crops", "table/photos.csv", "-o", "table", "--overwrite"),
        ("dataset", "inspect", "named/inspection.json", "-o", "named", "--overwrite"),
        ("dataset", "inspect", "named", "-o", "named", "--overwrite"),
        ("dataset", "inspect", "set", "--labels", "mapped/labels.yaml", "-o", "mapped", "--overwrite"),
        ("dataset", "convert", "set", "-o", "set", "--to", "coco", "--overwrite"),
        ("dataset", "convert", "set", "-o", "mapped", "--to", "coco", "--labels", "mapped/labels.yaml", "--overwrite"),
        ("dataset", "merge", "set", "named/inspection.json", "-o", "set", "--overwrite"),
        ("dataset", "merge", "set", "named/inspection.json", "-o", "named", "--overwrite"),
        ("dataset", "merge", "set", "set", "-o", "mapped", "--labels", "mapped/labels.yaml", "--overwrite"),
        ("dataset", "normalize", "packed.zip", "-o", "packed.zip", "--overwrite"),
        ("dataset", "normalize", "packed.zip/labels.json", "-o", "packed.zip", "--overwrite"),
        ("dataset", "captions", "packed.zip", "-o", "packed.zip", "--overwrite"),
        ("dataset", "preprocess", "set", "-o", "set", "--overwrite"),
        ("dataset", "prelabel", "set/a.png", "-o", "set", "--to", "coco", "--overwrite"),
        ("evaluate", "tiny", "set", "-o", "set", "--overwrite"),
        ("evaluate", "tiny", "named/names.csv", "-o", "named", "--overwrite"),
        ("evaluate", "mine", "set", "-o", "mine", "--overwrite"),
        ("compare", "tiny", "tiny", "named/comparison.json", "-o", "named", "--overwrite"),
        ("bundle", "fit", "default", "--data", "set", "-o", "set", "--overwrite"),
        ("bundle", "quantize", "default", "--data", "set", "-o", "set", "--overwrite"),
        ("bundle", "build", "roles.yaml", "-o", "roles.yaml", "--overwrite"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_an_output_that_is_an_input_is_refused(dentify: Dentify, data: Path, bundle: Path, arguments: tuple[str, ...]) -> None:
    """Byte for byte, all is there after it as before."""
    for folder in ("named", "table"):
        Path(folder).mkdir()
        shutil.copy(data / "a.png", folder)
    for name in ("table/photos.csv", "named/names.csv"):
        Path(name).write_text("file,label\na.png,dent\n")
    for name in ("named/inspection.json", "named/comparison.json"):
        shutil.copy(data / "labels.json", name)
    Path("link.json").hardlink_to(data / "labels.json")
    Path("mapped").mkdir()
    Path("mapped/labels.yaml").write_text("labels: {dent: dent}\n")
    with zipfile.ZipFile("packed.zip", "w") as archive:
        for name in ("a.png", "labels.json"):
            archive.write(data / name, name)
    shutil.copytree(bundle, "mine")
    Path("roles.yaml").write_text("name: x\nversion: 1.0.0\nlicence: MIT\nroles: {damage_gate: [mine]}\n")
    before = contents()
    told = dentify(*arguments)
    assert told.exit_code == 1, told.output
    assert REFUSED.search(told.stderr)
    assert told.stderr.count("\n") == 1
    assert contents() == before


NOTE = "note: write it as -o out; from the next version on an output is given with -o alone\n"
LAST = [
    ("dataset", "convert", "set", "out", "--to", "coco"),
    ("dataset", "merge", "set", "table/photos.csv", "out"),
    ("dataset", "prelabel", "set/a.png", "out", "--to", "coco", "--bundle", "tiny"),
    ("dataset", "preprocess", "set", "out", "-q"),
]
"""Where outputs stood before `-o`."""


@pytest.fixture
def table(data: Path) -> None:
    """A second data set."""
    Path("table").mkdir()
    shutil.copy(data / "a.png", "table")
    Path("table/photos.csv").write_text("file,label\na.png,dent\n")


@pytest.mark.parametrize("arguments", LAST, ids=lambda arguments: arguments[1])
@pytest.mark.usefixtures("table")
def test_an_output_may_stand_last_for_one_version_with_a_line_that_says_how_to_write_it(
    dentify: Dentify, arguments: tuple[str, ...]
) -> None:
    told = dentify(*arguments)
    assert told.exit_code == 0, told.output
    assert told.stderr.startswith(NOTE)
    place = arguments.index("out")
    now = dentify(*arguments[:place], "-o", "now", *arguments[place + 1 :])
    assert now.exit_code == 0
    assert "-o" not in now.stderr
    assert contents_of("now") == contents_of("out")


def contents_of(folder: str) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize("arguments", [*LAST, ("dataset", "collect", "flickr", "out", "--query", "car", "-n", "1")], ids=str)
@pytest.mark.usefixtures("table")
def test_without_an_output_nothing_is_done(dentify: Dentify, arguments: tuple[str, ...]) -> None:
    told = dentify(*(one for one in arguments if one != "out"))
    assert (told.exit_code, told.stdout) == (2, "")
    assert re.search(r"^Error: Invalid value: -o is missing: say with it the folder (to make|for photos)$", told.stderr, re.M)


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        *((arguments, "out") for arguments in LAST),
        *((arguments, "other") for arguments in (LAST[0], LAST[3])),
        (("dataset", "collect", "flickr", "out", "--query", "car", "-n", "1"), "other"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("table")
def test_two_outputs_are_one_too_many(dentify: Dentify, arguments: tuple[str, ...], output: str) -> None:
    told = dentify(*arguments, "-o", output)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "'out' is one argument too many: " in told.stderr
    assert not Path("out").exists()
    assert not Path("other").exists()


@pytest.mark.parametrize(
    ("command", "last"),
    [("merge", "table"), ("prelabel", "table"), ("prelabel", "table/a.png"), ("prelabel", "table/*.png"), ("prelabel", "-")],
)
@pytest.mark.usefixtures("table")
def test_an_input_that_stands_last_because_the_output_was_forgotten_is_kept(dentify: Dentify, command: str, last: str) -> None:
    before = contents()
    told = dentify("dataset", command, "set", "set", last, "--to", "coco", "--overwrite")
    assert (told.exit_code, told.stdout) == (2, "")
    assert f"-o is missing: say with it the folder to make; {last} counts as an input" in told.stderr
    assert contents() == before


def test_an_empty_folder_may_still_stand_last(dentify: Dentify, data: Path) -> None:
    Path("out").mkdir()
    told = dentify("dataset", "merge", "set", "set/labels.json", "out", "-q")
    assert told.exit_code == 0, told.output
    assert told.stderr.startswith(NOTE)

"""Results that are there whole or not at all, whoever else writes and however full the disk is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dentify.errors import OutputError
from dentify.writing import LOCK, locked, locked_folder, write_whole

HOLD = """
import sys
from pathlib import Path
from dentify.writing import LOCK, locked, locked_folder, write_whole
with locked(Path("out")):
    print("held", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes as on Unix")


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def hold() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("folder", [True, False])
def test_one_run_writes_at_a_time(folder: bool) -> None:
    if folder:
        Path("out").mkdir()
    other = hold()
    with (
        pytest.raises(OutputError, match=r"^out: another run of Dentify writes there; wait for it, or"),
        locked(Path("out")),
    ):
        pass
    other.communicate("")
    with locked(Path("out")):
        pass
    assert [path for path in Path().rglob("*") if path.name.startswith(".")] == []


def test_a_killed_run_leaves_no_lock() -> None:
    other = hold()
    other.kill()
    other.communicate()
    with locked(Path("out")):
        assert [path.name for path in Path().iterdir()] == [".out.lock"]
    assert list(Path().iterdir()) == []


def test_a_lock_that_is_a_link_is_not_followed() -> None:
    Path("precious").write_text("x")
    Path(".out.lock").symlink_to("precious")
    with pytest.raises(OutputError, match=r"^out: cannot be written"), locked(Path("out")):
        pass
    assert Path("precious").read_text() == "x"


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
sys.argv = ["dentify", *{arguments!r}]
from dentify.cli import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["assess", "photo.png", "--bundle", "tiny", "-o", "out", "-q"],
        ["assess", "photo.png", "--bundle", "tiny", "-o", "out.zip", "-q"],
        ["dataset", "convert", "set", "-o", "out", "--to", "coco", "-q"],
        ["dataset", "split", "set", "--ratios", "50,50"],
        ["bundle", "build", "roles.yaml", "-o", "out"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_disk_that_is_full_from_the_first_byte_leaves_nothing(arguments: list[str]) -> None:
    """Not a byte fits any file; what was there stays, and the same command works when there is room."""
    from PIL import Image

    from dentify.testing import paint_photo, tiny_bundle

    tiny_bundle("tiny")
    Image.fromarray(paint_photo(size_hw=(64, 64))).save("photo.png")
    Path("set/dent").mkdir(parents=True)
    Path("set/scratch").mkdir()
    for place in ("dent", "scratch"):
        for number in range(3):
            Image.fromarray(paint_photo(size_hw=(64, 64 + number))).save(f"set/{place}/{number}.png")
    Path("roles.yaml").write_text("name: x\nversion: 1.0.0\nlicence: MIT\nroles: {damage_gate: [tiny]}\n")
    before = sorted(Path().rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(arguments=arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be written: File too large; make room, then run again" in done.stderr
    assert sorted(Path().rglob("*")) == before


def test_a_folder_that_nothing_was_written_into_is_taken_away_again() -> None:
    with locked_folder(Path("new/out")):
        assert [path.name for path in Path("new/out").iterdir()] == [LOCK]
    assert not Path("new/out").exists()
    Path("there").mkdir()
    with locked_folder(Path("there")):
        pass
    assert Path("there").is_dir()
    with locked_folder(Path("full")):
        write_whole({Path("full/a"): b"x"})
    assert [path.name for path in Path("full").iterdir()] == ["a"]


def test_what_several_runs_write_does_not_touch_what_others_have_half_written() -> None:
    Path(".a.part").write_bytes(b"half of")
    write_whole({Path("a"): b"whole"}, shared=True)
    assert (Path("a").read_bytes(), Path(".a.part").read_bytes()) == (b"whole", b"half of")
    assert len(list(Path().iterdir())) == 2


def test_a_folder_below_a_file_is_one_line() -> None:
    Path("file").write_text("x")
    with pytest.raises(OutputError, match=r"^file/out: cannot be written: Not a directory$"), locked_folder(Path("file/out")):
        pass


ROOM = """
mkdir -p m && mount -t tmpfs -o size=64k tmpfs m && cd m && dd if=/dev/zero of=fill bs=1k count=64 2>/dev/null
"$@"; echo "$? $(ls -A | tr '\\n' ' ')"
rm fill && mount -o remount,size=20m "$OLDPWD/m"
"$@"; echo "$? $(ls -A out | wc -l)"
"""


def test_the_same_command_works_when_a_full_disk_has_room_again() -> None:
    """On a file system of its own without a free byte."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system of one's own (unshare -m)")
    from PIL import Image

    from dentify.testing import paint_photo, tiny_bundle

    bundle = tiny_bundle("tiny").resolve()
    Image.fromarray(paint_photo(size_hw=(64, 64))).save("photo.png")
    command = [sys.executable, "-c", "from dentify.cli import main; main()", "assess", str(Path("photo.png").resolve())]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", ROOM, "sh", *command, "-o", "out", "--bundle", str(bundle), "-q"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split("\n")[:2] == ["1 fill ", "0 7"], done.stderr
    assert done.stderr.startswith("error: out: cannot be written: No space left on device") or "No space left" in done.stderr
    assert done.stderr.count("\n") == 1


def test_of_two_runs_at_once_one_writes_all_and_the_other_says_so(tmp_path: Path) -> None:
    """Both resume: neither overwrites, and neither minds what is there."""
    from PIL import Image

    from dentify.testing import paint_photo, tiny_bundle

    tiny_bundle("tiny")
    Path("photos").mkdir()
    for number in range(40):
        Image.fromarray(paint_photo(size_hw=(64, 64 + number))).save(f"photos/{number:02}.png")
    command = [sys.executable, "-c", "from dentify.cli import main; main()", "assess", "photos", "-o", "out", "--bundle", "tiny"]
    runs = [subprocess.Popen([*command, "--resume", "-q"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = sorted((run.communicate()[1], run.returncode) for run in runs)
    refused = "error: out: another run of Dentify writes there; wait for it, or write elsewhere\n"
    assert told in ([("", 0), (refused, 1)], [("", 0), ("", 0)])  # the second, where the first had ended already
    assert len(list(Path("out").glob("*.json"))) == 40
    assert len(Path("out/summary.csv").read_text().splitlines()) == 41


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_file_over_the_systems_limit_is_not_left_in_part() -> None:
    """Works without root: the system refuses to let a file grow over 1000 bytes."""
    code = """
import resource, signal, sys
from pathlib import Path
from dentify.errors import OutputError
from dentify.writing import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole({Path("out/a.json"): b"small", Path("out/a.photo.jpg"): bytes(2000)})
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "out/a.photo.jpg: cannot be written: File too large; make room, then run again\n"
    assert list(Path().rglob("*.*")) == []


def test_files_are_replaced_together_or_not_at_all() -> None:
    write_whole({Path("a"): b"old"})
    Path("b").mkdir()
    with pytest.raises(OutputError):
        write_whole({Path("b"): b"new", Path("a"): b"new"})
    assert Path("a").read_bytes() == b"old"
    assert [path.name for path in Path().iterdir() if path.is_file()] == ["a"]


def test_a_folder_in_the_way_of_one_file_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"old")
    (tmp_path / "a.photo.jpg").mkdir()
    with pytest.raises(OutputError):
        write_whole({tmp_path / "a.json": b"new", tmp_path / "a.photo.jpg": b"new"})
    assert (tmp_path / "a.json").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.photo.jpg"]

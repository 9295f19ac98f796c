"""The command as a process: signals, pipes, locales, full disks, and what it imports."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes as on Unix")

Start = Callable[..., "subprocess.Popen[str]"]
Paint = Callable[..., Path]


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def results(folder: str) -> dict[str, bytes]:
    """All results without the timings."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
    rows = found["summary.csv"].decode().splitlines()
    found["summary.csv"] = "\n".join(row.rsplit(",", 3)[0] for row in rows).encode()
    return found


@pytest.fixture
def many(paint: Paint) -> Path:
    photo = paint("photos/000.png", "dent", "scratch").read_bytes()
    for number in range(1, 40):
        Path(f"photos/{number:03}.png").write_bytes(photo)
    return Path("photos")


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Path]:
    """A photo that does not come, so that a run is never through."""
    pipe = tmp_path / "zzz.png"
    os.mkfifo(pipe)
    yield pipe
    pipe.unlink(missing_ok=True)


def wait_for(process: subprocess.Popen[str], enough: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not enough():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_killed_run_is_finished_by_the_next_one(start: Start, bundle: Path, many: Path, endless: Path, paint: Paint) -> None:
    """`kill -9` in the middle, then `--resume`: the same files as a run that was let be."""
    arguments = ["assess", many, "zzz.png", "--bundle", bundle, "-o"]
    process = start(*arguments, "out")
    wait_for(process, lambda: len(list(Path("out").glob("*.json"))) >= 12)
    process.kill()
    assert finished(process)[0] == -signal.SIGKILL
    assert not Path("out/summary.csv").exists()
    for path in Path("out").glob("*.json"):
        json.loads(path.read_bytes())
    endless.unlink()
    paint(endless, "dent")
    code, _, err = finished(start(*arguments, "out", "--resume"))
    assert code == 0
    kept = int(re.search(r"\((\d+) done before", err)[1])  # type: ignore[index]
    assert 11 <= kept <= 40  # the twelfth may lack its drawing yet, and is then made again
    assert finished(start(*arguments, "fresh"))[0] == 0
    assert results("out") == results("fresh")
    assert len(results("out")["summary.csv"].splitlines()) == 42


def test_ctrl_c_leaves_nothing_half_written(start: Start, bundle: Path, many: Path, endless: Path) -> None:
    process = start("assess", many, "zzz.png", "-o", "out", "--bundle", bundle)
    wait_for(process, lambda: len(list(Path("out").glob("*.json"))) >= 38)
    with endless.open("wb"):  # the reader waits for us: the signal comes while a photo is in work
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    code, out, err = finished(process)
    assert (code, out) == (130, "")
    assert err.startswith("interrupted: ")
    assert err.endswith("--resume finishes it\n")
    assert len(err.splitlines()) == 1
    names = sorted(path.name for path in Path("out").iterdir())
    assert all(name.endswith((".json", ".photo.jpg")) or name == "index_files" for name in names)
    assert not any(name.startswith(".") for name in names)


def test_ctrl_c_leaves_a_zip_to_be_finished(start: Start, bundle: Path, many: Path, endless: Path, paint: Paint) -> None:
    arguments = ["assess", many, "zzz.png", "--bundle", bundle, "-o"]
    process = start(*arguments, "out.zip")
    wait_for(process, lambda: len(list(Path(".out.zip.part").glob("*.json"))) >= 12)
    process.send_signal(signal.SIGINT)
    while process.poll() is None:  # it may or may not have begun to wait for the endless photo
        os.close(os.open(endless, os.O_RDWR))
        time.sleep(0.01)
    code, _, err = finished(process)
    assert code == 130
    assert err.endswith("--resume finishes it\n")
    assert not Path("out.zip").exists()
    endless.unlink()
    paint(endless, "dent")
    code, _, err = finished(start(*arguments, "out.zip", "--resume"))
    assert code == 0
    assert int(re.search(r"\((\d+) done before", err)[1]) >= 11  # type: ignore[index]
    assert finished(start(*arguments, "fresh.zip"))[0] == 0
    assert Path("out.zip").read_bytes() == Path("fresh.zip").read_bytes()
    assert not list(Path().glob(".*part"))


def test_nobody_reading_on_ends_the_run_quietly(start: Start, bundle: Path, many: Path) -> None:
    process = start("assess", many, "--format", "json", "--bundle", bundle)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line(bundle: Path, paint: Paint) -> None:
    command = [
        sys.executable,
        "-c",
        "from dentify.cli import main; main()",
        "assess",
        str(paint("a.png")),
        "--bundle",
        str(bundle),
    ]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: standard output: cannot be written: No space left on device; make room, then run again\n"


def test_a_disk_that_fills_up_is_one_line_and_leaves_whole_results(start: Start, bundle: Path, many: Path) -> None:
    """A real file system of 64 kB, then one with room."""
    disk = Path("disk").absolute()
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        code, out, err = finished(start("assess", many, "-o", "disk", "--bundle", bundle))
        assert (code, out) == (1, "")
        (line,) = err.splitlines()
        assert line.startswith("error: disk/")
        assert line.endswith(": cannot be written: No space left on device; make room, then run again")
        left = sorted(path.name for path in disk.iterdir() if path.name != "index_files")
        assert left
        assert not [path for path in disk.rglob("*") if path.name.startswith(".")]
        assert all(name.endswith((".json", ".photo.jpg")) and not name.startswith(".") for name in left)
        assert len([name for name in left if name.endswith(".json")]) * 2 == len(left)
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        assert finished(start("assess", many, "-o", "disk", "--resume", "--bundle", bundle))[0] == 0
        finished(start("assess", many, "-o", "fresh", "--bundle", bundle))
        assert results("disk") == results("fresh")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "latin-1"}],
    ids=["C", "C, strictly", "Latin-1"],
)
def test_output_is_utf8_in_any_locale(environment: dict[str, str], start: Start, bundle: Path, paint: Paint) -> None:
    paint("photos/çizik 凹み.png", "dent")
    code, out, err = finished(
        start("assess", "photos", "gone ☂.png", "--format", "json", "--bundle", bundle, environment=environment)
    )
    assert json.loads(out)["photo"]["name"] == "çizik 凹み.png"
    assert err.splitlines()[0] == "error: gone ☂.png: no such file or folder"
    assert code == 1


def test_a_terminal_shows_progress_and_a_pipe_does_not(start: Start, bundle: Path, many: Path) -> None:
    code, _, err = finished(start("assess", many, "-o", "piped", "--bundle", bundle))
    assert code == 0
    assert err.startswith("40 photos: 40 damaged, 40 need a look, 0 failed\nresults in piped: ")
    assert len(err.splitlines()) == 2
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from dentify.cli import main; main()", "assess", "photos", "gone.png", "-o", "out"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen([*command, "--bundle", str(bundle)], stderr=theirs, stdout=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # the terminal is gone with the process
    finally:
        os.close(ours)
    assert process.wait() == 1
    text = shown.decode()
    assert "photos" in text
    assert "error: gone.png: no such file or folder" in text
    assert "41 photos: " in text


def test_assess_imports_no_more_than_it_needs(bundle: Path, paint: Paint) -> None:
    code = (
        "import sys; from dentify.cli import app\n"
        "try: app()\n"
        "except SystemExit: print(*sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    arguments = ["assess", str(paint("a.png", "dent")), "--quiet", "--bundle", str(bundle)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert {"dentify", "onnxruntime"} <= loaded
    assert not loaded & {"torch", "matplotlib", "rich", "onnx", "scipy", "pandas", "hotcoco", "lightning_fabric", "timm", "yaml"}


def test_memory_does_not_grow_with_the_number_of_photos(bundle: Path, many: Path) -> None:
    """20 and 200 photos, in a process each; the rest of the measurement stands in the benchmarks."""
    if sys.platform != "linux":
        pytest.skip("needs Linux' own account of memory")
    code = "import resource, dentify.cli as c\ntry: c.main()\nfinally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"

    def peak(count: int) -> int:
        folder = Path(f"peak{count}")
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:04}.png").hardlink_to(many / "000.png")
        arguments = ["assess", str(folder), "-o", f"out{count}", "--quiet", "--format", "json", "--bundle", str(bundle)]
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert peak(200) < 1.1 * peak(20)

"""No call home: what assessing sends, asks for and leaves behind, seen from outside the process."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import dentify
from dentify.testing import paint_photo, tiny_bundle

# A command, after which it waits as long as ONNX Runtime's telemetry takes to look up its maker; strace sees all that it does.
RUN = """
import sys, time
sys.argv = ["dentify", *{arguments!r}]
from dentify.cli import main
try:
    main()
finally:
    time.sleep(float({seconds}))
"""
ASSESS = ("assess", "photo.png", "--bundle", "tiny", "-q")


def _runs(*command: str) -> bool:
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a cache of one's own, beside a photo and a bundle."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ORT_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    Image.fromarray(paint_photo(size_hw=(64, 64))).save("photo.png")
    tiny_bundle(tmp_path / "tiny")
    Path("set").mkdir()
    shutil.copy("photo.png", "set")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 8, 20, 20]}
    image = {"id": 1, "file_name": "photo.png", "width": 64, "height": 64}
    document = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "dent"}]}
    Path("set/labels.json").write_text(json.dumps(document))
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (ASSESS, set()),
        (("evaluate", "tiny", "set", "-o", "out", "-q"), set()),
        (("dataset", "inspect", "set", "-o", "out", "-q"), set()),
        # urllib3, of Google's client, asks whether there is an IPv6 by binding a socket to the machine itself
        (("dataset", "preprocess", "set", "-o", "out", "-q"), {"socket", "bind"}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_commands_open_no_connection_and_leave_nothing_in_the_users_cache(
    home: Path, arguments: tuple[str, ...], allowed: set[str]
) -> None:
    """All that the process asks of the system for the network, of every one of its threads and children."""
    if not _runs("strace", "-f", "-e", "trace=network", "true"):
        pytest.skip("needs strace, and the right to trace")
    needed = {"evaluate": "hotcoco", "preprocess": "apache_beam", "inspect": "jinja2"}
    for word, package in needed.items():
        if word in arguments:
            pytest.importorskip(package)
    code = RUN.format(arguments=arguments, seconds=1)
    command = ["strace", "-f", "-qq", "-o", "calls.txt", "-e", "trace=network", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    calls = [line for line in Path("calls.txt").read_text().splitlines() if "AF_UNIX" not in line]
    assert {match[1] for call in calls if (match := re.match(r"(?:\d+ +)?(\w+)\(", call))} <= allowed
    left = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    assert [name for name in left if not name.startswith((".cache/matplotlib/", ".config/matplotlib/"))] == []


def test_assess_sends_no_packet_where_a_name_server_listens(home: Path) -> None:
    """In a network of its own, in which whoever asks for a name would be heard."""
    if not _runs("unshare", "-n", "ip", "link", "set", "lo", "up"):
        pytest.skip("needs the right to make a network of one's own (unshare -n)")
    listener = textwrap.dedent("""
        import socket, subprocess, sys
        servers = [line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver")] or ["127.0.0.1"]
        heard = []
        for server in servers:
            if ":" not in server and not server.startswith("127."):
                subprocess.run(["ip", "addr", "add", f"{server}/32", "dev", "lo"], check=True)
        anything = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
        anything.settimeout(0.2)
        done = subprocess.run([sys.executable, "-c", sys.argv[1]], stdout=subprocess.DEVNULL)
        try:
            while True:
                heard.append(anything.recv(2000))
        except TimeoutError:
            pass
        print(done.returncode, len(heard))
    """)
    command = ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", sys.executable, "-c", listener]
    done = subprocess.run([*command, RUN.format(arguments=ASSESS, seconds=3)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "0 0\n", done.stderr
    assert list(home.rglob("*")) == []


def test_onnx_runtime_is_imported_in_one_place() -> None:
    """Which turns its reports off before; whoever else takes something of it has called that first."""
    source = Path(dentify.__file__).parent
    found: dict[str, list[str]] = {}
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            body = getattr(node, "body", None)
            lines = [ast.unparse(one) for one in body] if isinstance(body, list) else []
            imports = [at for at, line in enumerate(lines) if re.match(r"(import|from) onnxruntime\b", line)]
            if imports:
                place = f"{path.relative_to(source).as_posix()}: {getattr(node, 'name', '')}"
                found[place] = lines[: imports[0]]
    assert set(found) == {"runtime/session.py: import_onnxruntime", "runtime/int8.py: to_int8"}
    assert "report_nothing()" in found["runtime/session.py: import_onnxruntime"]
    assert "import_onnxruntime()" in found["runtime/int8.py: to_int8"]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="looks at a process as on Unix")
@pytest.mark.parametrize(
    "code",
    [
        "import dentify; from dentify.runtime.session import import_onnxruntime; import_onnxruntime()",
        "from dentify.bundle import Bundle; from dentify.runtime.session import Session",
        "import dentify; dentify.load('tiny')",
    ],
)
def test_whoever_opens_a_network_has_turned_reports_off(home: Path, code: str) -> None:
    told = "import os, sys; print(os.environ.get('ORT_DISABLE_TELEMETRY') if 'onnxruntime' in sys.modules else 1)"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{told}"], capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout == "1\n", done.stderr

"""What inputs that mean harm cost: time and memory of one command for each, beside a budget.

    python benchmarks/hostile.py                           # all, in half an hour
    python benchmarks/hostile.py --only jpeg --seconds 60  # some, each stopped after a minute
    PYTHONPATH=OTHER/src python benchmarks/hostile.py      # with another version of Dentify

Every input is made anew, of a size that the limits allow, and given to a process of its own, which may take 8 GiB. Seconds
are those of processors, and of a bundle, whose network runs on all of them, those of a clock, the start of the command among
them; the peak is that of Linux. Budgets: 10 seconds and 1 GiB of a photo, of a bundle and of a hundred entries of a zip; of a
file of labels 1 second and 20 MiB for each MiB of it, and 200 MiB and 3 seconds to begin with.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import multiprocessing
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-c", "from dentify.cli import main; main()"]
ASSESS = ("assess", "{}", "-q", "--format", "json")
INSPECT = ("dataset", "inspect", "{}", "-q")
MASKS = ("dataset", "convert", "{}", "-o", "out", "--to", "masks", "--pictures", "none", "-q")
MOST_BYTES = 8 * 2**30
HW = (3_000, 4_000)


class Input(NamedTuple):
    """An input, and the command that is given it."""

    make: Callable[[], object]
    command: tuple[str, ...]
    file: str
    budget: str


def jpeg() -> bytes:
    """One of the examples."""
    return (ROOT / "examples" / "car_04.jpg").read_bytes()


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG's."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG's."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, pixels: bytes | None = None) -> bytes:
    """A grey one."""
    packed = zlib.compress(bytes((width + 1) * height) if pixels is None else pixels, 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def jpeg_with(*segments: bytes) -> bytes:
    """A JPEG with more at its start."""
    data = jpeg()
    return data[:2] + b"".join(segments) + data[2:]


def exif_segments() -> bytes:
    """8 MB of them: an hour for 64, as time grows with the square."""
    start = segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0")
    return jpeg_with(start, segment(0xE1, b"Exif\0\0" + b"A" * 10) * 400_000)


def gif_comments() -> bytes:
    """60 MB of blocks of two bytes."""
    blocks = b"\x21\xfe\x02AB\0" * 10_000_000
    picture = b"\x2c" + struct.pack("<HHHH", 0, 0, 64, 64) + b"\0\x02\x02\x4c\x01\0;"
    return b"GIF89a" + struct.pack("<HH", 64, 64) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + blocks + picture


def tiff(entries: Iterable[tuple[int, int, int, int]], more: bytes = b"") -> bytes:
    """A little-endian one of these tags: number, kind, count, value."""
    listed = [struct.pack("<HHII", *entry) for entry in sorted(entries)]
    return b"II*\0" + struct.pack("<IH", 8, len(listed)) + b"".join(listed) + struct.pack("<I", 0) + more


def tiff_of_strips() -> bytes:
    """8 million strips, of one byte each."""
    count, start = 8_000_000, 8 + 2 + 8 * 12 + 4
    tags = [(256, 4, 1, 64), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (278, 4, 1, 1)]
    tags += [(273, 4, count, start), (279, 4, count, start)]
    return tiff(tags, b"\1\0\0\0" * count)


def tiff_of_tiles() -> bytes:
    """Tiles of 60,000 × 60,000 for a picture of 64 × 64."""
    tags = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    tags += [(322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 200), (325, 4, 1, 20)]
    return tiff(tags, zlib.compress(bytes(1000)) + bytes(200))


def webp_canvas() -> bytes:
    """A canvas of 16,383 × 16,383 around a picture that is not there."""
    body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + (16_382).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def bmp_runs() -> bytes:
    """100 megapixels in run lengths, which Pillow takes apart in Python."""
    side, runs = 10_000, (b"\xff\x01" * 39 + b"\x37\x01\0\0") * 10_000
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(runs), 0, 0, 1078) + header + bytes(1024) + runs + b"\0\1"


def zip_of(entries: int, data: bytes) -> bytes:
    """A zip of the same photo many times."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(entries):
            archive.writestr(f"{number}.jpg", data)
    return file.getvalue()


def zeros_after_a_start() -> bytes:
    """What begins like a JPEG, and is zeros."""
    return b"\xff\xd8\xff" + bytes(2**20 - 10)


def coco(annotations: list[dict[str, Any]], size_hw: tuple[int, int] = HW, images: int = 1, names: int = 1) -> str:
    """Labels of pictures that are not there."""
    height, width = size_hw
    return json.dumps(
        {
            "images": [{"id": n, "file_name": f"{n}.png", "width": width, "height": height} for n in range(images)],
            "annotations": [{"id": n, "image_id": 0, "category_id": 0, **one} for n, one in enumerate(annotations)],
            "categories": [{"id": n, "name": f"type {n}" if n else "dent"} for n in range(names)],
        }
    )


def zigzag(points: int, size_hw: tuple[int, int]) -> list[float]:
    """An outline from the upper edge to the lower one and back, again and again."""
    xs, ys = np.linspace(1, size_hw[1] - 1, points), np.where(np.arange(points) % 2, size_hw[0] - 1, 1)
    return [round(float(value), 1) for value in np.stack([xs, ys], axis=1).ravel()]


def lying_png() -> bytes:
    """Its header says 30,000 × 30,000."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"x\x9c") + chunk(b"IEND", b"")


def alias_bomb() -> str:
    """Ten lines of ten aliases each."""
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"{one}: &{one} [{','.join([f'*{before}'] * 10)}]" for before, one in zip("abcdefghi", "bcdefghij", strict=True)]
    return "\n".join([*lines, "train: *j", "names: [dent]", "nc: 1"])


def pillow(kind: str, mode: str, **options: Any) -> bytes:
    """A picture of 100 megapixels."""
    file = io.BytesIO()
    Image.new(mode, (10_000, 10_000)).save(file, kind, **options)
    return file.getvalue()


def noise() -> bytes:
    """A mask of 16 megapixels, each pixel of which is an outline of its own."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 2, (4_000, 4_000), np.uint8)).save(file, "PNG")
    return file.getvalue()


def large_masks(photos: int, masks: int) -> str:
    """Masks that cover photos of 100 megapixels, as CVAT writes them."""
    mask = '<mask label="dent" rle="0, 100000000" left="0" top="0" width="10000" height="10000"/>' * masks
    return "".join(f'<image id="{n}" name="{n}.png" width="10000" height="10000">{mask}</image>' for n in range(photos))


def network(change: Callable[[Any, Any], None]) -> Callable[[], None]:
    """A bundle of a network that was changed, its hashes in order."""

    def make() -> None:
        import onnx

        from dentify.testing import tiny_bundle, tiny_onnx

        model = onnx.load_from_string(tiny_onnx())
        change(onnx, model.graph)
        data = model.SerializeToString()
        folder = tiny_bundle("bundle")
        (folder / "tiny.onnx").write_bytes(data)
        document = json.loads((folder / "bundle.json").read_text())
        document["files"][0] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        (folder / "bundle.json").write_text(json.dumps(document))

    return make


def loop(onnx: Any, graph: Any) -> None:
    """One that goes round 2^62 times for the vehicle."""
    helper, kinds = onnx.helper, onnx.TensorProto
    again = helper.make_node("Identity", ["on"], ["on_out"])
    same = helper.make_node("Identity", ["held"], ["held_out"])
    inputs: list[tuple[str, Any, Any]] = [("i", kinds.INT64, []), ("on", kinds.BOOL, []), ("held", kinds.FLOAT, None)]
    values = [helper.make_tensor_value_info(*one) for one in inputs]
    told: list[tuple[str, Any, Any]] = [("on_out", kinds.BOOL, []), ("held_out", kinds.FLOAT, None)]
    outputs = [helper.make_tensor_value_info(*one) for one in told]
    body = helper.make_graph([again, same], "body", values, outputs)
    graph.initializer.extend(
        [helper.make_tensor("trips", kinds.INT64, [], [2**62]), helper.make_tensor("yes", kinds.BOOL, [], [True])]
    )
    _before_vehicle(graph, lambda name: [helper.make_node("Loop", ["trips", "yes", name], ["vehicle"], body=body)])


def constant(numbers: int) -> Callable[[Any, Any], None]:
    """A tensor of so many zeros, made by a number in the file, whose mean joins the vehicle."""

    def change(onnx: Any, graph: Any) -> None:
        helper = onnx.helper
        graph.initializer.append(helper.make_tensor("shape", onnx.TensorProto.INT64, [1], [numbers]))
        _before_vehicle(
            graph,
            lambda name: [
                helper.make_node("ConstantOfShape", ["shape"], ["large"]),
                helper.make_node("ReduceMean", ["large"], ["mean"], keepdims=0),
                helper.make_node("Add", [name, "mean"], ["vehicle"]),
            ],
        )

    return change


def _before_vehicle(graph: Any, nodes: Callable[[str], list[Any]]) -> None:
    for node in graph.node:
        for at, output in enumerate(node.output):
            if output == "vehicle":
                node.output[at] = "vehicle_before"
    graph.node.extend(nodes("vehicle_before"))


def many_convolutions(onnx: Any, graph: Any) -> None:
    """Two thousand of a photo's size, each of a hundred channels: hours of honest work."""
    helper = onnx.helper
    weights = np.zeros((64, 64, 7, 7), np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(weights, "weights"))
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((64, 3, 1, 1), np.float32), "begin"))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([0], np.int64), "first"))
    graph.node.append(helper.make_node("Conv", ["image", "begin"], ["x0"]))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 1, 8, 8], np.float32), "larger"))
    graph.node.append(helper.make_node("Resize", ["x0", "", "larger"], ["y0"], mode="nearest"))
    for n in range(2000):
        graph.node.append(helper.make_node("Conv", [f"y{n}", "weights"], [f"y{n + 1}"], pads=[3, 3, 3, 3]))
    _before_vehicle(
        graph,
        lambda name: [
            helper.make_node("ReduceMean", ["y2000"], ["mean"], keepdims=0),
            helper.make_node("Add", [name, "mean"], ["vehicle"]),
        ],
    )


def scans(count: int) -> Callable[[], bytes]:
    """A progressive JPEG of 100 megapixels whose last scan stands there so often."""

    def content() -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (10_000, 10_000), (90, 90, 90)).save(file, "JPEG", progressive=True, quality=5)
        data = file.getvalue()
        at = data.rindex(b"\xff\xda")
        return data[:-2] + data[at:-2] * (count - data.count(b"\xff\xda")) + data[-2:]

    return content


def datumaro() -> str:
    """200,000 items without annotations."""
    items = [{"id": f"{n}", "annotations": []} for n in range(200_000)]
    return json.dumps({"info": {}, "categories": {"label": {"labels": [{"name": "dent"}]}}, "items": items})


def labelme() -> str:
    """One outline of 900,000 points."""
    shape = {"label": "dent", "shape_type": "polygon", "points": [[1, 1], [9, 9], [1, 9]] * 300_000}
    return json.dumps({"imagePath": "a.png", "imageHeight": 64, "imageWidth": 64, "shapes": [shape]})


def table_of_columns() -> str:
    """A million of them."""
    return "file," + ",".join(f"c{n}" for n in range(1_000_000)) + "\na.jpg" + ",0" * 1_000_000


def pipe_of_labels() -> None:
    """Into which nobody writes."""
    Path("set").mkdir()
    os.mkfifo("set/labels.json")


def endless_labels() -> None:
    """A device that gives zeros without end."""
    Path("set").mkdir()
    Path("set/labels.json").symlink_to("/dev/zero")


def pipe_among_photos() -> None:
    """Beside a plain photo."""
    Path("p").mkdir()
    Path("p/a.jpg").write_bytes(jpeg())
    os.mkfifo("p/f.jpg")


def written(name: str, content: Callable[[], bytes | str]) -> Callable[[], None]:
    """Writes it."""

    def make() -> None:
        data = content()
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data.encode() if isinstance(data, str) else data)

    return make


def photo(name: str, content: Callable[[], bytes]) -> Input:
    """One that `assess` is given."""
    return Input(written(name, content), ASSESS, name, "photo")


def labels(name: str, content: Callable[[], bytes | str], command: tuple[str, ...] = INSPECT) -> Input:
    """A file of them, of which `inspect` or `convert` is told."""
    return Input(written(f"set/{name}", content), command, "set", "labels")


def bundle(change: Callable[[Any, Any], None]) -> Input:
    """One that `assess` is given, beside a photo."""

    def make() -> None:
        network(change)()
        Path("photo.jpg").write_bytes(jpeg())

    return Input(make, ("assess", "photo.jpg", "--bundle", "{}", "-q"), "bundle", "bundle")


def both(*inputs: Input) -> Input:
    """Several files, and the command of the last."""

    def make() -> None:
        for one in inputs:
            one.make()

    return inputs[-1]._replace(make=make)


BOX = {"bbox": [10, 10, 300, 200]}
WIDE = (10_000, 10_000)
XML = "<annotations><version>1.1</version>{}</annotations>"
INPUTS: dict[str, Input] = {
    "JPEG, plain, for comparison": photo("a.jpg", jpeg),
    "JPEG, 8 MB of EXIF segments": photo("a.jpg", exif_segments),
    "JPEG, 66 MB of empty APP5 segments": photo("a.jpg", lambda: jpeg_with(segment(0xE5, b"") * 16_500_000)),
    "JPEG, 66 MB of FF before a marker": photo("a.jpg", lambda: jpeg_with(b"\xff" * 66_000_000)),
    "JPEG, 57 MB of FF behind its scan": photo("a.jpg", lambda: jpeg()[:-2] + b"\xff" * 57_000_000 + b"\xff\xd9"),
    "JPEG, 28 million markers behind its scan": photo("a.jpg", lambda: jpeg()[:-2] + b"\xff\x01" * 28_000_000 + b"\xff\xd9"),
    "JPEG, 64 scans of 100 megapixels": photo("a.jpg", scans(64)),
    "JPEG, 16 scans of 100 megapixels": photo("a.jpg", scans(16)),
    "PNG, 60 MB of private chunks": photo("a.png", lambda: png(64, 64, chunk(b"prVt", b"") * 5_000_000)),
    "PNG, texts of 60 MB of zeros": photo(
        "a.png", lambda: png(64, 64, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(60_000_000))))
    ),
    "PNG, 100 megapixels": photo("a.png", lambda: png(10_000, 10_000)),
    "PNG, 100 megapixels with opacity": photo("a.png", lambda: pillow("PNG", "RGBA")),
    "WebP, 100 megapixels": photo("a.webp", lambda: pillow("WebP", "RGB")),
    "TIFF, 100 megapixels of floats": photo("a.tif", lambda: pillow("TIFF", "F", compression="tiff_lzw")),
    "PNG, 900 megapixels claimed": photo("a.png", lying_png),
    "GIF, 60 MB of comments": photo("a.gif", gif_comments),
    "TIFF, 8 million strips": photo("a.tif", tiff_of_strips),
    "TIFF, a tile of 3,600 megapixels": photo("a.tif", tiff_of_tiles),
    "WebP, a canvas of 268 megapixels": photo("a.webp", webp_canvas),
    "BMP, 100 megapixels in run lengths": photo("a.bmp", bmp_runs),
    "zip, 5,000 entries of 1 MB of zeros": photo("a.zip", lambda: zip_of(5_000, zeros_after_a_start()))._replace(budget="zip"),
    "bundle, a loop without end": bundle(loop),
    "bundle, a tensor of 3 GB": bundle(constant(750_000_000)),
    "bundle, a tensor of 100 GB": bundle(constant(25_000_000_000)),
    "bundle, work for hours": bundle(many_convolutions),
    "YAML, aliases of aliases": both(labels("labels/a.txt", lambda: "0 .5 .5 .2 .2\n"), labels("data.yaml", alias_bomb)),
    "JSON, 21 MB of {}": labels("labels.json", lambda: "[" + ",".join(["{}"] * 7_000_000) + "]"),
    "JSON, 20 MB of numbers": labels("labels.json", lambda: "[" + ",".join(["0"] * 10_000_000) + "]"),
    "JSON, 20 MB of brackets": labels("labels.json", lambda: "[" + ",".join(["[]"] * 6_600_000) + "]"),
    "COCO, 10 MB of boxes of one photo": labels("labels.json", lambda: coco([BOX] * 100_000)),
    "COCO, 10 MB of photos": labels("labels.json", lambda: coco([BOX], images=150_000)),
    "COCO, 10,000 types of 30,000 photos": labels("labels.json", lambda: coco([BOX], images=30_000, names=10_000)),
    "COCO, an outline of a million points": labels(
        "labels.json", lambda: coco([{"segmentation": [[1.0, 1.0, 1.5, 1.5, 1.0, 2.0] * 333_000]}])
    ),
    "COCO, an outline of 10,000 zigzags": both(
        labels("0.png", lambda: png(*WIDE)),
        labels("labels.json", lambda: coco([{"segmentation": [zigzag(10_000, WIDE)]}], WIDE), MASKS),
    ),
    "COCO, 8,000 outlines of 100 megapixels": both(
        labels("0.png", lambda: png(*WIDE)),
        labels("labels.json", lambda: coco([{"segmentation": [[1, 1, 9999, 1, 9999, 9999]]}] * 8_000, WIDE), MASKS),
    ),
    "COCO, run lengths of 900 megapixels": both(
        labels("0.png", lying_png),
        labels(
            "labels.json",
            lambda: coco([{"segmentation": {"size": [30_000, 30_000], "counts": [0, 9 * 10**8]}}], (30_000, 30_000)),
            MASKS,
        ),
    ),
    "COCO, 20 MB of run lengths": labels(
        "labels.json", lambda: coco([{"segmentation": {"size": list(WIDE), "counts": [1] * 7_000_000 + [93_000_000]}}], WIDE)
    ),
    "CVAT, masks that fill 8,000 large photos": labels("a.xml", lambda: XML.format(large_masks(8_000, 1))),
    "CVAT, 8,000 masks that fill a large photo": labels("a.xml", lambda: XML.format(large_masks(1, 8_000))),
    "masks, noise of 16 megapixels": both(
        labels("images/a.png", lambda: png(4_000, 4_000)),
        labels("masks/a.png", noise),
    ),
    "CVAT, 20 MB of small elements": labels("a.xml", lambda: XML.format("<a/>" * 5_000_000)),
    "CVAT, 20 MB of photos": labels("a.xml", lambda: XML.format('<image id="1" name="a.png" width="9" height="9"/>' * 400_000)),
    "VOC, 5 MB, nested without end": labels("a.xml", lambda: "<annotation_of>" * 300_000),
    "table, 10 MB of rows": labels("a.csv", lambda: "file,label\n" + "".join(f"{n}.jpg,dent\n" for n in range(600_000))),
    "table, a million columns": labels("a.csv", table_of_columns),
    "YOLO, 10 MB of boxes": both(
        labels("images/a.png", lambda: png(64, 64)),
        labels("classes.txt", lambda: "dent\n"),
        labels("labels/a.txt", lambda: "0 .5 .5 .2 .2\n" * 700_000),
    ),
    "Datumaro, 10 MB of items": labels("a.json", datumaro),
    "LabelMe, 10 MB of points": labels("a.json", labelme),
    "a pipe called labels.json": Input(pipe_of_labels, INSPECT, "set", "labels"),
    "a link to /dev/zero called labels.json": Input(endless_labels, INSPECT, "set", "labels"),
    "a pipe matched by a glob": Input(pipe_among_photos, ASSESS, "p/*", "photo"),
}


class Cost(NamedTuple):
    """What a command took, and how it ended."""

    seconds: float
    elapsed: float
    mebibytes: float
    code: int | None
    told: str


def bounded(seconds: float) -> None:
    """What a command may take before it is stopped."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds)))


def run(command: Iterable[str], seconds: float) -> Cost:
    """Runs it in the working folder; `code` is `None` where it was stopped."""
    with Path("stderr.txt").open("w+b") as errors:
        process = subprocess.Popen(
            [*COMMAND, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            preexec_fn=lambda: bounded(seconds),
        )
        start, code = time.monotonic(), None
        until = start + 2 * seconds  # other processes may keep it waiting
        while True:
            done, status, used = os.wait4(process.pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None
                break
            if time.monotonic() > until:
                process.kill()
                _, _, used = os.wait4(process.pid, 0)
                break
            time.sleep(0.02)
        elapsed = time.monotonic() - start
        process.returncode = code if code is not None else -9
        errors.seek(0)
        told = errors.read(20_000).decode("utf-8", "replace").strip().splitlines()
    return Cost(used.ru_utime + used.ru_stime, elapsed, used.ru_maxrss / 1024, code, told[0] if told else "")


def make(name: str, folder: str) -> None:
    """An input, in a process of its own: a command's peak is at least that of the process that starts it."""
    os.chdir(folder)
    INPUTS[name].make()


def size_of(path: str) -> float:
    """Of all plain files of an input, in MiB."""
    given = [Path(path), *Path(path).rglob("*")] if "*" not in path else list(Path().glob(path))
    return sum(one.lstat().st_size for one in given if one.is_file() and not one.is_symlink()) / 2**20


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="inputs whose name holds this")
    parser.add_argument("--seconds", type=float, default=120, help="after which a command is stopped")
    given = parser.parse_args()
    import dentify

    print(f"Dentify {dentify.__version__}; seconds of processors (of a clock, of bundles), MiB at the peak")
    print(f"{'input':<42}{'MiB':>7}{'s':>8}{'peak':>7}  {'budget':<12}how it ended")
    over = 0
    for name, one in INPUTS.items():
        if given.only.lower() not in name.lower():
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            made = multiprocessing.get_context("spawn").Process(target=make, args=(name, folder))
            made.start()
            made.join()
            if made.exitcode:
                parser.exit(1, f"{name}: could not be made\n")
            size = size_of(one.file)
            cost = run([argument.format(one.file) for argument in one.command], given.seconds)
            os.chdir(ROOT)
        photo = (10.0, 1024.0)
        budgets = {"photo": photo, "bundle": photo, "zip": (500.0, 1024.0), "labels": (3.0 + size, 200 + 20 * size)}
        seconds, mebibytes = budgets[one.budget]
        taken = cost.elapsed if one.budget == "bundle" else cost.seconds
        fits = cost.code is not None and taken <= seconds and cost.mebibytes <= mebibytes
        over += not fits
        ended = "stopped" if cost.code is None else f"{cost.code} {cost.told[:90]}"
        verdict = "held" if fits else "EXCEEDED"
        print(f"{name:<42}{size:>7.1f}{taken:>8.1f}{cost.mebibytes:>7.0f}  {verdict:<12}{ended}", flush=True)
    print(f"{over} of them exceed their budget")


if __name__ == "__main__":
    main()

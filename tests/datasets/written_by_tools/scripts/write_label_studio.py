"""The truth in Label Studio: a server on this machine takes the photos and the annotations and exports them.

    python write_label_studio.py /label-studio/data

The folder is for the server's database and uploads, it must not exist; COCO exports write it down. This one is that of Label
Studio's container. Needs label-studio; run it with the Python of its virtual environment. The server listens on 127.0.0.1
only and is stopped at the end.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import requests
from label_studio_sdk.converter import brush

HERE = Path(__file__).resolve().parent.parent
PORT = 18942
SERVER = f"http://127.0.0.1:{PORT}"
USER = {
    "email": "annotator@example.com",
    "password": "annotator-of-fixtures",
    "token": "0123456789abcdef0123456789abcdef01234567",
}
LABELS = "".join(f'<Label value="{name}"/>' for name in ("dent", "scratch", "broken_part", "crack"))
SHAPES = f"""<View>
  <Image name="image" value="$image"/>
  <PolygonLabels name="polygon" toName="image">{LABELS}</PolygonLabels>
  <RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>
  <EllipseLabels name="ellipse" toName="image">{LABELS}</EllipseLabels>
  <BrushLabels name="brush" toName="image">{LABELS}</BrushLabels>
  <Choices name="severity" toName="image" perRegion="true"><Choice value="minor"/><Choice value="severe"/></Choices>
</View>"""
POLYGONS = f"""<View>
  <Image name="image" value="$image"/>
  <PolygonLabels name="label" toName="image">{LABELS}</PolygonLabels>
</View>"""
BOXES = POLYGONS.replace("Polygon", "Rectangle")
BRUSHES = POLYGONS.replace("Polygon", "Brush")

Row = dict[str, Any]


def main(data: Path) -> None:
    command = [Path(sys.executable).parent / "label-studio", "start", "--no-browser", "--internal-host", "127.0.0.1"]
    command += ["--port", str(PORT), "--data-dir", data, "--username", USER["email"], "--password", USER["password"]]
    command += ["--user-token", USER["token"], "--enable-legacy-api-token", "--log-level", "WARNING"]
    quiet = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
    data.mkdir(parents=True)
    server = subprocess.Popen(
        command, env={**os.environ, **quiet}, stdout=(data / "server.log").open("wb"), stderr=subprocess.STDOUT
    )
    try:
        client = connected(server)
        truth = json.loads((HERE / "truth.json").read_text())
        holes = json.loads((HERE / "truth_with_hole.json").read_text())
        project(client, "polygons", POLYGONS, truth, polygons, {"JSON": "json", "COCO": "", "YOLO": "", "VOC": ""})
        project(client, "boxes", BOXES, truth, boxes, {"JSON": "json", "COCO": "", "YOLO": "", "VOC": "", "YOLO_OBB": ""})
        holes["images"] = holes["images"][1:]  # the exports of brushes are long
        project(client, "brushes", BRUSHES, holes, brushes, {"JSON": "json", "BRUSH_TO_PNG": "", "BRUSH_TO_COCO": ""})
        project(
            client, "shapes", SHAPES, truth, shapes, {"JSON": "json", "JSON_MIN": "json", "CSV": "csv", "COCO": "", "YOLO": ""}
        )
    finally:
        server.terminate()
        server.wait()


def connected(server: subprocess.Popen[bytes]) -> requests.Session:
    client = requests.Session()
    client.headers["Authorization"] = f"Token {USER['token']}"
    for _ in range(240):
        if server.poll() is not None:
            raise SystemExit("the server stopped; see server.log in its folder")
        try:
            if client.get(f"{SERVER}/api/projects", timeout=5).ok:
                return client
        except requests.ConnectionError:
            pass
        time.sleep(1)
    raise SystemExit("the server did not answer within four minutes")


def project(
    client: requests.Session,
    name: str,
    config: str,
    truth: Row,
    results: Callable[[Row, Row, Row], Iterator[Row]],
    forms: dict[str, str],
) -> None:
    """A project with the photos uploaded and annotated, and its exports in folders of their own."""

    def call(method: str, path: str, **options: Any) -> Any:
        answer = client.request(method, f"{SERVER}/api/{path}", timeout=120, **options)
        if not answer.ok:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer

    number = call("POST", "projects", json={"title": name, "label_config": config}).json()["id"]
    for image in truth["images"]:
        photo = (image["file_name"], (HERE / "photos" / image["file_name"]).read_bytes(), "image/jpeg")
        call("POST", f"projects/{number}/import", files={"file": photo})
    categories = {row["id"]: row["name"] for row in truth["categories"]}
    for task in call("GET", f"tasks?project={number}&page_size=100").json()["tasks"]:
        image = next(row for row in truth["images"] if task["data"]["image"].endswith(row["file_name"]))
        rows = [row for row in truth["annotations"] if row["image_id"] == image["id"]]
        found = [
            {
                "id": f"r{row['id']:03}{letter}",
                "to_name": "image",
                "origin": "manual",
                "original_width": image["width"],
                "original_height": image["height"],
                "image_rotation": 0,
                **result,
            }
            for row in rows
            for letter, result in zip("abcdefgh", results(row, image, categories), strict=False)
        ]
        skipped = name == "shapes" and not rows
        call("POST", f"tasks/{task['id']}/annotations", json={"result": found, "lead_time": 12.5, "was_cancelled": skipped})
        if skipped:  # a model's proposal is no annotation
            guess = {"id": "p1", "to_name": "image", "from_name": "box", "type": "rectanglelabels"}
            value = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": ["dent"]}
            guess.update(value=value, original_width=image["width"], original_height=image["height"], image_rotation=0)
            call("POST", "predictions", json={"task": task["id"], "model_version": "1", "score": 0.4, "result": [guess]})
    for form, suffix in forms.items():
        answer = call("GET", f"projects/{number}/export?exportType={form}&download_all_tasks=true")
        target = HERE / f"label_studio-{name}-{form.lower()}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        if suffix:
            (target / f"export.{suffix}").write_bytes(answer.content)
            continue
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            for entry in archive.namelist():
                if not entry.endswith((".jpg", "/")):
                    archive.extract(entry, target)


def percent(image: Row, x: float, y: float) -> tuple[float, float]:
    return 100 * x / image["width"], 100 * y / image["height"]


def polygons(row: Row, image: Row, categories: dict[int, str]) -> Iterator[Row]:
    """One region for each polygon: a region has one outline."""
    for part in row["segmentation"]:
        points = [percent(image, *point) for point in zip(part[::2], part[1::2], strict=True)]
        value = {"points": points, "closed": True, "polygonlabels": [categories[row["category_id"]]]}
        yield {"from_name": "label", "type": "polygonlabels", "value": value}


def boxes(row: Row, image: Row, categories: dict[int, str]) -> Iterator[Row]:
    (x, y), (width, height) = percent(image, *row["bbox"][:2]), percent(image, *row["bbox"][2:])
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": [categories[row["category_id"]]]}
    yield {"from_name": "label", "type": "rectanglelabels", "value": value}


def brushes(row: Row, image: Row, categories: dict[int, str]) -> Iterator[Row]:
    rle = brush.mask2rle((pixels(row, image) * 255).astype(np.uint8))
    value = {"format": "rle", "rle": rle, "brushlabels": [categories[row["category_id"]]]}
    yield {"from_name": "label", "type": "brushlabels", "value": value}


def shapes(row: Row, image: Row, categories: dict[int, str]) -> Iterator[Row]:
    """Annotations 1 to 6 as polygon, box, box turned by 30 degrees, ellipse, turned ellipse and brush, 8 as polygon without a
    class; annotation 1 has a severity of its own. The photo without annotations is skipped and has a prediction."""
    name = categories[row["category_id"]]
    box = next(boxes(row, image, categories))["value"]
    round_value = {
        "x": box["x"] + box["width"] / 2,
        "y": box["y"] + box["height"] / 2,
        "radiusX": box["width"] / 2,
        "radiusY": box["height"] / 2,
        "rotation": 0,
        "ellipselabels": [name],
    }
    match row["id"]:
        case 1:
            yield {**next(polygons(row, image, categories)), "from_name": "polygon"}
            yield {"id": "r001a", "from_name": "severity", "type": "choices", "value": {"choices": ["severe"]}}
        case 2:
            yield {"from_name": "box", "type": "rectanglelabels", "value": box}
        case 3:
            yield {"from_name": "box", "type": "rectanglelabels", "value": {**box, "rotation": 30}}
        case 4:
            yield {"from_name": "ellipse", "type": "ellipselabels", "value": round_value}
        case 5:
            yield {"from_name": "ellipse", "type": "ellipselabels", "value": {**round_value, "rotation": 30}}
        case 6:
            yield {**next(brushes(row, image, categories)), "from_name": "brush"}
        case 8:
            unnamed = next(polygons(row, image, categories))
            yield {**unnamed, "from_name": "polygon", "value": {**unnamed["value"], "polygonlabels": []}}


def pixels(row: Row, image: Row) -> np.ndarray:
    """The mask of an annotation, its polygons drawn by OpenCV, which Label Studio brings along."""
    import cv2

    mask = np.zeros((image["height"], image["width"]), np.uint8)
    if isinstance(row["segmentation"], dict):
        counts = row["segmentation"]["counts"]
        return np.repeat(np.arange(len(counts)) % 2, counts).reshape(mask.shape, order="F")
    cv2.fillPoly(mask, [np.array(part).reshape(-1, 2).round().astype(np.int32) for part in row["segmentation"]], 1)
    return mask


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

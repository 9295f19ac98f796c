"""What Ultralytics' converter makes of `truth.json`: YOLO's boxes and polygons.

    python write_ultralytics.py

It writes labels alone; `data.yaml` is what its documentation has people write beside them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from ultralytics.data.converter import convert_coco

HERE = Path(__file__).resolve().parent.parent
TRUTH = json.loads((HERE / "truth.json").read_text())


def main() -> None:
    for name, polygons in (("boxes", False), ("polygons", True)):
        target = HERE / f"ultralytics-{name}"
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory() as work:
            given, made = Path(work, "given"), Path(work, "made")
            given.mkdir()
            shutil.copy(HERE / "truth.json", given / "train.json")
            convert_coco(str(given), str(made), use_segments=polygons, cls91to80=False)
            shutil.copytree(made / "labels", target / "labels")
        names = [row["name"] for row in TRUTH["categories"]]
        (target / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/train\nnames: {json.dumps(names)}\n")


if __name__ == "__main__":
    main()

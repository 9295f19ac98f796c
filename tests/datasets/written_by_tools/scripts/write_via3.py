"""The truth in VIA 3, in a browser without a window: its own functions take the regions and save and export the project.

    python write_via3.py VIA_HTML

VIA_HTML is VIA 3 in one file, as in the package annomate-mcp (via_image_annotator.html; what that adds at its end is taken out).
Needs Chromium; nothing leaves this machine.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
POINT, RECTANGLE, CIRCLE, ELLIPSE, LINE, POLYLINE, POLYGON = range(1, 8)
DRIVER = """
<script>
const job = JOB;
const pending = [];
_via_util_download_as_file = (blob) => pending.push(blob.text());
(async () => {
  via.d.store.project.pname = "cars";
  const options = {};
  job.classes.forEach((name, index) => { options[index] = name; });
  const kind = await via.d.attribute_add("damage", "FILE1_Z0_XY1", _VIA_ATTRIBUTE_TYPE.SELECT, "What is damaged", options, "");
  for (const file of job.files) {
    const fid = await via.d.file_add(file.name, _VIA_FILE_TYPE.IMAGE, _VIA_FILE_LOC.LOCAL, file.name);
    const vid = await via.d.view_add([fid]);
    for (const [xy, label] of file.regions) {
      await via.d.metadata_add(vid, [], xy, label === null ? {} : { [kind]: String(job.classes.indexOf(label)) });
    }
  }
  via.d.project_save();
  via.ie.export_to_file("via3_csv");
  via.ie.export_to_file("coco");
  const out = document.createElement("pre");
  out.id = "saved";
  out.textContent = JSON.stringify(await Promise.all(pending));
  document.body.replaceChildren(out);
})();
</script>
"""


def main(page: Path) -> None:
    truth = json.loads((HERE / "truth.json").read_text())
    names = {row["id"]: row["name"] for row in truth["categories"]}
    files = []
    for image in truth["images"][:2]:
        rows = [row for row in truth["annotations"] if row["image_id"] == image["id"]]
        regions = [[[POLYGON, *part], names[row["category_id"]]] for row in rows for part in row["segmentation"]]
        files.append({"name": image["file_name"], "regions": regions})
    export(page, "polygons", files, list(names.values()))
    shapes: list[Any] = [
        [[RECTANGLE, 217.82, 83.65, 12.36, 60.07], "broken_part"],
        [[CIRCLE, 213, 121, 10], "dent"],
        [[ELLIPSE, 270, 90, 6, 25], "broken_part"],
        [[POINT, 160, 120], "dent"],
        [[LINE, 32, 131, 50, 151], "scratch"],
        [[POLYLINE, 32, 131, 40, 147, 50, 151], "scratch"],
        [[POLYGON, 100, 100, 120, 100, 120, 115], None],
    ]
    export(
        page, "shapes", [{"name": "car_00.jpg", "regions": shapes}, {"name": "car_04.jpg", "regions": []}], list(names.values())
    )


def export(page: Path, name: str, files: list[dict[str, Any]], classes: list[str]) -> None:
    text = page.read_text(encoding="utf-8")
    text = text[: text.index("/* annomate:")].rpartition("<script>")[0]
    text = re.sub(
        r"<script type=\"text/javascript\">\s*\(function\(i,s,o,g,r,a,m\).*?</script>", "", text, count=1, flags=re.DOTALL
    )
    with tempfile.TemporaryDirectory() as folder:
        driven = Path(folder) / "via.html"
        driven.write_text(text + DRIVER.replace("JOB", json.dumps({"files": files, "classes": classes}), 1) + "</body></html>")
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--dump-dom", driven.as_uri()]
        dom = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    found = re.search(r'<pre id="saved">(.*?)</pre>', dom, re.DOTALL)
    assert found, "VIA did not come to its end"
    saved = json.loads(html.unescape(found[1]))
    target = HERE / f"via3-{name}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for content, file in zip(saved, ("via_project.json", "export.csv", "coco.json"), strict=True):
        (target / file).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

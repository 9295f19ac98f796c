"""The page of a run's results with many photos: size, what writing it takes, and how a browser bears it.

    python benchmarks/results_page.py examples --photos 1000 -o build/page

Assesses the photos of a folder with the default bundle, writes results of so many photos, copies of theirs under names of their
own, and opens the page in Chromium: first paint, how long filtering and sorting take, and how long frames take while the page is
scrolled from top to bottom. Needs the package `playwright` and Chromium.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import dentify
from dentify.batch import drawn_pictures
from dentify.sinks import FolderSink, Format, Result
from dentify.sources import iter_photos

FORMATS: tuple[Format, ...] = ("json", "page")
SCROLL = """async () => {
  const frames = [];
  let last = performance.now();
  const height = document.documentElement.scrollHeight;
  for (let at = 0; at < height; at += innerHeight / 4) {
    scrollTo(0, at);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  frames.sort((a, b) => a - b);
  return [frames.length, frames[Math.floor(frames.length / 2)], frames[Math.floor(frames.length * 0.95)], frames.at(-1)];
}"""
PAINT = """() => new Promise(resolve => new PerformanceObserver(
  list => resolve(list.getEntriesByName('first-contentful-paint')[0].startTime)).observe({type: 'paint', buffered: true}))"""
TIMED = "() => { const t = performance.now(); %s; document.body.offsetHeight; return performance.now() - t; }"


def write_results(photos: Path, folder: Path, count: int) -> None:
    """Results of `count` photos; prints what writing took."""
    assessor = dentify.load()
    results = []
    for photo in iter_photos([photos]):
        data = photo.read()
        decoded = assessor.decode(data, name=photo.where)
        assessment = assessor.assess(decoded, name=photo.name)
        pictures = drawn_pictures(data, decoded, assessment, FORMATS, settings=assessor.settings)
        results.append(Result(assessment, pictures=pictures.page))
    if folder.exists():
        shutil.rmtree(folder)
    with FolderSink(folder, formats=FORMATS, damage_types=assessor.bundle.manifest.counted_types) as sink:
        for number in range(count):
            one = results[number % len(results)]
            named = one.assessment.photo.model_copy(update={"name": f"claim {number // 20:03}/{number:05}.jpg"})
            sink.write(Result(one.assessment.model_copy(update={"photo": named}), pictures=one.pictures))
        before, clock = time.process_time(), time.perf_counter()
    used, took = time.process_time() - before, time.perf_counter() - clock
    page, files = folder / "index.html", [path for path in folder.rglob("*") if path.is_file()]
    print(f"{count} photos; writing the page took {used:.1f} s of a processor, {took:.1f} s by the clock")
    size = sum(path.stat().st_size for path in files)
    print(f"index.html {page.stat().st_size / 1e6:.1f} MB, all {len(files)} files {size / 1e6:.0f} MB")
    print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, the assessor included")


def open_in(browser: Any, address: str, width: int, height: int) -> None:
    """Prints how a browser of one size bears the page."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(address, wait_until="commit")
    paint = page.evaluate(PAINT)
    page.wait_for_load_state("load")
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    frames, median, late, longest = page.evaluate(SCROLL)
    filtered = page.evaluate(TIMED % "fields.group.value = 'damaged'; filter()")
    sorted_ = page.evaluate(TIMED % "fields.sort.value = 'name'; sort()")
    heap = page.evaluate("performance.memory.usedJSHeapSize / 1e6")
    print(f"{width} × {height}: first paint {paint:.0f} ms, loaded {loaded:.0f} ms; scrolling, {frames} frames: median", end=" ")
    print(f"{median:.0f} ms, 95 % below {late:.0f} ms, longest {longest:.0f} ms", end="; ")
    print(f"filter {filtered:.0f} ms, sort {sorted_:.0f} ms, heap {heap:.0f} MB")
    page.close()


def main() -> None:
    """Writes, opens, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--photos", dest="count", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/page"))
    given = parser.parse_args()
    write_results(given.photos, given.output, given.count)

    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width, height in ((360, 780), (1280, 800), (3840, 2160)):
            open_in(browser, (given.output / "index.html").resolve().as_uri(), width, height)
        browser.close()


if __name__ == "__main__":
    main()

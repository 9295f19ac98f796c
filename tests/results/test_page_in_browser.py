"""The page of results in a real browser: filtered, sorted, looked at closely, moved, on a phone, without a mouse."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from answers import answer, finding
from dentify.assessment import PartOfFinding, Presence, Review, Severity
from dentify.results.pictures import page_pictures
from dentify.sinks import FolderSink, Result

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "axe-core" / "axe.min.js"
HOSTILE = "<img src=x onerror=hacked=1>\"'</script><script>hacked=1</script>.jpg"
YES, NO = Presence(present=True, confidence=0.95), Presence(present=False, confidence=0.8)
WIDTHS = {"phone": (360, 780), "laptop": (1280, 800), "wall": (3840, 2160)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        try:
            opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start here: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos in two folders: one with two findings, one in doubt, one undamaged with a hostile name, one minor dent."""
    door = PartOfFinding(name="front_left_door", confidence=0.9, share_of_finding=1, share_of_part=0.1)
    findings = (
        finding(1, "scratch", confidence=0.95, area_share=0.5, box=(20, 10, 180, 90), mask=None, parts=(door,)),
        finding(2, "dent", confidence=0.4, parts=()),
    )
    answers = [
        answer("b/10.jpg", damage=YES, findings=findings, severity=Severity(level="severe", confidence=0.8)),
        answer("a/2.jpg", damage=YES, findings=findings[1:], severity=Severity(level="minor", confidence=0.8)),
        answer("doubtful.jpg", damage=NO, review=Review(needed=True)),
        answer(HOSTILE, damage=NO),
    ]
    folder = tmp_path_factory.mktemp("results") / "out"
    with FolderSink(folder, formats=("json", "page"), damage_types=("dent", "scratch")) as sink:
        for shade, one in enumerate(answers):
            pictures = page_pictures(np.full((500, 1000, 3), 60 + 40 * shade, np.uint8))
            sink.write(Result(one, pictures=pictures))
        sink.fail("gone.jpg", "ImageError", "gone.jpg: the file is empty")
    return folder


@pytest.fixture
def show(browser: Any) -> Iterator[Any]:
    """`show(folder)` opens its page, which must ask for nothing but files, run no stranger's script and complain of nothing."""
    contexts = []
    faults: list[str] = []

    def run(folder: Path, size: str = "laptop", scheme: str = "light", *, may_miss: bool = False) -> Any:
        width, height = WIDTHS[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=size == "phone")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda one: None if one.url.startswith(("file:", "data:")) else faults.append(one.url))
        if not may_miss:
            page.on("console", lambda one: faults.append(one.text))
        page.goto((folder / "index.html").as_uri())
        return page

    yield run
    hacked = [context.pages[0].evaluate("typeof hacked") for context in contexts]
    for context in contexts:
        context.close()
    assert faults == []
    assert set(hacked) <= {"undefined"}


def names(page: Any) -> list[str]:
    return [one.text_content() for one in page.locator(".card:visible h2").all()]  # what is drawn late has no inner text yet


def test_filters_sorts_and_counts(show: Any, results: Path) -> None:
    page = show(results)
    assert names(page) == ["b/10.jpg", "a/2.jpg", "doubtful.jpg", HOSTILE]
    page.get_by_label("damaged 2").check(force=True)
    assert names(page) == ["b/10.jpg", "a/2.jpg"]
    page.locator("select[name=type]").select_option(label="scratch (1)")
    assert names(page) == ["b/10.jpg"]
    assert page.locator("output").inner_text() == "1 of 4 shown"
    page.locator("select[name=severity]").select_option(label="minor (1)")
    assert names(page) == []
    page.get_by_role("button", name="Show all photos").click()
    assert len(names(page)) == 4
    page.locator("select[name=part]").select_option(label="front left door (1)")
    assert names(page) == ["b/10.jpg"]
    page.locator("select[name=part]").select_option("")
    page.locator("select[name=sort]").select_option("name")
    assert names(page)[-3:] == ["a/2.jpg", "b/10.jpg", "doubtful.jpg"]
    page.get_by_label("Name contains").fill("SCRIPT")
    assert names(page) == [HOSTILE]
    page.get_by_label("Name contains").fill("")
    page.get_by_label("needs a look 1").check(force=True)
    assert names(page) == ["doubtful.jpg"]


def test_findings_and_their_lines_lead_to_each_other(show: Any, results: Path) -> None:
    page = show(results)
    card = page.locator(".card").first
    card.locator(".chips li").nth(1).hover()
    assert card.locator("g.lit").get_attribute("data-finding") == "2"
    page.mouse.move(0, 0)
    assert card.locator(".lit").count() == 0
    card.locator("g[data-finding='2'] .casing").hover()
    assert "2 · dent, possible" in card.locator("li.lit").inner_text()
    card.locator("g[data-finding='2'] .casing").click()
    stage = page.locator("dialog .stage")
    pressed = stage.locator("button[aria-pressed=true]")
    assert pressed.inner_text() == "2. dent."
    page.mouse.move(0, 0)
    assert stage.locator("g.lit").get_attribute("data-finding") == "2"
    stage.get_by_role("button", name="1. scratch.").click()
    assert stage.locator("g.lit").get_attribute("data-finding") == "1"
    stage.locator("g[data-finding='2'] .casing").click()
    assert pressed.inner_text() == "2. dent."


def test_markings_can_be_hidden(show: Any, results: Path) -> None:
    page = show(results)
    page.get_by_label("Markings").first.uncheck()
    assert page.locator(".marks").first.is_hidden()
    page.locator(".card h2 a").first.click()
    assert page.locator("dialog .marks").is_hidden()
    page.locator("dialog").get_by_label("Markings").check()
    assert page.locator("dialog .marks").is_visible()


def test_all_of_it_goes_without_a_mouse(show: Any, results: Path) -> None:
    page = show(results)
    page.locator(".card h2 a").first.focus()
    page.keyboard.press("Enter")
    title = page.locator("#looked")
    assert title.inner_text() == "b/10.jpg"
    page.keyboard.press("ArrowRight")
    assert title.inner_text() == "a/2.jpg"
    page.keyboard.press("m")
    assert page.locator("dialog .marks").is_hidden()
    page.keyboard.press("ArrowLeft")
    assert title.inner_text() == "b/10.jpg"
    assert page.url.endswith("#p1")
    page.get_by_role("button", name="2. dent.").focus()
    page.keyboard.press("Space")
    assert page.locator("dialog g.lit").get_attribute("data-finding") == "2"
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_hidden()
    assert page.evaluate("document.activeElement.textContent") == "b/10.jpg"


def width_of_picture(page: Any) -> int:
    page.wait_for_function("document.querySelector('dialog img').complete")
    page.wait_for_timeout(200)
    return int(page.evaluate("document.querySelector('dialog img').naturalWidth"))


def test_a_moved_folder_is_whole_and_a_lone_page_shows_the_essentials(show: Any, results: Path, tmp_path: Path) -> None:
    moved = tmp_path / "another place, ü#?"
    shutil.copytree(results, moved)
    lone = tmp_path / "lone"
    lone.mkdir()
    shutil.copy(results / "index.html", lone)
    for folder, width in ((moved, 1000), (lone, 400)):
        page = show(folder, may_miss=folder == lone)
        page.locator(".card h2 a").first.click()
        assert width_of_picture(page) == width
        assert page.locator("dialog g").count() == 2
        assert page.get_by_role("button", name="2. dent.").is_visible()


def test_a_link_to_a_photo_opens_it(show: Any, results: Path) -> None:
    page = show(results)
    page.goto("about:blank")
    page.goto((results / "index.html").as_uri() + "#p2")
    assert page.locator("#looked").inner_text() == "a/2.jpg"


def test_without_its_script_it_is_a_list_with_all_reports(browser: Any, results: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((results / "index.html").as_uri())
    assert page.locator("#filters").is_hidden()
    assert page.get_by_text("1. scratch.").is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", WIDTHS)
def test_it_fits_any_screen_and_keeps_nobody_out(show: Any, results: Path, size: str, scheme: str) -> None:
    """Nothing sticks out at the side, and axe finds no serious fault, of the list and of a photo."""
    page = show(results, size, scheme)
    for step in ("list", "photo"):
        if step == "photo":
            page.locator(".card h2 a").first.click()
            page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(done => done.violations)")
        faults = [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert faults == [], step


def test_a_thousand_photos_are_filtered_at_once_and_only_those_in_sight_are_drawn(show: Any, tmp_path: Path) -> None:
    pictures = page_pictures(np.full((50, 100, 3), 128, np.uint8))
    with FolderSink(tmp_path / "out", formats=("json", "page"), damage_types=("dent",)) as sink:
        for number in range(1000):
            sink.write(
                Result(answer(f"{number}.jpg", damage=YES if number % 2 else NO, findings=(finding(),)), pictures=pictures)
            )
    page = show(tmp_path / "out")
    took = page.evaluate(
        "(() => { const t = performance.now(); fields.group.value = 'damaged'; filter(); document.body.offsetHeight;"
        " return performance.now() - t; })()"
    )
    assert page.locator("output").inner_text() == "500 of 1000 shown"
    assert took < 2000  # milliseconds; some tens where nothing else runs
    drawn = page.evaluate("shown.filter(card => card.querySelector('h2').checkVisibility({contentVisibilityAuto: true})).length")
    assert drawn < 100

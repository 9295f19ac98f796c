"""The page of results as a file: what it holds, in which order, and that no name becomes markup."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import answer, finding
from dentify.assessment import AnswerSettings, Assessment, PhotoType, Presence, Review, Severity
from dentify.results import page as page_module
from dentify.results.files import large_picture, small_picture
from dentify.results.page import PageIndex, results_page
from html_page import Page

YES = Presence(present=True, confidence=0.95)
LOOK = Review(needed=True)


def made(*answers: Assessment, files: dict[str, bytes] | None = None, **options: Any) -> str:
    """The page of answers whose photos all have pictures, unless `files` says which there are."""
    index = PageIndex()
    for one in answers:
        index.add(one)
    by_name = {one.photo.name: one for one in answers}

    def read(name: str) -> bytes | None:
        return b"picture of " + name.encode(errors="replace") if files is None else files.get(name)

    return "".join(results_page(index, ((name, by_name[name]) for name in index.names()), read, **options))


def elements(page: Page, tag: str) -> list[dict[str, str | None]]:
    return [attributes for name, attributes in page.elements if name == tag]


def test_photos_that_are_damaged_or_in_doubt_come_first() -> None:
    page = Page(made(answer("a.jpg"), answer("b.jpg", review=LOOK), answer("c.jpg", damage=YES)))
    assert re.findall(r"[abc]\.jpg", page.text) == ["c.jpg", "b.jpg", "a.jpg"]
    assert [one["data-group"] for one in elements(page, "article")] == ["damaged ", "look ", "other"]


def test_a_card_has_outlines_labels_and_report_that_share_numbers() -> None:
    two = (finding(1, "dent", confidence=0.95), finding(2, "scratch", confidence=0.3, area_share=0.5))
    page = Page(made(answer(damage=YES, findings=two)))
    outlines = [(one["data-finding"], one["class"]) for one in elements(page, "g")]
    assert outlines == [("2", "possible"), ("1", "clear")]  # the small one lies on the large one
    assert [one["data-finding"] for one in elements(page, "li") if "data-finding" in one] == ["1", "2"]
    assert [one["data-finding"] for one in elements(page, "button") if "data-finding" in one] == ["1", "2"]
    assert "2 · scratch, possible" in page.text
    assert re.search(r"\d %", page.text) is None  # certainty in words, never a percentage that could be an extent


def test_what_is_counted_can_be_filtered() -> None:
    severe = Severity(level="severe", confidence=0.7)
    page = Page(made(answer("a.jpg", damage=YES, severity=severe, findings=(finding(),)), answer("b.jpg", review=LOOK)))
    for text in ("1 damaged · 1 needs a look", "dent (1)", "front left door (1)", "severe (1)", "others 0"):
        assert text in page.text
    first, second = elements(page, "article")
    assert (first["data-types"], first["data-parts"], first["data-severity"]) == ("0", "0", "3")
    assert (second["data-types"], second["data-parts"], second["data-severity"]) == ("", "", "0")


def test_small_pictures_are_within_and_all_else_lies_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_HELD", 1)
    page = Page(made(answer("a b/ü?#.jpg"), answer("b.jpg")))
    first, second = elements(page, "img")
    assert str(first["src"]).startswith("data:image/webp;base64,")
    assert first["data-large"] == "index_files/large/a%20b/%C3%BC%3F%23.jpg.jpg"
    assert second["src"] == "index_files/small/b.jpg.webp"
    assert [one["href"] for one in elements(page, "a")][1] == "a%20b/%C3%BC%3F%23.jpg.json"


def test_without_its_pictures_a_photo_shows_the_annotated_one_or_none() -> None:
    both = {small_picture("a"): b"small", large_picture("a"): b"large"}
    for files, sources, outlines in (
        (both, 1, 1),
        ({"a.photo.jpg": b"drawn"}, 1, 0),  # outlines are on it already
        ({}, 0, 0),
    ):
        page = Page(made(answer("a", findings=(finding(),)), files=files))
        assert len(elements(page, "img")) == sources
        assert len(elements(page, "g")) == outlines
        assert "1. dent." in page.text


def test_an_answer_of_an_older_schema_has_its_report() -> None:
    page = Page(made(answer(report="One dent.\nNot judged: cracks.", report_lines=())))
    assert "One dent." in page.text
    assert "Not judged: cracks." in page.text


def test_types_of_the_whole_photo_are_told_without_a_place() -> None:
    page = Page(made(answer(types=(PhotoType(type="dent", confidence=0.6),))))
    assert "dent, probable" in page.text
    assert "dent (1)" in page.text


def test_photos_that_failed_are_listed() -> None:
    page = Page(made(failed=["a.jpg: the file is empty"], failures=1))
    assert "1 failed" in page.text
    assert "a.jpg: the file is empty" in page.text


def test_the_page_speaks_the_language_asked_for_and_says_where_a_report_does_not() -> None:
    page = Page(made(answer("a.jpg"), answer("b.jpg", settings=AnswerSettings(language="de")), language="de"))
    assert elements(page, "html") == [{"lang": "de"}]
    assert "2 Fotos" in page.text
    assert [one.get("lang") for one in elements(page, "article")] == ["en", None]


def test_its_policy_allows_its_own_script_and_styles_and_no_others() -> None:
    text = made(answer())
    policy = unescape(re.search(r'Content-Security-Policy content="([^"]*)"', text)[1])  # type: ignore[index]
    assert policy.startswith("default-src 'none'; img-src 'self' file: data:; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert " style=" not in re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)


ODD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.sampled_from(
        [
            "</script><script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "' onmouseover='alert(1)",
            "</title><base href=https://evil.example>",
            "<!--",
            "{{ 7 * 7 }}{% raw %}",
            "&lt;b&gt;",
            "javascript:alert(1)//",
            "../../../etc/passwd",
            "]]></svg><svg onload=alert(1)>",
        ]
    ),
)


@given(ODD, ODD, ODD)
def test_no_name_becomes_markup(name: str, kind: str, part: str) -> None:
    """Whatever photo, type and part are called, the page has the elements and the texts that it has for plain names."""

    def page(name: str, kind: str, part: str) -> Page:
        parts = (finding().parts[0].model_copy(update={"name": part}),)
        one = answer(name, damage=YES, findings=(finding(kind=kind, parts=parts),))
        return Page(made(one, failed=[name], failures=1, tables=["findings.csv"]))

    plain, odd = page("n", "t", "p"), page(name, kind, part)
    assert [(tag, attributes.keys()) for tag, attributes in odd.elements] == [
        (tag, attributes.keys()) for tag, attributes in plain.elements
    ]
    assert name in odd.text
    for attributes in elements(odd, "a"):
        assert not re.match(r"[a-z]+:|//|/", str(attributes["href"]), re.IGNORECASE)

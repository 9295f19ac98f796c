"""Pages on one base: what is told is text, and a browser is told to fetch nothing."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from dentify.pages import render_page
from html_page import Page


def page(**values: Any) -> Page:
    filled: dict[str, Any] = {"title": "t", "head": "h"}
    filled |= dict.fromkeys(("notes", "sections", "confusions", "plots", "overlays", "mistakes"), ())
    return Page(render_page("evaluation.html", **filled | values))


def test_every_text_is_escaped_wherever_it_stands() -> None:
    odd = "<script>alert(1)</script>\"'><img src=https://evil.example onerror=x>"
    section = {"before": odd, "rows": [(odd, "a"), (odd, odd)], "after": odd}
    made = page(
        title=odd,
        head=odd,
        notes=[odd],
        sections=[section],
        confusions=[(odd, [(odd,), (odd,)])],
        plots=[(odd, "data:image/png;base64,")],
        overlays=[(odd, [("data:image/jpeg;base64,", odd)])],
        mistakes=[(odd, [("data:image/jpeg;base64,", odd)])],
    )
    assert made.asks_nobody()
    assert made.text.count(odd) == 16
    assert [one["alt"] for tag, one in made.elements if tag == "img"] == [odd, "", ""]


def test_an_empty_page_is_its_head() -> None:
    assert page().tags == {"html", "meta", "title", "style", "body", "h1", "h2", "p"}


def test_what_a_template_lacks_is_a_fault_and_no_blank() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_page("evaluation.html", title="t")

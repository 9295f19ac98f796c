"""What a browser would make of a page; shared by the tests of pages."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

from PIL import Image

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Page(HTMLParser):
    """A page's elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def pictures(self) -> list[Image.Image]:
        """The pictures that it holds, each of which must be one."""
        found: list[Image.Image] = []
        for source in (one["src"] for tag, one in self.elements if tag == "img"):
            kind, _, data = str(source).partition(";base64,")
            assert kind in ("data:image/png", "data:image/jpeg")
            picture = Image.open(io.BytesIO(base64.b64decode(data)))
            picture.load()
            found.append(picture)
        return found

    def asks_nobody(self) -> bool:
        """Whether a browser fetches and runs nothing for it, and is told not to."""
        policy = [one["content"] for tag, one in self.elements if tag == "meta" and "http-equiv" in one]
        keys = {key for _, one in self.elements for key in one}
        sources = [str(one["src"]) for _, one in self.elements if "src" in one]
        return (
            policy == [POLICY]
            and not keys & {"href", "action", "srcset", "background", "data"}
            and not any(key.startswith("on") for key in keys)
            and all(source.startswith("data:image/") for source in sources)
            and not self.tags & {"script", "link", "iframe", "object", "embed", "form", "base", "svg"}
        )

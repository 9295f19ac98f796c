"""HTML pages that hold what they show: Jinja2 templates on one base, nothing fetched from anywhere.

Whatever a name, a label or a note says is text and never markup: templates escape by themselves. The policy of each page forbids
a browser to load anything from elsewhere, should markup get through all the same; scripts and styles of a page that has a script
are named in it by their hashes, so that no other runs.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import jinja2

_FOLDER = Path(__file__).parent
_PIECES = 500  # of a template, which are short, in one of a stream


def render_page(template: str, **values: Any) -> str:
    """A page.

    Args:
        template: the file's name in this folder.
        values: what the template names.
    """
    return _template(template).render(values)


def stream_page(template: str, *, style: str, script: str, **values: Any) -> Iterator[str]:
    """A page with a style sheet and a script of its own, piece by piece: a lazy value is taken as the page comes to it.

    Args:
        template: the file's name in this folder.
        style: likewise.
        script: likewise.
        values: what the template names beside `style`, `script` and `policy`.
    """
    import markupsafe

    texts = {name: (_FOLDER / file).read_text(encoding="utf-8") for name, file in (("style", style), ("script", script))}
    policy = (
        "default-src 'none'; img-src 'self' file: data:; "
        f"style-src '{_source(texts['style'])}'; script-src '{_source(texts['script'])}'; base-uri 'none'; form-action 'none'"
    )
    ours = {name: markupsafe.Markup(text) for name, text in texts.items()}  # noqa: S704 - files of this folder
    stream = _template(template).stream(**values, **ours, policy=policy)
    stream.enable_buffering(_PIECES)
    return stream


def _source(text: str) -> str:
    """What a policy calls a script or style that is within the page."""
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode('ascii')}"


def _template(name: str) -> jinja2.Template:
    import jinja2  # what is not written as a page does without

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def picture_address(data: bytes, kind: Literal["png", "jpeg"]) -> str:
    """A picture's file as an address that holds it.

    >>> picture_address(b"picture", "png")
    'data:image/png;base64,cGljdHVyZQ=='
    """
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"

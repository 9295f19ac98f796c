"""HTML pages that hold all they show: Jinja2 templates on one base, pictures within, no scripts, nothing fetched.

Whatever a name, a label or a note says is text and never markup: templates escape by themselves. The policy of the base forbids a
browser to load anything, should markup get through all the same.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Literal

from dentify.errors import MissingExtraError


def render_page(template: str, *, what: str, extra: str, **values: Any) -> str:
    """A page.

    Args:
        template: the file's name in this folder.
        what: the page, for the message that its packages are missing.
        extra: which brings them.
        values: what the template names.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    check_installed(what=what, extra=extra)
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)


def check_installed(*, what: str, extra: str) -> None:
    """Makes sure that pages can be made, before the work is done.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401 - pages alone need it
    except ImportError as error:
        raise MissingExtraError(what=what, extra=extra) from error


def picture_address(data: bytes, kind: Literal["png", "jpeg"]) -> str:
    """A picture's file as an address that holds it.

    >>> picture_address(b"picture", "png")
    'data:image/png;base64,cGljdHVyZQ=='
    """
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"

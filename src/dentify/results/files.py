"""What the files of a run's results are called, in the folder or zip that holds them."""

from __future__ import annotations

FINDINGS = "findings.csv"
COCO = "results.coco.json"
CROPS = "findings_crops"
PAGE = "index.html"
PAGE_FILES = "index_files"
"""The folder of its photos. Explorer moves and copies a folder of this name together with the page."""


def large_picture(stem: str) -> str:
    """Where a photo lies in the size to look at closely; `stem` is what its outputs are called."""
    return f"{PAGE_FILES}/large/{stem}.jpg"


def small_picture(stem: str) -> str:
    """Where it lies in the size of a card."""
    return f"{PAGE_FILES}/small/{stem}.webp"

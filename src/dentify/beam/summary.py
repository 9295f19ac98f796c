"""`Summary`: how a run of `preprocess` came out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """How a run came out; without its notes the content of `_SUCCESS`.

    Attributes:
        photos: all that were listed, and labels that could not be used.
        written: pictures.
        exact_duplicates: photos left out since another's file is the same.
        near_duplicates: photos left out since they show the same as another.
        failed: photos and labels that could not be used; one line each in `errors.jsonl`.
        shards: files that the pictures are in; 0 for single pictures.
        notes: what a user should know of how the input was read.
    """

    photos: int
    written: int
    exact_duplicates: int
    near_duplicates: int
    failed: int
    shards: int
    notes: tuple[str, ...] = ()

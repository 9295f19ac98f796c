"""The languages that people are told in: one file each, holding every word that a report, a reason for review or a drawing says.

A language is a subclass of `Words`: tables, and the sentences that are its own. Fields decide what is said; a language only says
it. A further language is one more file, one more `Language` and one more line in `in_language`.

Names of a user's own are told as they are spelled, `_` as a space, and no grammar is guessed at: sentences are built so that a
name needs neither article nor gender nor plural. Several of one such type are `3 × hail mark`.
"""

from __future__ import annotations

from typing import Literal, get_args

from dentify.languages.english import ENGLISH
from dentify.languages.words import Words, as_sentence, as_spelled

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

__all__ = ["ENGLISH", "LANGUAGES", "Language", "Words", "as_sentence", "as_spelled", "in_language"]


def in_language(language: Language) -> Words:
    """The words of a language.

    >>> in_language("en").damage("tire_flat"), in_language("de").damage("tire_flat")
    ('flat tyre', 'platter Reifen')
    """
    match language:
        case "en":
            return ENGLISH
        case "de":
            from dentify.languages.german import GERMAN  # loaded by those who ask for it

            return GERMAN

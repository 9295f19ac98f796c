"""What holds in every language: all that can be said has words, own names stay as they are, and no text stands elsewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dentify
from dentify import assessment as told
from dentify.certainty import CERTAINTIES
from dentify.imaging import colour, decode
from dentify.languages import LANGUAGES, Language, Words, as_spelled, in_language
from dentify.languages.german import GERMAN
from dentify.languages.meanings import Action, Clause, Place, RoughShare, Whole
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, SEVERITY_LEVELS

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


def choices(annotation: Any) -> set[str]:
    """Every word that a type lets one choose."""
    return {word for one in get_args(annotation) for word in ([one] if isinstance(one, str) else choices(one))}


@EVERY_LANGUAGE
def test_everything_that_can_be_said_has_words(language: Language) -> None:
    words = in_language(language)
    assert set(words.ACTIONS) == choices(Action)
    assert set(words.CLAUSES) == choices(Clause)
    assert set(words.PLACES) == choices(Place)
    for bands in (words.CERTAINTIES, words.DAMAGED, words.UNDAMAGED, words.NO_VEHICLE, words.A_VEHICLE):
        assert set(bands) == set(CERTAINTIES)
        assert len(set(bands.values())) == len(CERTAINTIES)
    assert all(words.severity(level, perhaps=False) for level in SEVERITY_LEVELS)


@EVERY_LANGUAGE
def test_every_share_has_words_of_its_own(language: Language) -> None:
    words = in_language(language)
    shares = [words.size(share, of="photo", part_name="", by_box=False) for share in (*sorted(choices(RoughShare)), 3, 40)]
    assert len(set(shares)) == len(shares)
    assert not [text for text in shares if "_" in text]


@EVERY_LANGUAGE
def test_every_name_of_the_taxonomy_has_words(language: Language) -> None:
    words = in_language(language)
    assert set(words.DAMAGES) == set(DAMAGE_NAMES)
    assert set(words.PARTS) == set(PART_NAMES)
    assert len(set(words.PARTS.values())) == len(PART_NAMES)


@EVERY_LANGUAGE
def test_every_way_in_which_a_photo_is_poor_has_words(language: Language) -> None:
    """Words of its own for what says what to do, an adjective for every other."""
    words = in_language(language)
    assert set(words.ISSUES) == {"not_a_photo", "several_photos", "damaged_file"}
    poor = [issue for issue in get_args(told.QualityIssue) if issue not in words.ISSUES]
    for say in (words.poor, words.poor_reason):
        texts = [say([issue]) for issue in poor]
        assert len(set(texts)) == len(poor)
        assert not [text for text in texts if "_" in text]
    assert words.poor([]) not in [words.poor([issue]) for issue in poor]


@EVERY_LANGUAGE
def test_the_page_of_results_has_all_its_words_and_what_is_filled_in(language: Language) -> None:
    words, english = vars(in_language(language).PAGE), vars(in_language("en").PAGE)
    assert all(words.values())
    assert words["sorts"].keys() == english["sorts"].keys()
    for name, text in english.items():
        if isinstance(text, str):
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", words[name])), name


own_names = st.text(min_size=1, max_size=20).filter(lambda name: name not in (*DAMAGE_NAMES, *PART_NAMES))


def sayings(words: Words, name: str, count: int) -> list[str]:
    """Whatever is said of a name of one's own, as a type of damage and as a part."""
    certainty = CERTAINTIES[count % 3]
    of: Whole = "named_part"
    return [
        words.damage(name),
        words.part(name),
        words.counted([(name, count)]),
        words.on_parts([(name, certainty)]),
        words.size("half", of=of, part_name=name, by_box=False),
        words.more([("dent", 2), (name, count)], certainty, worst=None),
        words.as_a_whole([(certainty, [name, "dent"])]),
        words.parts_in_view([(certainty, [name])], more=0),
        words.not_judged([name], vehicle=False, severity=False),
        words.seen_without_vehicle(name, certainty),
        words.seen_undamaged(name, certainty),
        words.doubtful_finding(1, name, 0.4),
        words.weak_finding(1, name),
        words.doubtful_type(name),
        words.weak_type(name),
        words.label(1, name, certainty),
    ]


@EVERY_LANGUAGE
@given(name=own_names, count=st.integers(1, 30))
def test_a_name_of_ones_own_stays_as_it_is_spelled(language: Language, name: str, count: int) -> None:
    spelled = as_spelled(name)
    for text in sayings(in_language(language), name, count):
        assert spelled in text


@EVERY_LANGUAGE
@given(letters=st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=12), count=st.integers(1, 30))
def test_no_plural_article_or_gender_is_guessed_for_it(language: Language, letters: str, count: int) -> None:
    """Whether it is *rust*, *scratches* or *çizik*: what stands around a name is the same for every name."""
    words = in_language(language)
    name, other = f"{letters}_zz", "qqq_zz"
    texts, others = sayings(words, name, count), sayings(words, other, count)
    assert [text.replace(f"{letters} zz", "qqq zz") for text in texts] == others
    assert re.search(r"\b(an?|one|eine?) \w+ zz", " ".join(texts)) is None


@given(st.lists(st.sampled_from(DAMAGE_NAMES), min_size=1, max_size=4, unique=True), st.integers(1, 14))
def test_one_is_never_many(names: list[str], count: int) -> None:
    for words in map(in_language, LANGUAGES):
        text = words.counted([(name, count) for name in names])
        expected = words.damage if count == 1 else words.damages
        assert all(expected(name) in text for name in names)


def test_notes_of_the_decoder_are_told_in_german() -> None:
    """Every note that a report tells of, as `dentify.imaging` spells it."""
    frames = ["first frame of 12", "first page of 2", "main picture of 3", "first frame of 10000 or more"]
    stretched = [f"{kind} picture, stretched to 8 bits" for kind in ("32-bit", "floating-point")]
    for note in [*frames, *stretched, "grey photo", "transparent areas shown white", colour.PROFILE_IGNORED]:
        assert note not in GERMAN.note(note)
    source = Path(decode.__file__).read_text() + Path(colour.__file__).read_text()
    for note in ("grey photo", "transparent areas shown white", "first frame of", "first page of", "main picture of"):
        assert f'"{note}"' in source


# No text stands outside of the languages

SPEAKING = ("report/write.py", "review.py", "imaging/draw.py")
"""What people read is put together here, and all its words come from a language."""


def strings_of(path: Path) -> list[str]:
    """The constant strings of a module with letters in them, but for docstrings and annotations."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        if re.search(r"[^\W\d_]", node.value)
    ]


FIELDS = {name for model in (told.Assessment, told.Finding) for name in model.model_fields}
CODES = set().union(
    *map(
        choices,
        (told.ReviewCode, told.QualityIssue, told.ReportLineKind, Action, Clause, Whole, Language),
    ),
    CERTAINTIES,
)
OF_PILLOW = {"RGB", "JPEG", "lm", "mm", "Ag", "fonts", "DejaVuSans.ttf"}


@pytest.mark.parametrize("module", SPEAKING)
def test_no_text_stands_outside_of_the_languages(module: str) -> None:
    strings = strings_of(Path(dentify.__file__).parent / module)
    strangers = {text for text in strings if text not in FIELDS | CODES | OF_PILLOW}
    assert strangers == set()


def test_that_test_sees_text(tmp_path: Path) -> None:
    spoken = tmp_path / "spoken.py"
    spoken.write_text('"""Says."""\n\ndef say(what: str) -> str:\n    """Says it."""\n    return f"There is {what}"\n')
    assert strings_of(spoken) == ["There is "]

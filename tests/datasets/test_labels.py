"""Label maps: what a source's own words become, and what is said when the map does not tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets import LabelMap, read_label_map
from dentify.datasets.labels import check_words, draft_label_map, names_of, photo_word, severity_word
from dentify.errors import DatasetError
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, SEVERITY_LEVELS

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "labels.yaml"
        path.write_text(text)
        return path

    return write


def test_a_map_says_what_each_word_becomes(written: Written) -> None:
    labels = read_label_map(
        written("""
labels:
  cizik: scratch
  Kaput Hasar: dent
  3: tire_flat          # numbers are words, too
  airbag: null          # left out
  temiz: undamaged      # a word for whole photos
  agir: severe
labelled: [scratch, dent]
attribute: tip
""")
    )
    assert [labels.rename(word) for word in ("cizik", "Kaput Hasar", "3", "airbag")] == ["scratch", "dent", "tire_flat", None]
    assert [labels.rename_photo(word) for word in ("temiz", "agir")] == ["undamaged", "severe"]
    assert labels.labelled == {"scratch", "dent"}
    assert labels.attribute == "tip"


def test_a_target_may_be_any_word_that_dentify_knows(written: Written) -> None:
    labels = read_label_map(written("labels: {a: Glass Shatter, b: bonnet, c: whole}"))
    assert labels.labels == {"a": "glass_shatter", "b": "hood", "c": "undamaged"}


def test_a_target_may_be_a_type_of_ones_own(written: Written) -> None:
    labels = read_label_map(written("labels: {hagel: hail_mark, b: rim_scratch, c: 'part:antenna'}\nlabelled: [hail_mark]\n"))
    assert labels.labels == {"hagel": "hail_mark", "b": "rim_scratch", "c": "part:antenna"}
    assert labels.labelled == {"hail_mark"}
    assert [labels.rename(word) for word in ("hagel", "hail_mark")] == ["hail_mark", "hail_mark"]  # so are data once renamed
    check_words({"hagel": 1, "hail_mark": 1}, labels, "photos")


def test_what_a_word_becomes_may_be_a_vehicle(written: Written) -> None:
    assert read_label_map(written("labels: {auto: vehicle}")).labels == {"auto": "vehicle"}


@pytest.mark.parametrize("slip", ["scrach", "dents", "scratchs", "brokn_part", "front_bumpr", "undamagd", "vehicel"])
def test_a_slip_of_a_name_is_no_type_of_ones_own(written: Written, slip: str) -> None:
    with pytest.raises(DatasetError, match=f"'{slip}' is no name of the taxonomy, .*; did you mean "):
        read_label_map(written(f"labels: {{a: {slip}}}"))
    assert read_label_map(written(f"labels: {{a: {slip}}}"), own=[slip]).labels == {"a": slip}


def test_a_draft_leaves_out_every_word_until_it_is_filled_in(written: Written) -> None:
    words = {"scrtch": 3, "Car": 2, 'a "b": #c\n': 1, "": 1, "no": 4, "Kratzer ü": 1}
    text = draft_label_map(words)
    assert "3×; did you mean `scratch`?" in text
    labels = read_label_map(written(text))
    assert {word for word in words if word.isprintable()} <= set(labels.labels)
    assert {name for word, name in labels.labels.items() if word != "Car"} == {None}
    assert labels.labels["Car"] == "vehicle"


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(1, 9), max_size=4))
def test_a_draft_is_always_a_map_that_is_read(tmp_path_factory: pytest.TempPathFactory, words: dict[str, int]) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.yaml"
    path.write_text(draft_label_map(words))
    assert all(word in read_label_map(path).labels for word in words if word.isprintable())


def test_words_of_the_taxonomy_need_no_entry(written: Written) -> None:
    labels = read_label_map(written("labels: {}"))
    assert labels.rename("Dent") == "dent"
    assert labels.rename_photo("01-whole") == "undamaged"
    assert not labels.knows("airbag")


def test_labelled_may_be_nothing_at_all(written: Written) -> None:
    assert read_label_map(written("labels: {}")).labelled is None  # the source tells
    assert read_label_map(written("labelled: []")).labelled == frozenset()


def test_names_of_a_recipe_or_a_bundle_may_be_meant_and_stand_for_themselves(written: Written) -> None:
    path = written("labels: {hagel: hail_mark}")
    labels = read_label_map(path, own=("hail_mark", "dent"))
    assert [labels.rename(word) for word in ("hagel", "hail_mark", "dent")] == ["hail_mark", "hail_mark", "dent"]
    assert labels.knows("hail_mark")
    assert read_label_map(written("labels: {dent: scratch}"), own=("dent",)).rename("dent") == "scratch"
    # a map that one command takes is taken by all, whether or not what it asks knows the name
    assert read_label_map(written("labels: {hagel: hail_mark}")).rename("hagel") == "hail_mark"


def test_a_name_of_ones_own_is_not_taken_for_a_synonym(written: Written) -> None:
    # who has a bundle that calls a type `bonnet` means that type
    assert read_label_map(written("labels: {}"), own=("bonnet",)).rename("bonnet") == "bonnet"
    assert LabelMap(own=frozenset({"bonnet"})).rename("bonnet") == "bonnet"
    assert LabelMap().rename("bonnet") == "hood"


BOMB = f"- &a [x, x]\n{''.join(f'  - &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]' + chr(10) for n in range(25))}"


def test_an_annotation_that_is_called_damaged_is_damage_of_no_known_type(written: Written) -> None:
    labels = read_label_map(written("labels: {hasar: damage, bozuk: damaged}\nlabelled: [damage, dent]\n"))
    assert [labels.rename(word) for word in ("hasar", "bozuk", "damage", "Damaged", "defect")] == ["damage"] * 5
    assert [labels.rename_photo(word) for word in ("hasar", "bozuk", "damage")] == ["damaged"] * 3
    assert labels.labelled == {"damage", "dent"}
    # what a bundle of one's own may call its type stays as it is
    assert [LabelMap().rename(word) for word in ("damage", "defect", "damaged")] == ["damage", "defect", "damaged"]
    assert LabelMap({"damaged": "damaged"}, others="refused").rename("damaged") == "damaged"


WRONG = {
    "a key that is none": ("label: {a: dent}", r"labels.yaml: no such key: 'label'; did you mean `labels`\?"),
    "a key like no other": ("colour: red", "no such key: 'colour'; known are labels, labelled, attribute"),
    "a target with a slip": (
        "labels: {a: scrach}",
        r"labels: a: 'scrach' is no name of the taxonomy, .*; did you mean `scratch` or `crack`\?",
    ),
    "an empty target": ("labels: {a: ' '}", r"labels: a: ' ' is no name of the taxonomy, whose damage types are dent, scratch,"),
    "a target that is a number": ("labels: {a: 3}", r"labels: a: 3 is no name of the taxonomy"),
    "a target that is a bomb": (f"labels:\n  a:\n  {BOMB}", "aliases make more than"),
    "a list of words": ("labels: [dent]", r"labels must be words and what they mean, as `cizik: scratch`"),
    "no, which YAML takes for false": ("labels: {no: undamaged}", r'labels: False is no word; put words such as "no"'),
    "labelled is one word": ("labelled: dent", "labelled must be a list of names"),
    "labelled with a slip": ("labelled: [dint]", r"labelled: 'dint' is no name of the taxonomy, .*; did you mean `dent`\?"),
    "attribute is a list": ("attribute: [type]", "attribute must be the name of one, got a list"),
    "no mapping": ("- dent", "expected keys and values, got a list"),
    "cut off": ("labels: {a: dent", "broken YAML: "),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_map_that_does_not_hold_is_one_line(written: Written, text: str, message: str) -> None:
    path = written(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_label_map(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unmapped_words_are_told_all_at_once_with_the_nearest_names() -> None:
    words = {"scrtch": 40, "bumper": 3, "dent": 9, "airbag": 2, "": 1}
    with pytest.raises(DatasetError) as caught:
        check_words(words, LabelMap({"airbag": None}, others="refused"), "photos")
    assert str(caught.value) == (
        "photos: 3 labels that are not mapped: (empty) (1×), bumper (3×; did you mean `back_bumper` or `front_bumper`?),"
        " scrtch (40×; did you mean `scratch`?);"
        " say in a label map (--labels, or `labels` in a recipe) what each becomes, or null to leave it out"
    )


def test_of_very_many_words_the_first_hundred_are_told() -> None:
    with pytest.raises(DatasetError, match=r"photos: 250 labels that are not mapped: .* and 150 more; say in a label map "):
        check_words({f"note {number}": 1 for number in range(250)}, LabelMap(others="refused"), "photos")


def test_a_single_unmapped_word_is_told_in_the_singular() -> None:
    with pytest.raises(DatasetError, match="photos: 1 label that is not mapped: zebra"):
        check_words({"zebra": 1}, LabelMap(others="refused"), "photos")


def test_without_a_map_every_word_stays_and_known_ones_become_the_taxonomys() -> None:
    labels = LabelMap()
    assert [labels.rename(word) for word in ("Gocuk", "zebra")] == ["dent", "zebra"]
    check_words({"zebra": 1}, labels, "photos")


def test_words_can_be_kept_as_they_are() -> None:
    labels = LabelMap(others="kept")
    assert [labels.rename(word) for word in ("Gocuk", "zebra")] == ["Gocuk", "zebra"]


def test_what_is_left_out_is_not_labelled() -> None:
    assert names_of(["gocuk", "airbag", "zebra"], LabelMap({"airbag": None})) == {"dent", "zebra"}


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("whole", "undamaged"),
        ("01-whole", "undamaged"),
        ("No Damage", "undamaged"),
        ("00_damaged", "damaged"),
        ("Damage", "damaged"),
        ("not-a-car", "no_vehicle"),
        ("dent", None),
        ("wholesale", None),
        ("", None),
    ],
)
def test_words_for_whole_photos_are_known_by_many_names(word: str, known: str | None) -> None:
    assert photo_word(word) == known


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("minor", "minor"),
        ("01-minor", "minor"),
        ("02-moderate", "moderate"),
        ("3. Severe damage", "severe"),
        ("minority", None),
        ("severely", None),
        ("", None),
    ],
)
def test_severity_is_told_by_the_first_word_behind_a_number(word: str, level: str | None) -> None:
    assert severity_word(word) == level


@given(st.text() | st.sampled_from([*DAMAGE_NAMES, *PART_NAMES, *SEVERITY_LEVELS]))
def test_a_strict_map_knows_exactly_the_words_that_it_does_not_refuse(word: str) -> None:
    labels = LabelMap(others="refused")
    known = labels.rename_photo(word) is not None
    assert labels.knows(word) is known
    if not known:
        with pytest.raises(DatasetError):
            check_words({word: 1}, labels, "photos")


def test_words_of_a_map_are_found_whatever_their_case_and_unicode_form(written: Written) -> None:
    labels = read_label_map(written("labels: {Beule: dent, Kratzer: scratch, kratzer: dent, 'm\u00fcll': null}\n"))
    assert [labels.rename(word) for word in ("BEULE ", "Kratzer", "kratzer", "MU\u0308LL")] == ["dent", "scratch", "dent", None]
    assert not labels.understands("KRATZER")  # two fit
    check_words({"beule": 1}, labels, "photos")


@pytest.mark.parametrize(
    ("word", "name", "level"),
    [
        ("severe scratch", "scratch", "severe"),
        ("Dent-Minor", "dent", "minor"),
        ("moderate_broken_glass", "glass_shatter", "moderate"),
        ("02-moderate", "damage", "moderate"),
        ("minor damage", "damage", "minor"),
        ("dent", "dent", None),
        ("severe weather", "severe weather", None),
    ],
)
def test_a_word_that_tells_how_bad_a_type_is_is_both(word: str, name: str, level: str | None) -> None:
    labels = LabelMap()
    assert (labels.rename(word), labels.severity_of(word)) == (name, level)
    own = LabelMap({word: word}, others="refused")  # a name of one's own stays one
    assert (own.rename(word), own.severity_of(word)) == (word, None)


@pytest.mark.parametrize(
    ("target", "name", "level"),
    [
        ("severe scratch", "scratch", "severe"),
        ("Dent-Minor", "dent", "minor"),
        ("severe damage", "damage", "severe"),
        ("02-moderate", "damage", "moderate"),
        ("severe_corrosion", "severe_corrosion", None),
        ("minor hail", "minor hail", None),
    ],
)
def test_a_target_keeps_its_type_and_its_severity(written: Written, target: str, name: str, level: str | None) -> None:
    labels = read_label_map(written(f"labels: {{wort: {target}}}\n"))
    assert (labels.rename("wort"), labels.severity_of("wort")) == (name, level)
    assert labels.rename_photo("wort") == (level if name == "damage" else name)
    own = read_label_map(written(f"labels: {{wort: {target}}}\n"), own=[target])
    assert (own.rename("wort"), own.severity_of("wort")) == (target, None)


def test_data_that_use_a_graded_target_themselves_mean_the_same(written: Written) -> None:
    labels = read_label_map(written("labels: {tief: severe scratch, agir: severe}\nlabelled: [severe scratch, severe_corrosion]"))
    assert [labels.rename(word) for word in ("tief", "severe scratch", "severe")] == ["scratch", "scratch", "damage"]
    assert labels.severity_of("severe scratch") == "severe"
    assert labels.labelled == {"scratch", "severe_corrosion"}


def test_what_a_map_calls_severe_is_damage_of_no_known_type(written: Written) -> None:
    labels = read_label_map(written("labels: {agir: severe}\n"))
    assert (labels.rename("agir"), labels.severity_of("agir"), labels.rename_photo("agir")) == ("damage", "severe", "severe")

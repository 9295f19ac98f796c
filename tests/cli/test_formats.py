"""Formats have one name each, which every option takes, tells in its help, and lists beside a word that is none."""

from __future__ import annotations

import re

import pytest

from commands import commands
from dentify.cli.formats import DRAFTED, LABELS, WRITTEN, one_of
from dentify.datasets.convert import WRITABLE
from dentify.datasets.formats import FORMATS
from dentify.sinks import FORMATS as RESULTS

from .conftest import Dentify

OPTIONS = ("--format", "--to", "--input-format")
PRINTED = {"table", "json"}
PICTURES = {"jpeg", "webp"}


def known(path: str, option: str) -> set[str]:
    """What an option of a command takes."""
    if option == "--input-format":
        return set(FORMATS)
    if option == "--to":
        return set(DRAFTED if path.endswith("prelabel") else WRITABLE)
    return {"dentify assess": set(RESULTS) - {"crops"}, "dentify dataset preprocess": PICTURES}.get(path, PRINTED)


def options() -> list[tuple[str, str]]:
    return [(path, name) for path, one in commands().items() for param in one.params for name in param.opts if name in OPTIONS]


def test_names_are_those_that_the_room_of_data_sets_knows() -> None:
    assert tuple(FORMATS) == LABELS
    assert WRITTEN == WRITABLE
    assert set(DRAFTED) == set(WRITABLE) - {"masks"}  # which hold no confidences, and no boxes that overlap
    assert len(options()) > 12


@pytest.mark.parametrize(("path", "option"), options())
def test_help_and_error_list_what_an_option_takes_with_the_nearest(dentify: Dentify, path: str, option: str) -> None:
    words = path.split()[1:]
    text = re.sub(r"\s+", " ", dentify(*words, "-h").stdout.partition("Options:")[2])
    (section,) = re.findall(rf" {option} (.*?)(?= -\w, --| --|$)", text)
    for name in known(path, option):
        assert re.search(rf"\b{name}\b", section), name
    near = sorted(known(path, option))[0]
    told = dentify(*words, "a", option, near + "x")
    assert told.exit_code == 2
    listed = re.search(rf"'{near}x' is none of (.*); did you mean `{near}`\?$", told.stderr, re.MULTILINE)
    assert listed is not None, told.stderr
    assert set(listed[1].split(", ")) == known(path, option)


def test_a_word_may_be_in_capitals_and_an_earlier_one_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert [one_of(word, WRITTEN) for word in ("coco", " CVAT", "Label_Studio")] == ["coco", "cvat", "label_studio"]
    assert capsys.readouterr().err == ""
    assert one_of("labelStudio", WRITTEN) == "label_studio"
    assert capsys.readouterr().err == "note: labelStudio is called label_studio; the next version knows no other name\n"

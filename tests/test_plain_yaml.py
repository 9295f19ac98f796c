"""YAML whose aliases do not make more of it than stands there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets import open_dataset
from dentify.datasets.documents import read_yaml
from dentify.errors import DatasetError
from dentify.plain_yaml import load_yaml
from dentify.settings import Settings

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
MERGED = "a: &a {x: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{','.join(['*' + old] * 10)}]}}\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize("text", [BOMB, BOMB + "train: *j\nnames: [dent]\n", MERGED], ids=["lists", "a split", "merged keys"])
def test_aliases_of_aliases_are_refused_at_once(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match="aliases make more than 200,000 nodes of it"):
        load_yaml(text)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "&a {? *a : 1}"])
def test_an_alias_of_what_it_is_part_of_is_refused(text: str) -> None:
    with pytest.raises((ValueError, yaml.YAMLError)):
        load_yaml(text)


@pytest.mark.parametrize("text", ["!!bool 3", "!!timestamp x", "!!int ''", "!!int [1]"])
def test_a_value_that_is_not_what_its_tag_says_is_refused(text: str) -> None:
    with pytest.raises((ValueError, yaml.YAMLError)):
        load_yaml(f"a: {text}")


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "a: " * 50_000, "{" * 5_000 + "}" * 5_000, "? " * 50_000])
def test_nesting_without_end_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError, yaml.YAMLError)):
        load_yaml(text)


def test_yaml_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="262,200 characters, over the limit of 262,144"):
        load_yaml("a" * 262_200)


def test_aliases_that_people_write_are_read() -> None:
    assert load_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": [{"x": 1}, {"x": 1}],
    }


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_it_reads_as_pyyaml_does(value: object) -> None:
    text = yaml.safe_dump(value)
    assert load_yaml(text) == yaml.safe_load(text) == value


def test_a_data_set_with_such_a_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(BOMB + "train: *j\nnames: [dent]\nnc: 1\n")
    with pytest.raises(DatasetError, match=r"data\.yaml: YAML nested too deep or with a value too odd \(aliases make more than"):
        read_yaml(tmp_path / "data.yaml", Settings())
    with pytest.raises(DatasetError):
        open_dataset(tmp_path)

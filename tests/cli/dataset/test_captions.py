"""`dentify dataset captions`: lines of JSON, or a file whole."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import SAY, Dentify, spoiled, write


def test_captions_are_lines_of_json(dentify: Dentify) -> None:
    write()
    Path("data/splits.csv").write_text("file,split\na.png,train\n")
    result = dentify("dataset", "captions", "data", "-n", "3")
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["file_name"], row["split"]) for row in rows] == [("a.png", "train")] * 3 + [("b.png", None)] * 3
    assert all("dent" in row["text"].lower() for row in rows)
    assert dentify("dataset", "captions", "data", "-n", "3").stdout == result.stdout
    assert dentify("dataset", "captions", "data", "-n", "3", "--seed", "1").stdout != result.stdout


def test_captions_go_to_a_file_whole_and_not_over_another(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][1].update(name="hail \ud800"))
    result = dentify("dataset", "captions", "data", "-o", "out/metadata.jsonl")
    told = f"note: data: 1 label that is not mapped: hail \\ud800 (1×); {SAY}"
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"out/metadata.jsonl\n{told}; until then they are neither damage nor parts\n"
    rows = [json.loads(line) for line in Path("out/metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["file_name"] for row in rows] == ["a.png", "b.png"]
    again = dentify("dataset", "captions", "data", "-o", "out/metadata.jsonl")
    assert (again.exit_code, again.stderr) == (1, "error: out/metadata.jsonl: is there already; --overwrite replaces it\n")
    assert dentify("dataset", "captions", "data", "-o", "out/metadata.jsonl", "--overwrite").exit_code == 0
    write("bad", spoiled)
    assert dentify("dataset", "captions", "bad", "-o", "bad.jsonl").exit_code == 1
    assert not Path("bad.jsonl").exists()


def test_captions_need_every_word_of_a_map(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {}")
    result = dentify("dataset", "captions", "data", "--labels", "map.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "1 label that is not mapped: scrtch (1×; did you mean `scratch`?); say" in result.stderr

"""The docs say what the code does: commands, options, settings, errors, keys and dependencies, and links that lead somewhere."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

import dentify
from dentify import errors
from dentify.assessment import Assessment
from dentify.bundle import Manifest
from dentify.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "examples" / "README.md"])


def page(path: str) -> str:
    return (DOCS / path).read_text(encoding="utf-8")


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def keys_of(schema: dict[str, Any]) -> set[str]:
    """Every field name that a JSON Schema declares."""
    models = [schema, *schema.get("$defs", {}).values()]
    return {name for model in models for name in model.get("properties", {})}


def test_the_schema_is_the_one_that_the_code_prints():
    command = [sys.executable, "-m", "dentify.assessment"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    advice = "run: python -m dentify.assessment > docs/reference/assessment.schema.json"
    assert page("reference/assessment.schema.json") == printed, advice


def test_the_example_answer_is_valid():
    (example,) = code_blocks(page("reference/assessment-json.md"), "json")
    assert json.loads(Assessment.model_validate_json(example).to_json()) == json.loads(example)


def test_every_field_of_the_answer_is_explained():
    text = page("reference/assessment-json.md")
    fields = keys_of(Assessment.model_json_schema())
    assert {name for name in fields if not re.search(rf"[`.]{name}(\[\])?[.`]", text)} == set()


def test_every_key_of_the_manifest_is_explained():
    text = page("reference/bundle.md")
    assert {name for name in Manifest.model_fields if f"| `{name}`" not in text and f", `{name}`" not in text} == set()


def test_every_field_of_an_evaluation_and_a_comparison_is_explained():
    results = pytest.importorskip("dentify.evaluation.results", reason="needs the extra evaluate")
    text = page("reference/evaluation-json.md")
    models = [results.Evaluation, results.Comparison, results.ComparedBundle, results.ComparedFigure]
    models += [results.ClassificationResult, results.ClassResult, results.Latency, results.BundleSize, results.EvaluationSettings]
    fields = {name for model in models for name in model.model_fields}
    assert {name for name in fields if f"`{name}`" not in text} == set()


def choices_of(schema: Any) -> set[str]:
    """Every word that a JSON Schema lets someone choose."""
    if isinstance(schema, dict):
        here = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
        return {word for word in here if isinstance(word, str)}.union(*map(choices_of, schema.values()))
    return set().union(*map(choices_of, schema)) if isinstance(schema, list) else set()


def test_every_key_of_a_recipe_is_explained_and_every_word_that_it_takes():
    recipe = pytest.importorskip("dentify.training.recipe", reason="needs the extra train")
    text = page("reference/recipe.md")
    schema = recipe.Recipe.model_json_schema()
    keys, words = keys_of(schema), choices_of(schema)
    assert {"heads", "phases", "stride", "encoder_weights"} <= keys
    assert {"overlapping", "any_damage", "lovasz", "multistep", "efficientnet_fpn"} <= words
    assert {name for name in keys | words if f"`{name}`" not in text and f'`"{name}"`' not in text} == set()


def test_the_tutorials_recipe_is_whole_and_valid(tmp_path):
    recipe = pytest.importorskip("dentify.training.recipe", reason="needs the extra train")
    (text,) = code_blocks(page("tutorials/train-on-your-own-labels.md"), "yaml")
    (tmp_path / "my-recipe.yaml").write_text(text, encoding="utf-8")
    plan = recipe.read_recipe(tmp_path / "my-recipe.yaml")
    assert "hail_mark" in plan.classes.damage
    assert set(plan.origins) == {Path(source.file).stem for source in plan.data.train}


def test_every_setting_has_its_row():
    text = page("reference/settings.md")
    for name, field in Settings.model_fields.items():
        variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
        assert f"| `{name}` | `{variable}` | {field.default} | {field.description} |" in text


def test_every_error_stands_in_the_tree():
    assert errors.__doc__ is not None
    tree = code_blocks(page("reference/errors.md"), "")[0]
    names = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.DentifyError)}
    assert {name for name in names if name not in tree} == set()
    assert [line.strip() for line in tree.splitlines()] == [
        line.strip() for line in errors.__doc__.splitlines() if line.strip().startswith(("DentifyError", "├", "└", "│"))
    ]


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [project["project"]["dependencies"], project["dependency-groups"]["dev"]]
    groups += project["project"]["optional-dependencies"].values()
    names = {re.split(r"[^\w-]", one)[0] for group in groups for one in group} - {"dentify"}
    text = page("explanation/dependencies.md")
    assert {name for name in names if f"**{name}**" not in text} == set()


def test_the_face_is_documented():
    text = page("reference/python.md")
    assert {name for name in dentify.__all__ if f"| `{name}" not in text and f", `{name}`" not in text} == set()


def commands() -> dict[str, Any]:
    """Every command by the words that call it."""
    from dentify.cli import app

    found: dict[str, Any] = {}
    pending: list[tuple[str, Any]] = [("dentify", typer.main.get_command(app))]
    while pending:
        name, command = pending.pop()
        found[name] = command
        if hasattr(command, "commands"):
            context = typer.Context(command)
            pending += [(f"{name} {child}", command.get_command(context, child)) for child in command.list_commands(context)]
    return found


def test_every_command_and_option_is_in_the_reference():
    text = page("reference/cli.md")
    sections = dict(re.findall(r"^##+ (dentify[^\n]*)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    missing, made_up = [], []
    for name, command in commands().items():
        if hasattr(command, "commands") and name != "dentify":
            continue  # a group: its commands have the sections
        section = sections.get(name, "")
        missing += [] if section else [name]
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        spellings = [spelling for option in options for spelling in (*option.opts, *option.secondary_opts)]
        missing += [f"{name} {spelling}" for spelling in spellings if f"`{spelling}" not in section]
        told = [
            spelling
            for row in re.findall(r"^\| (`-.*?) \|", section, re.MULTILINE)
            for spelling in re.findall(r"`(-[^`]*)`", row)
        ]
        made_up += [f"{name} {spelling}" for spelling in told if spelling not in (*spellings, "--help")]
    assert (missing, made_up) == ([], [])


def test_every_command_has_help_and_an_example():
    for name, command in commands().items():
        assert command.help, name
        if not hasattr(command, "commands"):
            assert f"\n{name} " in page("reference/cli.md"), f"{name} has no example in docs/reference/cli.md"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_in_the_docs_is_python(path):
    for block in code_blocks(path.read_text(encoding="utf-8"), "python"):
        if not block.startswith(">>> "):
            compile(block, str(path), "exec")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_with_answers_give_them(path):
    assert doctest.testfile(str(path), module_relative=False, encoding="utf-8").failed == 0


@pytest.mark.parametrize("path", ["README.md", "docs/tutorials/first-assessment.md", "docs/reference/python.md"])
def test_the_first_python_of_a_page_runs_with_the_default_bundle(path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(code_blocks((ROOT / path).read_text(encoding="utf-8"), "python")[0], path, "exec"), {})
    assert "The photo" in capsys.readouterr().out


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## (Unreleased|{re.escape(dentify.__version__)}\b)", text, re.MULTILINE)

"""The docs say what the code does: commands, options, settings, errors, keys and dependencies, and links that lead somewhere."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dentify
from commands import commands
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
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for told, block in blocks if told == language]


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
    models += [results.Found, results.NameResult, results.AnyDamage, results.PixelFigures, results.ToldFigures]
    models += [results.AveragePrecisions, results.FoundConfusion]
    models += [results.SaliencyResult, results.TripleFigures, results.Benchmark]
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


TUTORIAL = "tutorials/train-on-your-own-labels.md"
SMALLER = {"phases.0.steps": 1, "phases.1.steps": 1, "phases.0.size": 64, "phases.1.size": 64, "data.serve_size": 64}
"""What the tutorial's runs are made smaller by; all else is as the page has it."""
SET_UP = ("python3 -m venv ", "source ", "pip install ")
"""How lines begin that prepare a shell, which no test does."""


def files_to_save(text: str) -> dict[str, str]:
    """What a page says to save, by name: blocks that a comment with their file's name stands before."""
    return dict(re.findall(r"^<!-- (\S+) -->\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def typed_lines(text: str) -> list[str]:
    """What a page says to type, line by line."""
    lines = [line for block in code_blocks(text, "") for line in block.splitlines()]
    return [line for line in lines if not re.search(r"──|^\S+/$", line)]  # but the tree of folders


def folders_in(tree: str) -> list[str]:
    """The folders of a drawn tree, as paths."""
    above: list[str] = []
    found = []
    for line in tree.splitlines():
        indent, name = re.match(r"([│├└─ ]*)(\S+)/", line).groups()  # type: ignore[union-attr]
        above[len(indent) // 4 :] = [name]
        found.append("/".join(above))
    return found


def asides(text: str) -> list[str]:
    """Code within sentences and tables."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE))


@pytest.fixture
def labelled_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tutorial's folders and files, with a tiny export of an annotation tool in words of its own."""
    pytest.importorskip("lightning_fabric", reason="needs the extra train")
    from dentify.datasets import Annotation, Sample
    from dentify.datasets.convert import write_dataset

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def paint(colour: tuple[int, int, int] | None) -> bytes:
        picture = cv2.resize(rng.integers(60, 180, (4, 4, 3)).astype(np.uint8), (64, 64), interpolation=cv2.INTER_CUBIC)
        if colour is not None:
            picture[20:44, 16:40] = colour
        return cv2.imencode(".png", picture)[1].tobytes()

    text = page(TUTORIAL)
    for folder in folders_in(next(block for block in code_blocks(text, "") if "──" in block)):
        Path(folder).mkdir(parents=True)
    colours = {"bump": (255, 0, 0), "scuff": (0, 255, 0), "hail": (0, 0, 255), "sticker": (255, 255, 0)}
    outline = np.array([[16.0, 20.0], [40.0, 20.0], [40.0, 44.0], [16.0, 44.0]])
    samples = [
        Sample(paint(colours[word]), f"{n}.png", (64, 64), (Annotation(word, (16, 20, 40, 44), (outline,)),), frozenset(colours))
        for n, word in enumerate([*["bump", "scuff", "hail"] * 4, "sticker"])
    ]
    write_dataset(samples, "my-data/damage", "cvat", names=tuple(colours))
    for n in range(14):
        Path(f"my-data/sound/undamaged/{n}.png").write_bytes(paint(None))
    Path("new-photos/a.png").write_bytes(paint(colours["bump"]))
    for name, content in files_to_save(text).items():
        Path(name).write_text(content, encoding="utf-8")
    return tmp_path


def test_the_tutorial_works_line_by_line(labelled_photos: Path) -> None:
    """On thirteen photos of 64 pixels; runs are made smaller by `SMALLER`, and read photos in one process."""
    import torch
    from typer.testing import CliRunner

    from dentify import Bundle
    from dentify.cli import app

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # pictures this small take longer to share out than to learn from
    smaller = [word for key, value in (SMALLER | {"data.workers": 0}).items() for word in ("--set", f"{key}={value}")]
    typed = [line for line in typed_lines(page(TUTORIAL)) if not line.startswith(SET_UP)]
    try:
        for line in typed:
            name, *words = shlex.split(line)
            done = CliRunner().invoke(app, [*words, *(smaller if words[0] == "train" and "--check" not in words else [])])
            assert (name, done.exit_code) == ("dentify", 0), f"{line}\n{done.output}"
            assert "-o" not in words or Path(words[words.index("-o") + 1]).exists(), line
    finally:
        torch.set_num_threads(threads)
    assert [shlex.split(line)[1] for line in typed] == [
        *["dataset"] * 4,
        *["train"] * 3,
        *["export", "evaluate", "compare", "assess"],
        *["train"] * 2,
    ]
    run_files = re.findall(r"`([\w.]+)/?`", "".join(re.findall(r"^\| (`[^|]*`) \|", page(TUTORIAL).split("## Train\n")[1], re.M)))
    assert {path.name for path in Path("run").iterdir()} <= set(run_files)
    assert Bundle.open("my-bundle").manifest.found_types == ("dent", "scratch", "hail_mark")
    for path in ("my-bundle/MODEL_CARD.md", "results/index.html", "comparison/comparison.html", "out/a.json", "out/a.photo.jpg"):
        assert path in page(TUTORIAL) or path.startswith("out/")
        assert Path(path).is_file()


def test_asides_of_the_tutorial_are_options_and_changes_that_there_are(labelled_photos: Path) -> None:
    from dentify.planning import decide, look
    from dentify.training import read_recipe

    labels = Path("my-data/labels.yaml")
    seen = look([Path("my-data/damage"), Path("my-data/sound")], labels=labels)
    Path("recipe.yaml").write_text(decide(seen, output=Path("run"), data=Path(), labels=labels).recipe, encoding="utf-8")
    options = {spelling for command in commands().values() for one in command.params for spelling in one.opts}
    for code in asides(page(TUTORIAL)):
        words = shlex.split(code)
        assert {word for word in words if word.startswith("-") and words[0].startswith("-")} <= options, code
        assert words[0] != "dentify" or " ".join(words[:3]) in commands() or " ".join(words[:2]) in commands(), code
        if words[0] == "--set":
            assert read_recipe(Path("recipe.yaml"), tuple(words[1:2])) != read_recipe(Path("recipe.yaml")), code
    plan = read_recipe(Path("recipe.yaml"))
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
        made_up += [f"{name} {spelling}" for spelling in told if spelling not in (*spellings, "-h", "--help")]
    assert (missing, made_up) == ([], [])


def lines_to_type(text: str) -> list[str]:
    """Calls of the command in blocks of code, what is piped to and from them left out."""
    blocks = [block for language in ("", "sh", "bash", "console") for block in code_blocks(text, language)]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    calls = [re.search(r"(?:^|[|] |&& )(dentify .*?)(?: [|>&]|$)", re.sub(r"  +(#|\(and).*", "", line)) for line in lines]
    return [call[1] for call in calls if call and "── " not in call[0]]


def examples_in_helps() -> list[str]:
    helps = "\n".join(command.help for command in commands().values())
    return [line.strip() for line in helps.replace("\\\n", " ").splitlines() if line.startswith("  dentify ")]


def calls_to_type() -> list[tuple[str, str]]:
    """Every call that a page says to type, and every example of a help, once, with where it stands."""
    pages = [(path.relative_to(ROOT).as_posix(), line) for path in PAGES for line in lines_to_type(path.read_text("utf-8"))]
    return list({line: (where, line) for where, line in [*pages, *(("--help", line) for line in examples_in_helps())]}.values())


@pytest.mark.parametrize(("where", "line"), calls_to_type(), ids=lambda value: value)
def test_what_the_docs_say_to_type_is_taken_by_the_command(where: str, line: str) -> None:
    """Options, choices and arguments as they are, and outputs where `-o` names them; nothing is run."""
    words = shlex.split(line)
    size = next(size for size in range(len(words), 0, -1) if " ".join(words[:size]) in commands())
    command = commands()[" ".join(words[:size])]
    if hasattr(command, "commands"):
        assert words[size:] in (["--help"], ["--version"], ["--install-completion"]), line
        return
    if words[size:] == ["--help"]:
        return
    context = command.make_context(" ".join(words[:size]), words[size:])
    given = context.params
    assert given.get("last") is None, f"{where}: {line}"
    assert "output" not in given or given["output"] or words[2:3] not in (["merge"], ["prelabel"], ["preprocess"]), line
    assert all(word.startswith("--") for word in context.args[:1]), f"{where}: {line}"


def test_every_command_has_help_and_an_example():
    for name, command in commands().items():
        assert command.help, name
        if not hasattr(command, "commands"):
            assert re.search(rf"\n{name}[ \n]", page("reference/cli.md")), f"{name} has no example in docs/reference/cli.md"


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


def test_on_the_package_index_the_readme_leads_to_the_same_places():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = page("../README.md")
    for one in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    source = project["project"]["urls"]["Source"]
    raw = source.replace("github.com", "raw.githubusercontent.com") + "/main/"
    places = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", text)
    assert len(places) > 5
    for image, target in places:
        start = raw if image else f"{source}/blob/main/"
        if target.startswith(source.rpartition("/")[0]) or image:
            assert target.startswith(start)
            assert (ROOT / target.removeprefix(start).partition("#")[0]).exists()
        else:
            assert re.match(r"https?:|#", target)


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
    assert re.match("Likely repair|Look closely", capsys.readouterr().out)  # a damaged car


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## (Unreleased|{re.escape(dentify.__version__)}\b)", text, re.MULTILINE)

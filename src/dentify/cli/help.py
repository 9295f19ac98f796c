"""`--help` and `-h`: summaries that are not cut, one usage line, no names of Python's types; what is said of a wrong choice."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from dentify.cli.formats import none_of

_TYPES = {"int": "N", "int range": "N", "float": "X", "float range": "X", "str": "TEXT", "path": "PATH"}
_UNCUT = 1000


class Command(TyperCommand):
    """A command whose arguments are called what they are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Click's; of a word that is no choice the nearest one is told."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = _about_a_choice(error.message)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS] PATH...`, without braces around what is required."""
        arguments = [
            param for param in self.get_params(ctx) if param.param_type_name == "argument" and not getattr(param, "hidden", False)
        ]
        return [str(self.options_metavar), *map(_usage, arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            params = [param for param in self.get_params(ctx) if param.param_type_name == kind]
            rows = [
                (_without_types(name, kind), text) for name, text in (param.get_help_record(ctx) or ("", "") for param in params)
            ]
            if any(name for name, _ in rows):
                with formatter.section(title):
                    formatter.write_dl([row for row in rows if row[0]])


class Group(TyperGroup):
    """A group of commands, each with its whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Their names and what they do."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(_UNCUT)) for name, one in commands if one is not None])


class App(typer.Typer):
    """A group of commands, or a command by itself, with help of this kind."""

    def __init__(self, **settings: Any) -> None:
        usual: dict[str, Any] = {"cls": Group, "add_completion": False, "no_args_is_help": True, "rich_markup_mode": None}
        super().__init__(**(usual | settings))

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """As Typer's."""
        return super().command(name, **({"cls": Command} | settings))


def _usage(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    if argument.nargs != 1 and "..." not in name:
        name += "..."
    return name if argument.required else f"[{name.strip('[]')}]"


def _about_a_choice(message: str) -> str:
    """What Typer says of a word that is no choice, as all options say it; every other message as it is.

    >>> _about_a_choice("Value error, 'jsn' is not one of 'table', 'json'.")
    "'jsn' is none of table, json; did you mean `json`?"
    """
    told = re.fullmatch(r"(?:Value error, )?('.*'|\".*\") is not one of ('[^']*'(?:, '[^']*')*)\.", message, re.DOTALL)
    return none_of(literal_eval(told[1]), re.findall(r"'([^']*)'", told[2])) if told else message


def _without_types(name: str, kind: str) -> str:
    """An option's value as a letter or word in place of a type; an argument's name says what it is.

    >>> _without_types("--workers <int range>", "option"), _without_types("PATH... OUT <list[str]>", "argument")
    ('--workers N', 'PATH... OUT')
    """
    if kind == "argument":
        return re.sub(r" <[^<>]*>$", "", name)
    return re.sub(r"<([a-z ]+)>$", lambda match: _TYPES.get(match[1], match[0]), name)

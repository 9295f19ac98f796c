"""Every command of the command line."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer

from dentify.cli import app


@cache
def commands() -> dict[str, Any]:
    """Each by the words that call it, groups included."""
    found: dict[str, Any] = {}
    pending: list[tuple[str, Any]] = [("dentify", typer.main.get_command(app))]
    while pending:
        name, command = pending.pop()
        found[name] = command
        if hasattr(command, "commands"):
            context = typer.Context(command)
            pending += [(f"{name} {child}", command.get_command(context, child)) for child in command.list_commands(context)]
    return found

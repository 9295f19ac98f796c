"""Keeps pytest from importing `scripts/`: each needs the tool that it drives."""

collect_ignore = ["scripts"]

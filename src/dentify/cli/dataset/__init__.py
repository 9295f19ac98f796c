"""`dentify dataset …`: look at labelled photos, convert, split, describe and collect them. One file a command.

In Python: `dentify.datasets`, `dentify.curation` and `dentify.collecting`.
"""

from __future__ import annotations

from dentify.cli.dataset.captions import captions
from dentify.cli.dataset.collect import app as collect
from dentify.cli.dataset.convert import convert
from dentify.cli.dataset.crops import crops
from dentify.cli.dataset.inspect import inspect
from dentify.cli.dataset.merge import merge
from dentify.cli.dataset.normalize import normalize
from dentify.cli.dataset.prelabel import prelabel
from dentify.cli.dataset.preprocess import CONTEXT, preprocess
from dentify.cli.dataset.split import split
from dentify.cli.help import App

app = App(help="Look at labelled photos, convert, split, collect them.")
for command in (inspect, convert, merge, split, normalize, crops, captions, prelabel):
    app.command()(command)
app.command(context_settings=CONTEXT)(preprocess)
app.add_typer(collect, name="collect")

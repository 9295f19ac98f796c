"""The bench: recipes, the training loop, tuning, and export to a bundle. Needs the extra `train`, and tuning `tune`."""

from dentify.training.export import export_bundle
from dentify.training.loop import Progress, train
from dentify.training.recipe import Recipe, parse_recipe, read_recipe
from dentify.training.study import Tuned
from dentify.training.timing import timed_seconds
from dentify.training.tune import tune

__all__ = ["Progress", "Recipe", "Tuned", "export_bundle", "parse_recipe", "read_recipe", "timed_seconds", "train", "tune"]

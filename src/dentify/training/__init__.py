"""The bench: recipes, the training loop, and export to a bundle. Needs the extra `train`."""

from dentify.training.export import export_bundle
from dentify.training.loop import Progress, train
from dentify.training.recipe import Recipe, read_recipe

__all__ = ["Progress", "Recipe", "export_bundle", "read_recipe", "train"]

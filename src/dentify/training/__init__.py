"""The bench: recipes, the training loop, and export to a bundle. Needs the extra `train`."""

from dentify.training.loop import train
from dentify.training.recipe import Recipe, read_recipe

__all__ = ["Recipe", "read_recipe", "train"]

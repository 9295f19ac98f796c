"""What a run will be, before PyTorch is loaded: a look at labelled photos, a recipe that fits them, and the recipes that ship."""

from dentify.planning.check import Checked, check_labels, check_recipe
from dentify.planning.decide import RANDOM, Decided, check_free, decide, write_decided
from dentify.planning.looking import Seen, check_enough, look
from dentify.planning.recipe_text import told_origin
from dentify.planning.shipped import find_recipe, is_recipe, recipe_names, recipe_path, recipe_summary
from dentify.planning.times import Stretch, told_time

__all__ = [
    "RANDOM",
    "Checked",
    "Decided",
    "Seen",
    "Stretch",
    "check_enough",
    "check_free",
    "check_labels",
    "check_recipe",
    "decide",
    "find_recipe",
    "is_recipe",
    "look",
    "recipe_names",
    "recipe_path",
    "recipe_summary",
    "told_origin",
    "told_time",
    "write_decided",
]

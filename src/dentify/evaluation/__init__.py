"""How good a bundle is: metrics over assessments against samples, with tables, plots and one JSON document.

`evaluate(assessor, samples)` measures all of it, `compare(assessors, samples)` several bundles on the same photos;
`pixel_iou_counts` and `iou_from_counts` are for arrays, while a network trains.
"""

from dentify.errors import MissingExtraError

try:
    import hotcoco  # noqa: F401
except ImportError as error:
    raise MissingExtraError(what="Evaluating", extra="evaluate") from error

from dentify.evaluation.alike import Alike
from dentify.evaluation.calibration import error_by_chance, expected_calibration_error, reliability
from dentify.evaluation.classification import auroc
from dentify.evaluation.compare import (
    check_comparable,
    compare,
    comparison_table,
)
from dentify.evaluation.counting import component_counts, found_counts, mean_count_error
from dentify.evaluation.evaluate import evaluate
from dentify.evaluation.judge import SCORING_THRESHOLD, AssessorLike
from dentify.evaluation.mistakes import Mistakes
from dentify.evaluation.overlays import Overlays
from dentify.evaluation.pixels import any_iou_counts, iou_from_counts, pixel_iou_counts
from dentify.evaluation.results import Comparison, Evaluation
from dentify.evaluation.table import evaluation_table
from dentify.evaluation.write import check_comparison_folder, write_comparison, write_evaluation

__all__ = [
    "SCORING_THRESHOLD",
    "Alike",
    "AssessorLike",
    "Comparison",
    "Evaluation",
    "Mistakes",
    "Overlays",
    "any_iou_counts",
    "auroc",
    "check_comparable",
    "check_comparison_folder",
    "compare",
    "comparison_table",
    "component_counts",
    "error_by_chance",
    "evaluate",
    "evaluation_table",
    "expected_calibration_error",
    "found_counts",
    "iou_from_counts",
    "mean_count_error",
    "pixel_iou_counts",
    "reliability",
    "write_comparison",
    "write_evaluation",
]

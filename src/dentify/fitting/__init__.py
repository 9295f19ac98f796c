"""What is fitted to labelled photos after training, without PyTorch: scorer, confidences, thresholds, gates of a bundle.

    dentify bundle fit my-bundle --data my-labels -o my-bundle-fitted

A bundle's networks stay as they are. The photos must be ones that training never saw. Needs the extra `fit`.
"""

from dentify.errors import MissingExtraError

try:
    import scipy  # noqa: F401
except ImportError as error:
    raise MissingExtraError(what="Fitting", extra="fit") from error

from dentify.fitting.fit import GROUPING, Fitted, fit_bundle
from dentify.fitting.held_out import hold_out

__all__ = ["GROUPING", "Fitted", "fit_bundle", "hold_out"]

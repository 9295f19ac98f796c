"""The best and the worst photos as small pictures: what was found over what is annotated, by the pixel IoU of any damage."""

from __future__ import annotations

from dataclasses import replace

from dentify.datasets.sample import Sample
from dentify.evaluation.foremost import Foremost, Picture, drawn_things
from dentify.evaluation.judge import Seen
from dentify.evaluation.pixels import TRUE, iou_from_counts
from dentify.settings import Settings

MOST = 8
"""Of each kind."""
KINDS = {
    "best": "The best photos (coloured: what was told; grey: what is annotated)",
    "worst": "The worst photos, those with the most damage first",
}


class Overlays:
    """Gathers the best and the worst photos of an evaluation, of those that show damage that is outlined.

    Args:
        most: of each kind.
        settings: limits on photos.
    """

    def __init__(self, *, most: int = MOST, settings: Settings | None = None) -> None:
        self._kept = {kind: Foremost(most, settings or Settings()) for kind in KINDS}

    def of(self, kind: str) -> list[Picture]:
        """Those of one of `KINDS`, the foremost first."""
        return self._kept[kind].pictures

    def collect(self, sample: Sample, seen: Seen) -> None:
        """Takes one photo, if it is among the best or the worst so far.

        Args:
            sample: the photo, its picture still at hand.
            seen: its damages.
        """
        pixels = seen.tally.any_pixels
        if pixels is None or not pixels[TRUE]:
            return
        iou = float(iou_from_counts(pixels))
        told = [counts.told for counts in seen.tally.names.values()]
        right, missed = sum(int(one.right[0].sum()) for one in told), sum(int(one.missed[0]) for one in told)
        wrong = sum(int((~one.right[0] & ~one.left_out[0]).sum()) for one in told)
        text = f"IoU {iou:.2f}; {right} found, {wrong} false, {missed} missed"
        annotated = tuple(replace(one, unsure=True) for one in sample.annotations)  # grey
        shown = replace(sample, annotations=(*annotated, *drawn_things(seen.told)))
        self._kept["best"].offer((iou,), text, shown)
        self._kept["worst"].offer((1 - iou, int(pixels[TRUE])), text, shown)  # of many photos the IoU is 0

"""`evaluate`: what an assessor reaches on labelled photos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dentify.datasets.sample import Sample
from dentify.evaluation.alike import Alike
from dentify.evaluation.judge import SCORING_THRESHOLD, Asking, AssessorLike, Judge
from dentify.evaluation.mistakes import Mistakes
from dentify.evaluation.overlays import Overlays
from dentify.evaluation.results import Benchmark, Evaluation, Pass
from dentify.in_order import map_in_order
from dentify.settings import Settings


def evaluate(
    assessor: AssessorLike,
    samples: Iterable[Sample],
    *,
    taught: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
    score_threshold: float | None = None,
    gates: bool = True,
    scoring_threshold: float | None = SCORING_THRESHOLD,
    alike: Alike | None = None,
    crops: int = 0,
    seed: int = 0,
    resamples: int = 1000,
    workers: int = 1,
    data: Sequence[str] = (),
    settings: Settings | None = None,
    mistakes: Mistakes | None = None,
    overlays: Overlays | None = None,
    benchmark: Benchmark | None = None,
) -> Evaluation:
    """What an assessor reaches on labelled photos.

    Args:
        assessor: assesses each photo. An `Assessor` also tells what its bundle judges at all, how large that is and how fast.
        samples: labelled photos; taken one by one, never held together.
        taught: damage types that the assessor was taught, over which means go; without it those of its bundle, or else Dentify's
            that it does not call *not judged*.
        parts: parts that it was taught; without it those of its bundle, or else Dentify's.
        score_threshold: from which confidence on findings are told; the bundle's own thresholds without it.
        gates: whether photos are turned away as no vehicle or not damaged.
        scoring_threshold: AP is taken from what annotated photos tell down to this confidence and without gates; `None` takes it
            from what is told.
        alike: how to make photos alike before.
        crops: close-ups to cut from each photo of an undamaged vehicle, judged beside it.
        seed: of bootstrap and crops.
        resamples: of the bootstrap.
        workers: threads.
        data: what the samples came from, for the record.
        settings: limits on photos.
        mistakes: gathers the worst of them as pictures.
        overlays: gathers the best and the worst photos as pictures.
        benchmark: the published data set that the samples are of, for the record.

    Raises:
        DatasetError: there is no sample, none that says anything of what is judged, or one contradicts its picture.
        DentifyError: a photo cannot be assessed.
    """
    told = Pass(score_threshold=score_threshold, gates=gates)
    how = Asking(
        told=told,
        scored=told if scoring_threshold is None else Pass(score_threshold=scoring_threshold, gates=False),
        alike=alike or Alike(),
        crops=crops,
        seed=seed,
        resamples=resamples,
        workers=workers,
        settings=settings or Settings(),
    )
    judge = Judge(assessor, how, taught=taught, parts=parts)
    for _, assessed in map_in_order(judge.assess, samples, workers=workers):
        seen = judge.add(assessed)
        if mistakes is not None:
            mistakes.collect(assessed, seen)
        if overlays is not None and seen is not None:
            overlays.collect(assessed.sample, seen)
    return judge.evaluation(data, benchmark)

"""`Evaluation`: what an evaluation measured, as pydantic models and versioned JSON.

A figure that cannot be measured (no such annotation, a stage that did not run) is `null`, never a silent 0. Shares and means come
with a 95 % interval.

Fields never change their meaning within a major `schema_version`. Schema 1.1 added `classification`, `latency` and `size`; 1.2
added `saliency`, `triples` and `benchmark`, and `f1`, `boundary_f` and `confusion` of damages and parts. Documents of before are
read as well, and have none.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dentify.assessment import BundleIdentity
from dentify.strict import Strict

SCHEMA_VERSION: Literal["1.2"] = "1.2"

Interval = tuple[float, float] | None


class Pass(Strict):
    """How photos were assessed for some figures. `score_threshold: null` means the bundle's own thresholds."""

    score_threshold: float | None
    gates: bool


class EvaluationSettings(Strict):
    """What the figures depend on beside bundle and photos.

    `told` is what a user gets; AP wants findings down to low confidence and no gate in the way, so it is taken from `scored`.
    """

    told: Pass
    scored: Pass
    stretch_wh: tuple[int, int] | None
    jpeg: int | None
    crops: int
    seed: int
    resamples: int


class Photos(Strict):
    """Photos assessed, by what is known of them. `annotated` ones have outlines or boxes of damage, `parts` ones of parts."""

    annotated: int
    parts: int
    damaged: int
    undamaged: int
    no_vehicle: int
    vehicle: int
    undamaged_crops: int


class Share(Strict):
    """`count` of `of`, with Wilson's 95 % interval."""

    count: int
    of: int
    share: float | None
    interval: Interval


NOT_ASKED = Share(count=0, of=0, share=None, interval=None)


class Mean(Strict):
    """A figure over photos with its bootstrap 95 % interval; `over` names what it is the mean of."""

    value: float | None
    interval: Interval
    over: tuple[str, ...]


class AveragePrecisions(Strict):
    """COCO's AP at 100 detections. Sizes are CarDD's: 128² and 256² pixels."""

    AP: float | None
    AP50: float | None
    AP75: float | None
    AP_small: float | None
    AP_medium: float | None
    AP_large: float | None


class PixelFigures(Strict):
    """Pixels, and boundaries, pooled over the photos that label the type."""

    iou: float | None
    precision: float | None
    recall: float | None
    photos: int
    f1: float | None = None
    boundary_f: float | None = None


class ToldFigures(Strict):
    """Findings as a user gets them: right when the type is and the mask's IoU with a free annotation is at least 0.5."""

    right: int
    wrong: int
    missed: int
    precision: float | None
    recall: float | None
    f1: float | None


class NameResult(Strict):
    """All figures of one damage type or part."""

    taught: bool
    photos: int
    instances: int
    mask: AveragePrecisions | None
    box: AveragePrecisions
    pixels: PixelFigures
    told: ToldFigures
    curve: tuple[float, ...]
    """Precision at IoU 0.5 (of masks, or of boxes where there are none) at the recalls 0, 0.01, …, 1."""


class AnyDamage(Strict):
    """Damage of whatever type against the rest, pixels and boundaries pooled over photos."""

    iou: Mean
    precision: float | None
    recall: float | None
    photos: int
    f1: float | None = None
    boundary_f: Mean | None = None


class FoundConfusion(Strict):
    """What is taken for what, told findings at IoU 0.5: rows are what is annotated, columns what is told.

    The last row is what is told where nothing is annotated, the last column what is annotated and not told.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Found(Strict):
    """Damages, or parts: figures of each name, and their means.

    Keys of `means` are `mask_AP`, `mask_AP50`, `mask_AP75`, `box_AP`, `box_AP50`, `box_AP75`, `pixel_iou`, `boundary_f`; of each
    of them `taught` is over all taught names that occur, `common` over dent, scratch and broken_part alone.
    """

    names: dict[str, NameResult]
    means: dict[str, dict[str, Mean]]
    any_damage: AnyDamage | None = None
    confusion: FoundConfusion | None = None


class SaliencyResult(Strict):
    """Salient-object scores of the map of any damage, means over the photos that show some."""

    photos: int
    f_max: Mean
    f_mean: Mean
    weighted_f: Mean
    s: Mean
    e_max: Mean
    e_mean: Mean
    mae: Mean


class TripleFigures(Strict):
    """What is said of photos against what is annotated, word for word: precision and recall of all of it, and their F1."""

    photos: int
    matched: int
    told: int
    annotated: int
    precision: Mean
    recall: Mean
    f1: Mean


class SeverityFigures(Strict):
    """Rows of `confusion` are the annotated levels, columns the told ones, the last for none told."""

    levels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    macro_recall: float | None
    judged: int
    of: int


class SeverityResult(Strict):
    """Severity of photos (the worst annotated against what is told; none told is a miss) and of findings on annotations.

    `findings` counts annotations that a finding of any type lies on with IoU of 0.5 or more; `of` counts all. `chance` is what a
    coin of as many sides reaches.
    """

    photos: SeverityFigures
    findings: SeverityFigures
    chance: float


class GateResult(Strict):
    """One kind of photos before the gates. A share is `null` where the gate did not run.

    `clear_vehicle`, `clear_damage`: of the gate's answers that a report calls clear, those that are right.
    """

    photos: int
    vehicle: Share
    damage: Share
    with_findings: Share
    findings_per_photo: float | None
    clear_vehicle: Share = NOT_ASKED
    clear_damage: Share = NOT_ASKED


class GatesResult(Strict):
    """Gates by kind of photo and by source; AUROC of their confidences over the photos that each gate judged."""

    kinds: dict[str, GateResult]
    sources: dict[str, dict[str, GateResult]]
    vehicle_auroc: float | None
    damage_auroc: float | None


class NamingResult(Strict):
    """Whether parts are named, and can be true together, on photos whose parts nobody outlined.

    `findings`: told findings that name a part. `same_part`: of these, those that name the part that is `most_named`; nearly all
    of them, where all is called by one name. The others are of photos of vehicles, known or told as such. `no_part`: no part
    is told. `front_and_back`: front bumper or hood is told, and rear bumper or tailgate too.
    """

    findings: Share
    most_named: str | None
    same_part: Share
    no_part: Share
    front_and_back: Share


class CountingResult(Strict):
    """Mean absolute error of the number of findings a photo, over the types that its source labels."""

    findings: Mean
    components: Mean
    photos: int


class ReliabilityBin(Strict):
    """Findings of like confidence."""

    confidence: float
    right: float
    count: int


class CalibrationResult(Strict):
    """Expected calibration error over bins of equal number, and AUROC: how well confidence tells right from wrong.

    `ece_by_chance` is what perfectly calibrated confidences would show on as many findings.
    """

    ece: float | None
    ece_by_chance: float | None
    auroc: float | None
    findings: int
    right: float | None
    bins: tuple[ReliabilityBin, ...]


class ClassResult(Strict):
    """One class of photos against the rest: photos that are of it, and that are told so."""

    photos: int
    told: int
    precision: Mean
    recall: Mean
    f1: Mean
    auroc: Mean
    average_precision: Mean


class ClassificationResult(Strict):
    """A question of whole photos.

    `exclusive`: a photo is of one class; else each class is a yes or no by itself. `accuracy` is the share of right answers;
    where classes do not exclude each other, every known yes and no is one. `balanced_accuracy` is the mean recall, there of yes
    and no. The other figures are means over the classes that occur; one that occurs and is never told has a precision of 0 in
    them.

    Rows of `confusion` are the classes. Its columns are the classes told and none; or, where classes do not exclude each other,
    told rightly, told wrongly, missed, and rightly not told. Calibration is of a gate's yes, of the likeliest of several
    exclusive classes, and else of each class's yes, all together.
    """

    classes: tuple[str, ...]
    exclusive: bool
    photos: int
    accuracy: Mean
    balanced_accuracy: Mean
    precision: Mean
    recall: Mean
    f1: Mean
    auroc: Mean
    average_precision: Mean
    per_class: dict[str, ClassResult]
    confusion_columns: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    ece: float | None
    ece_by_chance: float | None
    bins: tuple[ReliabilityBin, ...]


class Latency(Strict):
    """How long looking at a photo took: decoding and networks, without reading the file and without telling.

    Photos in work at a time (`workers`) share the processors, so one by one (`workers` 1) is what a lone photo takes.
    """

    p50_ms: float
    p95_ms: float
    photos: int
    workers: int
    threads: int
    device: Literal["cpu", "cuda"]


class BundleSize(Strict):
    """Bytes of a bundle's files, and weights and biases of its networks, quantised ones too."""

    bytes: int
    parameters: int


class Benchmark(Strict):
    """A published data set, whose published figures stand beside those of this evaluation, and which split of it was judged."""

    name: Literal["CarDD"]
    split: str


class Evaluation(Strict):
    """What a bundle reaches on labelled photos."""

    schema_version: Literal["1.0", "1.1", "1.2"] = SCHEMA_VERSION
    dentify_version: str
    bundle: BundleIdentity
    data: tuple[str, ...]
    settings: EvaluationSettings
    photos: Photos
    damage: Found | None
    parts: Found | None
    naming: NamingResult | None = None
    """`null` where the bundle names no parts."""
    severity: SeverityResult | None
    gates: GatesResult
    counting: CountingResult | None
    calibration: dict[str, CalibrationResult]
    """`told`: findings that a user gets; `scored`: all that AP is taken from."""
    classification: dict[str, ClassificationResult] = Field({})
    """Questions of whole photos, those that the bundle judges and the photos know: `vehicle`, `damage`, `types`, `severity`."""
    latency: Latency | None = None
    size: BundleSize | None = None
    saliency: SaliencyResult | None = None
    """`null` where no photo shows damage that is outlined, or the bundle finds none."""
    triples: dict[str, TripleFigures] = Field({})
    """By what is matched: `type`, `type_part`, `type_severity`, `type_part_severity`, those that are told and annotated."""
    benchmark: Benchmark | None = None
    """The published data set that the photos are of, where they are."""
    notes: tuple[str, ...]

    def to_json(self, *, indent: int | None = 2) -> str:
        """The document as JSON, without a trailing newline."""
        return self.model_dump_json(indent=indent)


class ComparedBundle(Strict):
    """One of the bundles, by the letter that tables call it by."""

    letter: str
    path: str
    bundle: BundleIdentity
    size: BundleSize | None
    latency: Latency | None


class ComparedFigure(Strict):
    """One figure of all bundles, in their order; `null` where a bundle does not judge it.

    `of` is a class, or empty for all together. `differences` are to the first bundle, whose own is `null`; their intervals come
    from the same resampled photos for both.
    """

    question: str
    figure: str
    of: str
    values: tuple[Mean | None, ...]
    differences: tuple[Mean | None, ...]


class Comparison(Strict):
    """Bundles on the same photos."""

    schema_version: Literal["1.0"] = "1.0"
    dentify_version: str
    bundles: tuple[ComparedBundle, ...]
    data: tuple[str, ...]
    settings: EvaluationSettings
    photos: Photos
    figures: tuple[ComparedFigure, ...]
    notes: tuple[str, ...]

    def to_json(self, *, indent: int | None = 2) -> str:
        """The document as JSON, without a trailing newline."""
        return self.model_dump_json(indent=indent)

"""`Judge`: one assessor over labelled photos, from counts of each photo to an `Evaluation`.

Photos go through one by one and are dropped; what stays of each is counts. Photos with outlines or boxes give AP, pixel figures,
severity, counting and calibration; photos that only say *damaged*, *undamaged* or *no vehicle* count for the gates and for the
naming of parts, those that say how bad the damage is for the severity of photos too, so that adding them moves no other figure.
`labelled` is honoured throughout: on each photo, findings of types that its source does not label are left out. So are findings
in regions that are to be ignored, those of single types on damage of a type that nobody told, and annotations of names that
neither the bundle nor the taxonomy knows; a note says so of these.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

import numpy as np

import dentify
from dentify.arrays import IntArray
from dentify.assessment import Assessment
from dentify.assessor import Assessor
from dentify.datasets.crops import crops_of
from dentify.datasets.sample import UNTYPED, Kind, Sample, photo_kind, worst_severity
from dentify.errors import DatasetError, printable
from dentify.evaluation.alike import Alike, made_alike
from dentify.evaluation.bootstrap import photo_weights
from dentify.evaluation.counting import annotated_counts, component_counts, count_error, counting_result
from dentify.evaluation.found import FOUND_FIGURES, Sums, calibration_results, found_figures, found_result, mean_over
from dentify.evaluation.gates import KINDS, GateRow, gate_row, gates_result
from dentify.evaluation.outlines import Things, Truth, check_size, found_things, joined, truth_of
from dentify.evaluation.parts import PartRow, part_row, parts_result
from dentify.evaluation.questions import (
    GATE_CLASSES,
    Figure,
    Question,
    TypesRow,
    class_figures,
    gate_question,
    question_result,
    severity_question,
    types_question,
    types_row,
)
from dentify.evaluation.results import (
    Benchmark,
    BundleSize,
    Evaluation,
    EvaluationSettings,
    Latency,
    Pass,
    Photos,
)
from dentify.evaluation.saliency import Saliency, saliency, saliency_figures, saliency_result
from dentify.evaluation.severity import Judged, judged_findings, severity_result
from dentify.evaluation.tally import Tally, tally_photo, without_left_out
from dentify.evaluation.triples import triples_results, triples_row
from dentify.runtime.look import Look
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES

SCORING_THRESHOLD = 0.01

SALIENCY_FIGURES = {"weighted_f": "weighted F", "s": "S-measure", "mae": "MAE"}
"""Scores of the map of any damage that bundles are compared by."""

ROLES = ("vehicle_gate", "damage_gate", "damage", "parts", "severity")
"""What an assessor without a bundle is asked."""


class AssessorLike(Protocol):
    """What `evaluate` needs of an assessor."""

    def look(self, photo: bytes, *, name: str | None = None) -> Look:
        """What is seen on one photo."""
        ...

    def tell(self, look: Look, *, score_threshold: float | None = None, gates: bool = True) -> Assessment:
        """What is said of it."""
        ...


@dataclass(frozen=True, eq=False)
class Seen:
    """The damages, or the parts, of one photo: told, found for AP, true, and what became of each."""

    told: Things
    scored: Things
    truth: Truth
    tally: Tally


@dataclass(frozen=True, eq=False)
class Assessed:
    """What an assessor said of one sample.

    Attributes:
        sample: as it was shown, of the size of its picture.
        told: what a user gets.
        gates: of the photo, and after it of its close-ups.
        types: of the photo as a whole.
        look_ms: how long looking took.
        labelled: whether its labels say something of damages, and of parts.
        seen: what was compared with them, where the bundle tells it.
        saliency: scores of the map of any damage.
        triples: counts of what is said in words.
    """

    sample: Sample
    told: Assessment
    gates: tuple[GateRow, ...]
    types: TypesRow | None
    look_ms: float
    labelled: tuple[Kind, ...] = ()
    seen: Mapping[Kind, Seen] = field(default_factory=dict)
    saliency: Saliency | None = None
    triples: Mapping[str, IntArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Asking:
    """How photos are shown and told; see `evaluate`."""

    told: Pass
    scored: Pass
    alike: Alike = field(default_factory=Alike)
    crops: int = 0
    seed: int = 0
    resamples: int = 1000
    workers: int = 1
    settings: Settings = field(default_factory=Settings)


class Judge:
    """Asks one assessor about samples, one by one, and keeps counts of what it says: `assess` each, `add` it, then `evaluation`.

    Args:
        assessor: an `Assessor` also tells what its bundle judges at all; of any other, all of it is asked.
        how: photos are shown and told.
        taught: as in `evaluate`.
        parts: as in `evaluate`.
        damage_names: damage types to count beside Dentify's and those that were taught, so that the same photos count for several
            judges.
        part_names: parts to count, likewise.
        types: types to ask of photos as a whole; those of the bundle where not given.
        exclusive: whether photos are asked for the one type that they show; as the bundle tells it where not given.
    """

    def __init__(
        self,
        assessor: AssessorLike,
        how: Asking,
        *,
        taught: Sequence[str] | None = None,
        parts: Sequence[str] | None = None,
        damage_names: Sequence[str] = (),
        part_names: Sequence[str] = (),
        types: Sequence[str] | None = None,
        exclusive: bool | None = None,
    ) -> None:
        self.assessor, self.how = assessor, how
        self.bundle = assessor.bundle if isinstance(assessor, Assessor) else None
        manifest = None if self.bundle is None else self.bundle.manifest
        self.taught = manifest.found_types if taught is None and manifest is not None else taught
        self.taught_parts = manifest.classes.parts if parts is None and manifest is not None else parts
        self.roles = ROLES if manifest is None else tuple(role for role, members in manifest.roles if members)
        self.types = () if manifest is None else tuple(manifest.classes.types if types is None else types)
        self.exclusive = exclusive if exclusive is not None or manifest is None else manifest.calibration.types.exclusive
        self.damage = Sums("damage", tuple(dict.fromkeys([*DAMAGE_NAMES, *(self.taught or ()), *damage_names])))
        self.part = Sums("part", tuple(dict.fromkeys([*PART_NAMES, *(self.taught_parts or ()), *part_names])))
        self.rows: list[GateRow] = []
        self.types_rows: list[TypesRow] = []
        self.severities: list[Judged] = []
        self.severity_confidences: list[float | None] = []
        self.count_errors: list[list[int]] = []
        self.saliencies: list[Saliency] = []
        self.triples: list[Mapping[str, IntArray]] = []
        self.looks_ms: list[float] = []
        self._naming: list[PartRow] = []
        self._finding_severities: list[Judged] = []
        self._unknown: set[str] = set()
        self._first: Assessment | None = None

    def assess(self, sample: Sample) -> Assessed:
        """What is said of one sample; several may be in work at a time.

        Raises:
            DatasetError: it contradicts its picture.
            DentifyError: it cannot be assessed.
        """
        how = self.how

        def tell(look: Look, by: Pass) -> Assessment:
            return self.assessor.tell(look, score_threshold=by.score_threshold, gates=by.gates)

        shown = made_alike(sample, how.alike, how.settings)
        photo = shown.read(how.settings)
        begun = time.perf_counter()
        look = self.assessor.look(photo, name=shown.name)
        look_ms = 1000 * (time.perf_counter() - begun)
        answer = tell(look, how.told)
        size_hw = (answer.photo.height, answer.photo.width)
        check_size(shown, size_hw)
        scoring = None
        if sample.labelled:
            scoring = answer if how.scored == how.told else tell(look, how.scored)
        kind = photo_kind(sample)
        finds = "damage" in self.roles
        rows = []
        if kind:
            capped = answer.damage is not None and answer.damage.present and not answer.findings
            turned_away = answer.vehicle is not None and not answer.vehicle.present
            silent = how.told.gates and (capped or turned_away)  # of what the damage gate says by itself
            ungated = tell(look, how.told.model_copy(update={"gates": False})) if silent else None
            rows = [gate_row(answer, kind, sample.source, ungated=ungated, finds=finds)]
        if kind == "undamaged" and how.crops:
            for crop in crops_of(sample, how.crops, seed=how.seed, settings=how.settings):
                close_up = made_alike(crop, how.alike, how.settings)
                close_look = self.assessor.look(close_up.read(how.settings), name=close_up.name)
                rows.append(gate_row(tell(close_look, how.told), "undamaged_crops", sample.source, finds=finds))
        types = None
        if self.types and self.bundle is not None:
            types = types_row(look, sample, self.bundle.manifest, self.types, how.told.score_threshold)
        assessed = Assessed(replace(shown, size_hw=size_hw), answer, tuple(rows), types, look_ms)
        return assessed if scoring is None else self._compared(assessed, scoring)

    def _compared(self, assessed: Assessed, scored: Assessment) -> Assessed:
        """What was told of one photo, with what its labels say beside it."""
        sample, told = assessed.sample, assessed.told
        size_hw = (told.photo.height, told.photo.width)
        labelled: list[Kind] = []
        seen: dict[Kind, Seen] = {}
        for sums, role in ((self.damage, "damage"), (self.part, "parts")):
            truth = truth_of(sample, sums.names, sums.kind)
            if not truth:
                continue
            labelled.append(sums.kind)
            if role in self.roles:
                as_told, as_scored = (found_things(assessment, sums.names) for assessment in (told, scored))
                seen[sums.kind] = Seen(as_told, as_scored, truth, tally_photo(as_told, as_scored, truth, size_hw))
        assessed = replace(assessed, labelled=tuple(labelled), seen=seen)
        if (damage := seen.get("damage")) is None:
            return assessed
        said = triples_row(told, sample, damage.truth.labelled, parts="parts" in self.roles, severity="severity" in self.roles)
        return replace(assessed, saliency=saliency(damage.scored, damage.truth, size_hw), triples=said)

    def add(self, assessed: Assessed) -> Seen | None:
        """Counts one sample, in the order of the samples; answers what its damages were compared with, where any are labelled."""
        sample, told = assessed.sample, assessed.told
        self._first = self._first or told
        self.looks_ms.append(assessed.look_ms)
        self.rows += assessed.gates
        self._naming.append(part_row(told, sample))
        if assessed.types is not None:
            self.types_rows.append(assessed.types)
        if "severity" in self.roles and (worst := worst_severity(sample)) is not None:
            self.severities.append((worst, None if told.severity is None else told.severity.level))
            self.severity_confidences.append(None if told.severity is None else told.severity.confidence)
        if sample.labelled:
            named = {annotation.name for annotation in sample.annotations}
            self._unknown |= named - {*self.damage.names, *self.part.names, UNTYPED}
        for sums in (self.damage, self.part):
            sums.photos += sums.kind in assessed.labelled
            if (one := assessed.seen.get(sums.kind)) is not None:
                sums.add(one.tally, one.scored, one.truth, (told.photo.height, told.photo.width))
        seen = assessed.seen.get("damage")
        if seen is None:
            return None
        truth = seen.truth
        if "severity" in self.roles:
            self._finding_severities += judged_findings(seen.scored, joined(truth.annotated, truth.untyped))
        if truth.labelled:
            counted = without_left_out(seen.told, seen.tally)
            counts = (Counter(counted.names), component_counts(counted))
            annotated = annotated_counts(sample)
            self.count_errors.append([count_error(count, annotated, truth.labelled) for count in counts])
        if assessed.saliency is not None:
            self.saliencies.append(assessed.saliency)
        self.triples.append(assessed.triples)
        return seen

    def questions(self) -> dict[str, Question]:
        """The questions of whole photos that were asked, of one photo at least."""
        asked = {gate: gate_question(gate, self.rows) for gate in GATE_CLASSES}
        if self.types_rows:
            asked["types"] = types_question(self.types_rows, self.types, exclusive=bool(self.exclusive))
        if self.severities:
            asked["severity"] = severity_question(self.severities, self.severity_confidences)
        return {key: question for key, question in asked.items() if len(question)}

    @property
    def photos(self) -> Photos:
        """How many photos were assessed, by what is known of them."""
        kinds = Counter(row.kind for row in self.rows)
        return Photos(annotated=self.damage.photos, parts=self.part.photos, **{kind: kinds[kind] for kind in KINDS})

    @property
    def latency(self) -> Latency | None:
        """Of an `Assessor`'s looks at whole photos."""
        if not isinstance(self.assessor, Assessor) or not self.looks_ms:
            return None
        p50, p95 = (round(float(value), 1) for value in np.percentile(self.looks_ms, (50, 95)))
        networks = self.assessor.networks
        return Latency(
            p50_ms=p50,
            p95_ms=p95,
            photos=len(self.looks_ms),
            workers=self.how.workers,
            threads=networks.threads,
            device=networks.device,
        )

    @property
    def size(self) -> BundleSize | None:
        """Of an `Assessor`'s bundle."""
        return None if self.bundle is None else BundleSize(bytes=self.bundle.size_bytes, parameters=self.bundle.num_parameters)

    def evaluation(self, data: Sequence[str] = (), benchmark: Benchmark | None = None) -> Evaluation:
        """All figures. Ends the judging: nothing can be added after it.

        Args:
            data: what the samples came from, for the record.
            benchmark: the published data set that they are of.

        Raises:
            DatasetError: there was no sample, or none that says anything of what is judged.
        """
        first, how = self._first, self.how
        if first is None:
            raise DatasetError("no photo to evaluate on")
        if not (self.rows or self.damage.photos or self.part.photos or self.severities or self.types_rows):
            raise DatasetError("nothing is known of these photos: no outlines, and not whether they show a vehicle or damage")
        questions = self.questions()
        taught = self.taught
        known = [name for name in self.damage.names if name not in first.not_judged] if taught is None else list(taught)
        part_names = list(self.part.names) if self.taught_parts is None else list(self.taught_parts)
        found = self.damage.tells_something(known) or self.part.tells_something(part_names)
        if not (questions or found or (self.rows and "damage" in self.roles)):
            judges = ", ".join(self.roles).replace("_", " ")
            raise DatasetError(
                f"nothing to judge {printable(first.bundle.name)} by: it tells {judges}, and no photo is labelled with that"
            )
        return Evaluation(
            dentify_version=dentify.__version__,
            bundle=first.bundle,
            data=tuple(data),
            settings=EvaluationSettings(
                told=how.told, scored=how.scored, **asdict(how.alike), crops=how.crops, seed=how.seed, resamples=how.resamples
            ),
            photos=self.photos,
            damage=found_result(self.damage, known, how.resamples, how.seed, with_damage=True),
            parts=found_result(self.part, part_names, how.resamples, how.seed, with_damage=False),
            naming=parts_result(self._naming) if part_names and "parts" in self.roles else None,
            severity=severity_result(self.severities, self._finding_severities),
            gates=gates_result(self.rows),
            counting=counting_result(np.array(self.count_errors), how.resamples, how.seed) if self.count_errors else None,
            calibration=calibration_results(self.damage.tallies),
            classification={
                key: result
                for key, question in questions.items()
                if (result := question_result(question, resamples=how.resamples, seed=how.seed)) is not None
            },
            latency=self.latency,
            size=self.size,
            saliency=saliency_result(self.saliencies, how.resamples, how.seed),
            triples=triples_results(self.triples, how.resamples, how.seed),
            benchmark=benchmark,
            notes=tuple(self.notes(questions)),
        )

    def figures(self, types: Sequence[str], parts: Sequence[str]) -> Iterator[tuple[str, str, str, Figure]]:
        """What bundles are compared by: question, figure, class (empty for all together), value and resampled ones.

        Two judges of the same samples, names and seed resample the same photos. Ends the judging.

        Args:
            types: damage types that means are taken over.
            parts: likewise.
        """
        how = self.how
        for key, question in self.questions().items():
            weights = photo_weights(len(question), how.resamples, how.seed)
            whole, of_class = class_figures(question, weights)
            yield key, "accuracy", "", whole["accuracy"]
            yield key, "balanced accuracy", "", whole["balanced_accuracy"]
            if key in GATE_CLASSES:
                yes = question.classes[-1]
                yield key, f"F1 of {yes}", "", of_class[yes]["f1"]
                yield key, "AUROC", "", whole["auroc"]
            else:
                yield key, "macro F1", "", whole["f1"]
                yield key, "macro AUROC", "", whole["auroc"]
            for name in question.classes if key == "types" else ():
                yield key, "F1", name, of_class[name]["f1"]
                yield key, "AUROC", name, of_class[name]["auroc"]
        for what, sums, names in (("findings", self.damage, types), ("parts", self.part, parts)):
            found = found_figures(sums, names, how.resamples, how.seed)
            if found is None:
                continue
            for key, label in FOUND_FIGURES.items():
                yield what, label, "", mean_over(found.resampled, list(found.resampled), key)[0]
            if what == "findings":
                yield what, "pixel IoU of any damage", "", found.any_iou
                yield what, "boundary F of any damage", "", found.any_boundary
                scores = saliency_figures(self.saliencies, how.resamples, how.seed)
                for key, label in SALIENCY_FIGURES.items():
                    if key in scores:
                        yield what, f"{label} of any damage", "", scores[key]
                for name, figures in found.resampled.items():
                    for key in ("mask_AP50", "pixel_iou"):
                        yield what, FOUND_FIGURES[key], name, figures.get(key, (None, np.zeros(0)))

    def notes(self, questions: Mapping[str, Question]) -> Iterator[str]:
        """What a reader of the figures should know."""
        if self._unknown:
            yield f"annotations left out, as nothing knows their names: {', '.join(sorted(self._unknown))}"
        if not (self.damage.masks and self.part.masks):
            yield "this bundle tells boxes without masks: mask AP is left out, pixel figures are of filled boxes"
        if (left := len(self.types_rows) - len(questions.get("types", ()))) > 0:
            yield f"types: {left} photos do not tell which of the types they show"

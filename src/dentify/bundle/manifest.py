"""`bundle.json`: what a bundle says of itself, as strict pydantic models.

A manifest names the files of a bundle with their hashes, which network output answers which question (a *role*), how photos
become that network's input, what its numbers mean (classes, calibration, thresholds), how well it did and what taught it. Unknown
keys are refused, so that a bundle can never ask for something that this Dentify would silently leave out.

Schema 1.1 added what a bundle says of the damage types of a photo as a whole: `types` in `roles`, `classes`, `thresholds` and
`calibration`. Schema 1.2 added how the maps of several members become one, `combine`, and how else
networks see a photo than as a whole, `views`. A bundle is written as one of the oldest schema that has all its keys, so that a
Dentify of before reads it, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from typing_extensions import TypeAliasType

from dentify.assessment import SeverityLevel
from dentify.errors import BundleError, printable
from dentify.settings import MOST_TILES
from dentify.strict import Strict, explain
from dentify.taxonomy import mirrored_part

SCHEMA_VERSION = "1.2"  # the newest that this Dentify knows
_FIRST, _WITH_TYPES, _WITH_VIEWS = "1.0", "1.1", "1.2"
MANIFEST_NAME = "bundle.json"

Kind = Literal["maps", "instances", "labels", "embedding"]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


def _not_tiny(value: float) -> float:
    if value < 1e-6:
        raise ValueError(f"must be 0.000001 or more, got {value:g}; what is divided by it would be no number any more")
    return value


Positive = Annotated[float, Field(gt=0, le=1e6), AfterValidator(_not_tiny)]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = tuple[Name, ...]
Metric = TypeAliasType("Metric", "float | list[float | None] | dict[str, Metric] | None")

# What this Dentify can decode; the other kinds are valid manifests of bundles that need a later one.
DECODED_KINDS: dict[str, tuple[Kind, ...]] = {
    "vehicle_gate": ("labels",),
    "damage_gate": ("labels",),
    "types": ("labels",),
    "damage": ("maps", "instances"),
    "parts": ("maps", "instances"),
    "severity": ("maps", "labels"),
    "report": (),
}
INSTANCE_MASK = 28
"""Cells along each side of a candidate's mask, which fills its box.

An output of instances is `(1, N, 4 + C + INSTANCE_MASK²)`, a row a candidate: its box (left, top, right, bottom in shares of the
input), how likely it is of each class (0 to 1), and the logits of its mask, row by row. A row of zeros is none.
"""
MOST_VALUES = 2**25
"""Of one output, or of several on one grid: 27 maps of 1,024 × 1,024."""
FILE_SUFFIXES = (".onnx", ".json", ".txt", ".md")


class BundleFile(Strict):
    """A file of the bundle, which lies beside `bundle.json`."""

    name: FileName
    sha256: Hash
    bytes: int = Field(gt=0)

    @model_validator(mode="after")
    def _harmless(self) -> Self:
        if self.name == MANIFEST_NAME or not self.name.endswith(FILE_SUFFIXES):
            raise ValueError(f"{self.name!r} is not a kind of file that a bundle may hold ({', '.join(FILE_SUFFIXES)})")
        return self


class Taxonomy(Strict):
    """What the bundle can name. Damage types that are not `taught` are told as not judged.

    `taught` are all types that the bundle tells, of findings or of the photo as a whole.
    """

    damage_types: Names
    taught: Names
    parts: Names = ()
    severity_levels: tuple[SeverityLevel, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("damage_types", "taught", "parts", "severity_levels"):
            _refuse_twice(key, getattr(self, key))
        _refuse_unknown("taught", self.taught, self.damage_types, "damage_types")
        return self


class Preprocessing(Strict):
    """How an upright sRGB photo becomes a network's input: see `dentify.runtime.preprocess`.

    `mean` and `std` are of RGB scaled to 0..1. `stretch` fills `size_hw` without keeping the photo's proportions; `letterbox`
    keeps them, puts the photo into the top left corner and fills the rest with `mean`.
    """

    size_hw: tuple[Annotated[int, Field(ge=8, le=4096)], Annotated[int, Field(ge=8, le=4096)]]
    resize: Literal["stretch", "letterbox"] = "stretch"
    mean: tuple[Number, Number, Number]
    std: tuple[Positive, Positive, Positive]
    colour: Literal["RGB"] = "RGB"
    layout: Literal["NCHW"] = "NCHW"


class Network(Strict):
    """An ONNX file, the name of its one input and what it takes there."""

    file: FileName
    input: Name
    preprocessing: Preprocessing


class Member(Strict):
    """One output that answers a role's question; several members of a role are an ensemble, weighted by `weight`.

    `auxiliary` names further outputs that the role's decoder reads beside the main one, such as centres and offsets.
    """

    file: FileName
    output: Name
    kind: Kind
    weight: Positive = 1.0
    auxiliary: dict[str, Name] = Field({})


Members = tuple[Member, ...]

MapsRole = Literal["damage", "parts", "severity"]
RoleName = Literal["vehicle_gate", "damage_gate", "types", "damage", "parts", "severity"]
Combine = Literal["mean", "vote"]
"""How maps of several members become one: the mean of logits, or at each cell the share of members that say yes."""


def _known_tiles(value: Any) -> Any:
    if value == "auto" or (type(value) is int and 2 <= value <= MOST_TILES):
        return value
    raise ValueError(f"must be auto, or 2 to {MOST_TILES} along the photo's shorter side, got {value}")


Tiles = Annotated[Literal["auto"] | int, BeforeValidator(_known_tiles)]


class Views(Strict):
    """How else a role's networks see a photo, beside the whole of it; see `dentify.runtime.tiles`.

    `tiles`, for maps: also in so many overlapping tiles along its shorter side; `auto` takes as many as a photo of many pixels
    needs, and none of others. `mirrored`: also with left and right exchanged.
    """

    tiles: Tiles | None = None
    mirrored: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.tiles is None and not self.mirrored:
            raise ValueError("must name tiles or mirrored; leave the role out where its networks see the whole photo alone")
        return self


class Roles(Strict):
    """The questions that a bundle answers; a role without members is *not judged*."""

    vehicle_gate: Members = ()
    damage_gate: Members = ()
    types: Members = ()
    damage: Members = ()
    parts: Members = ()
    severity: Members = ()
    report: Members = ()


class Classes(Strict):
    """Class names in the order of the networks' channels. `parts` maps have one more channel, the last: none of them.

    `types` are the damage types that are told of the photo as a whole, `damage` those of findings.
    """

    types: Names = ()
    damage: Names = ()
    parts: Names = ()
    severity: tuple[SeverityLevel, ...] = ()


class Thresholds(Strict):
    """From which calibrated confidence on something is told. `findings` has one a type, `parts` is for the list of parts.

    `types` is one number for all types of the photo as a whole, or has one a type where they do not exclude each other.
    """

    vehicle: Probability = 0.5
    damage: Probability = 0.5
    types: Probability | dict[str, Probability] = 0.5
    findings: dict[str, Probability] = Field({})
    parts: Probability = 0.5


AUXILIARY: Mapping[str, Callable[[int], int]] = {
    "any": lambda types: 1,
    "centres": lambda types: types,
    "offsets": lambda types: 2 * types,
    "vehicle": lambda types: 1,
}
"""Further maps that the decoder of damage can use, with their channels by the number of types."""

FEATURES = (
    "log_area",
    "level",
    "radius",
    "mean",
    "peak",
    "low",
    "stability",
    "growth",
    "contrast",
    "fill",
    "log_elongation",
    "share_of_type",
    "log_regions",
    "centre",
    "vote_error",
    "vote_spread",
    "any",
    "others",
    "photo_any",
    "vehicle",
)
"""What a `Scorer` can be told of a candidate (`dentify.runtime.candidates`), in this order, before one 0 or 1 a type."""


class Scorer(Strict):
    """A small fully connected network (ReLU in between) that scores candidate findings; see `dentify.runtime.choosing`.

    `weights[i]` is `(out, in)`, `biases[i]` is `(out,)`; inputs are normalised by `mean` and `std`; one output at the end.
    """

    features: Names
    mean: tuple[Number, ...]
    std: tuple[Positive, ...]
    weights: tuple[tuple[tuple[Number, ...], ...], ...]
    biases: tuple[tuple[Number, ...], ...]

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.features != tuple(name for name in FEATURES if name in self.features):
            raise ValueError("features are not those that this Dentify tells a scorer, in their order: update Dentify")
        width = len(self.mean)
        if len(self.std) != width or len(self.weights) != len(self.biases) or not self.biases or len(self.biases[-1]) != 1:
            raise ValueError("mean, std, weights and biases do not fit each other")
        for matrix, biases in zip(self.weights, self.biases, strict=True):
            if len(matrix) != len(biases) or any(len(row) != width for row in matrix):
                raise ValueError("mean, std, weights and biases do not fit each other")
            width = len(biases)
        return self


class Grouping(Strict):
    """How maps become instances: see `dentify.runtime.candidates`."""

    levels: tuple[Probability, ...] = Field(
        (0.5,), min_length=1, max_length=32, description="probabilities above which cells are grouped, rising"
    )
    radii: tuple[Annotated[int, Field(ge=0, le=64)], ...] = Field(
        (0,), min_length=1, max_length=8, description="cells over which regions are taken as one"
    )
    min_cells: int = Field(1, ge=1, description="smallest candidate")
    overlap: Probability = Field(0.5, description="share of the smaller of two candidates of a type above which one gives way")
    spread_to: Probability | None = Field(
        None, description="probability down to which a candidate that stays takes in the cells around it; as it was cut if absent"
    )
    upscale: int = Field(1, ge=1, le=8, description="how much finer the findings' masks are than the maps")
    part_upscale: int = Field(1, ge=1, le=8, description="how much finer the parts' masks are than the maps")
    scorer: Scorer | None = None

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels must rise, got {list(self.levels)}")
        return self


class GateCalibration(Strict):
    """Probability = sigmoid(logit / `temperature` + `bias`)."""

    temperature: Positive = 1.0
    bias: Number = 0.0


class ScoreCalibration(Strict):
    """Confidence as a piecewise linear function of the score: `y` at `x`, straight in between, flat outside."""

    x: tuple[Probability, ...]
    y: tuple[Probability, ...]

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError(f"needs as many x as y and at least two, got {len(self.x)} and {len(self.y)}")
        if any(a >= b for a, b in zip(self.x, self.x[1:], strict=False)) or any(
            a > b for a, b in zip(self.y, self.y[1:], strict=False)
        ):
            raise ValueError("x must rise and y must not fall")
        return self


class SeverityCalibration(Strict):
    """Probabilities = softmax(logits / `temperature`)."""

    temperature: Positive = 1.0


class TypesCalibration(Strict):
    """Damage types of the photo as a whole, from their logits.

    Where types are `exclusive`, a photo has one of them, and probabilities = softmax(logits / `temperature`). Elsewhere each type
    is a yes or no by itself, and its probability = sigmoid(logit / `temperature`).
    """

    temperature: Positive = 1.0
    exclusive: bool = False


class Calibration(Strict):
    """From logits and scores to confidences. A type without an entry in `findings` keeps its score."""

    vehicle: GateCalibration = GateCalibration()
    damage: GateCalibration = GateCalibration()
    types: TypesCalibration = TypesCalibration()
    findings: dict[str, ScoreCalibration] = Field({})
    severity: SeverityCalibration = SeverityCalibration()


class ReviewRules(Strict):
    """When a person should look: at what is told with a confidence below `sure_from`, and at types that are known badly."""

    sure_from: Probability = 0.6
    weak_types: Names = ()


class DataOrigin(Strict):
    """Photos that the bundle was taught or measured with."""

    name: Name
    origin: str
    licence: Name
    photos: int = Field(ge=0)
    used_for: str


class WeightOrigin(Strict):
    """Weights that training started from."""

    name: Name
    origin: str
    licence: Name


class Manifest(Strict):
    """All of `bundle.json`."""

    schema_version: str = Field(_FIRST, pattern=r"^1\.\d+$")
    name: Name
    version: Name
    licence: Name
    description: str
    files: tuple[BundleFile, ...] = ()
    taxonomy: Taxonomy
    networks: tuple[Network, ...]
    roles: Roles
    combine: dict[MapsRole, Combine] = Field(
        {}, description="how a role's maps become one, on the finest of their grids; mean where left out"
    )
    views: dict[RoleName, Views] = Field({}, description="how else a role's networks see a photo than as a whole")
    classes: Classes
    thresholds: Thresholds = Thresholds()
    grouping: Grouping = Grouping()
    calibration: Calibration = Calibration()
    review: ReviewRules = ReviewRules()
    metrics: dict[str, Metric] = Field({})
    data: tuple[DataOrigin, ...] = ()
    weights: tuple[WeightOrigin, ...] = ()
    limits: tuple[str, ...] = Field((), description="what the bundle is known to fail on, a sentence each")
    notes: tuple[str, ...] = ()

    @property
    def not_judged(self) -> tuple[str, ...]:
        """The damage types that the bundle knows by name and never tells: it was not taught them, or not well enough."""
        return tuple(name for name in self.taxonomy.damage_types if name not in self.taxonomy.taught)

    @property
    def found_types(self) -> tuple[str, ...]:
        """The damage types that findings are told of."""
        return tuple(name for name in self.taxonomy.taught if name in self.classes.damage)

    @property
    def counted_types(self) -> tuple[str, ...]:
        """The damage types of which findings can be counted, or nothing is judged: all but those told of the photo alone."""
        whole = set(self.classes.types) - set(self.classes.damage)
        return tuple(name for name in self.taxonomy.damage_types if name not in whole)

    def network_of(self, file: str) -> Network:
        """The network of an ONNX file that a member names."""
        return next(network for network in self.networks if network.file == file)

    def output_shape(self, role: str, member: Member) -> tuple[int | None, ...]:
        """What a member's main output must be: `(1, classes)`, `(1, channels, h, w)` or `(1, candidates, columns)`.

        `None` stands where any size will do.
        """
        if member.kind == "instances":  # no class of its own for none of them
            names = self.classes.damage if role == "damage" else self.classes.parts
            return (1, None, 4 + len(names) + INSTANCE_MASK**2)
        classes = {
            "types": len(self.classes.types),
            "damage": len(self.classes.damage),
            "parts": len(self.classes.parts) + 1,  # the last channel: no part
            "severity": len(self.classes.severity),
        }.get(role, 1)
        return (1, classes) if member.kind == "labels" else (1, classes, None, None)

    def auxiliary_shape(self, key: str) -> tuple[int | None, ...]:
        """What an auxiliary output of the damage role must be."""
        return (1, AUXILIARY[key](len(self.classes.damage)), None, None)

    def to_json(self) -> str:
        """The manifest as it stands in `bundle.json`: of the schema that its keys need, without later ones that say nothing."""
        document = json.loads(self.model_dump_json())  # a figure of nothing, NaN, is null in JSON
        needed = _WITH_VIEWS if self.combine or self.views else _WITH_TYPES if self.roles.types else _FIRST
        document["schema_version"] = max(self.schema_version, needed, key=_minor)
        for key in ("combine", "views"):
            if not getattr(self, key):
                del document[key]
        if not self.roles.types:
            for key in ("roles", "classes", "thresholds", "calibration"):
                del document[key]["types"]
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        files = [file.name for file in self.files]
        _refuse_twice("files", files)
        networks = [network.file for network in self.networks]
        _refuse_twice("networks", networks)
        if files:
            _refuse_unknown("networks", networks, [name for name in files if name.endswith(".onnx")], "files ending in .onnx")
        members: Members
        for role, members in self.roles:
            _refuse_unknown(f"roles.{role}", [member.file for member in members], networks, "networks")
            for index, member in enumerate(members):
                if member.kind not in DECODED_KINDS[role]:
                    takes = " or ".join(DECODED_KINDS[role]) or "nothing yet"
                    raise ValueError(
                        f"roles.{role}[{index}].kind is {member.kind!r}, this Dentify takes {takes} there: update Dentify"
                    )
                known = AUXILIARY if role == "damage" and member.kind == "maps" else ()
                _refuse_unknown(f"roles.{role}[{index}].auxiliary", member.auxiliary, known, "what this Dentify can use")
        for role in self.combine:
            if sum(member.kind == "maps" for member in getattr(self.roles, role)) < 2:
                raise ValueError(f"combine.{role} says how several maps become one, roles.{role} has fewer than two")
        self._check_views()
        self._check_classes()
        return self

    def _check_views(self) -> None:
        for role, views in self.views.items():
            members: Members = getattr(self.roles, role)
            if not members:
                raise ValueError(f"views.{role} says how networks see a photo, roles.{role} has none")
            if views.tiles is not None and not any(member.kind == "maps" for member in members):
                raise ValueError(f"views.{role}.tiles is for maps, roles.{role} has none")
            if views.mirrored and all(member.kind == "instances" for member in members):
                raise ValueError(f"views.{role}.mirrored is for maps and labels, roles.{role} has none")
            if views.mirrored and role == "parts":
                _refuse_unknown(
                    "views.parts.mirrored", map(mirrored_part, self.classes.parts), self.classes.parts, "classes.parts"
                )

    def _check_classes(self) -> None:
        taught, whole = self.taxonomy.taught, self.classes.types
        of_findings = [name for name in taught if name not in whole or name in self.classes.damage]
        for key, role, known in (
            ("types", self.roles.types, [name for name in taught if name in whole or not self.roles.damage]),
            ("damage", self.roles.damage, of_findings),
            ("parts", self.roles.parts, self.taxonomy.parts),
            ("severity", self.roles.severity, self.taxonomy.severity_levels),
        ):
            names = getattr(self.classes, key)
            _refuse_twice(f"classes.{key}", names)
            expected = set(known) if role else set()
            if set(names) != expected:
                raise ValueError(
                    f"classes.{key} must name {_listed(expected)} in the order of the channels, got {_listed(names)}"
                )
        if self.classes.severity != tuple(level for level in get_args(SeverityLevel) if level in self.classes.severity):
            raise ValueError(f"classes.severity must go from mild to bad, got {list(self.classes.severity)}")
        if len({frozenset(member.auxiliary) for member in self.roles.damage if member.kind == "maps"}) > 1:
            raise ValueError("roles.damage: the members of an ensemble must name the same auxiliary outputs")
        scorer = self.grouping.scorer
        if scorer is not None and len(scorer.mean) != len(scorer.features) + len(self.classes.damage):
            raise ValueError("grouping.scorer must take its features and one number a class of damage")
        if taught and not (self.roles.damage or self.roles.types):
            raise ValueError("taxonomy.taught must be empty where neither roles.damage nor roles.types has members")
        self._check_types()
        missing = set(self.classes.damage) - set(self.thresholds.findings)
        if missing:
            raise ValueError(f"thresholds.findings has no entry for {_listed(missing)}")
        for key, given in (
            ("thresholds.findings", self.thresholds.findings),
            ("calibration.findings", self.calibration.findings),
        ):
            _refuse_unknown(key, given, self.classes.damage, "classes.damage")
        _refuse_unknown("review.weak_types", self.review.weak_types, taught, "taxonomy.taught")

    def _check_types(self) -> None:
        """What is said of the types of the photo as a whole fits together."""
        thresholds, exclusive = self.thresholds.types, self.calibration.types.exclusive
        if self.roles.types and len(self.classes.types) < (2 if exclusive else 1):
            raise ValueError(f"classes.types must name {'at least two types that exclude each other' if exclusive else 'a type'}")
        if not isinstance(thresholds, dict):
            return
        _refuse_unknown("thresholds.types", thresholds, self.classes.types, "classes.types")
        missing = set(self.classes.types) - set(thresholds)
        if missing:
            raise ValueError(f"thresholds.types has no entry for {_listed(missing)}")
        if exclusive:
            raise ValueError("thresholds.types must be one number where calibration.types.exclusive is true")


def parse_manifest(text: bytes, *, where: str) -> Manifest:
    """Read `bundle.json`.

    Args:
        text: the file's bytes.
        where: what error messages call the file.

    Raises:
        BundleError: it is not JSON, of a newer schema, or breaks the schema; one line that says where.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_twice, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BundleError(f"{where}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # two keys alike, NaN, not UTF-8, absurdly deep
        raise BundleError(f"{where}: not a manifest: {printable(str(error))}") from error
    if not isinstance(document, dict):
        raise BundleError(f"{where}: not a manifest: must hold a JSON object, got {type(document).__name__}")
    version = document.get("schema_version")
    if not isinstance(version, str):
        raise BundleError(f'{where}: schema_version is missing or no text; this Dentify reads "{SCHEMA_VERSION}"')
    told = printable(version)
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise BundleError(
            f"{where}: written for schema {told}, this Dentify reads {SCHEMA_VERSION.partition('.')[0]}.x: update Dentify"
        )
    try:
        return Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        newer = "" if version in (_FIRST, _WITH_TYPES, SCHEMA_VERSION) else f" (written for schema {told}: update Dentify)"
        raise BundleError(f"{where}: {explain(error, Manifest)}{newer}") from error


def _minor(version: str) -> int:
    """The second number of a schema's version.

    >>> _minor("1.10")
    10
    """
    return int(version.partition(".")[2])


def shapes_agree(shape: tuple[int | None, ...], expected: tuple[int | None, ...]) -> bool:
    """Whether two shapes are the same where both are fixed.

    >>> shapes_agree((None, 5, 96, 96), (1, 5, None, None)), shapes_agree((1, 6, 96, 96), (1, 5, None, None))
    (True, False)
    """
    return len(shape) == len(expected) and all(a is None or b is None or a == b for a, b in zip(shape, expected, strict=True))


def map_problem(shape: tuple[int | None, ...], size_hw: tuple[int, int]) -> str:
    """Why an output cannot be decoded for its size, whatever its classes; empty where it can. Open sizes are fine.

    Args:
        shape: the output's.
        size_hw: of the network's input: a map that is finer than twice that tells nothing more, and only costs.

    >>> map_problem((1, 5, 96, 96), (384, 384)), map_problem((1, 5, None, 0), (384, 384)), map_problem((1, 2), (64, 64))
    ('', 'which is empty', '')
    >>> map_problem((1, 3, 8000, 8000), (64, 64))
    'finer than twice the 64 × 64 of its input'
    """
    if 0 in shape:
        return "which is empty"
    if len(shape) == 4 and any(side is not None and side > 2 * of for side, of in zip(shape[2:], size_hw, strict=True)):
        return f"finer than twice the {size_hw[0]} × {size_hw[1]} of its input"
    if math.prod(side or 1 for side in shape) > MOST_VALUES:
        return f"over the limit of {MOST_VALUES:,} values"
    return ""


def _without_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice("an object", [key for key, _ in pairs])
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _refuse_twice(key: str, names: Any) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{key} holds {name!r} twice")
        seen.add(name)


def _refuse_unknown(key: str, names: Any, known: Any, of: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{key} names {name!r}, which is not in {of} ({_listed(known)})")


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"

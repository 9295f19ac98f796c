"""What can be named: damage types, car parts and severity levels, with colours and synonyms.

The assessor takes names from the bundle it runs; this file is the default that Dentify's own bundle was taught with. The words
that reports and drawings use for these names stand in `dentify.languages`; a name that is not there is shown as it is spelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

RGB = tuple[int, int, int]
Side = Literal["left", "right"]


@dataclass(frozen=True)
class DamageType:
    """One type of damage. `name` is what files and bundles say; the rest is for people."""

    name: str
    colour: RGB
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One part of a vehicle. Left and right are the vehicle's own, as seen from the driver's seat."""

    name: str
    colour: RGB
    mirrored: str = ""
    """The part's name in the mirrored photo; empty where it is its own mirror image."""
    synonyms: tuple[str, ...] = field(default=())


# Okabe and Ito's palette, told apart by colour-blind readers too (Okabe & Ito 2008, "Color Universal Design").
DAMAGE_TYPES: tuple[DamageType, ...] = (
    DamageType("dent", (230, 159, 0), ("gocuk", "göçük", "ding", "kaput_hasar", "mop_lom")),
    DamageType("scratch", (86, 180, 233), ("cizik", "çizik", "astar", "scrape", "paint", "scratched", "tray_son")),
    DamageType("crack", (240, 228, 66), ("catlak", "çatlak", "tear", "rach")),
    DamageType(
        "glass_shatter",
        (204, 121, 167),
        ("cam_catlagi", "glass shatter", "broken_glass", "vo_kinh"),
    ),
    DamageType("lamp_broken", (0, 158, 115), ("far_hasar", "lamp broken", "broken_lamp", "be_den")),
    DamageType("tire_flat", (0, 114, 178), ("tire flat", "flat_tire", "flat_tyre")),
    DamageType(
        "broken_part",
        (213, 94, 0),
        ("kirik-kayip", "broken", "missing_part", "crushed", "separated", "breakage", "mat_bo_phan"),
    ),
)

PARTS: tuple[Part, ...] = (
    Part("back_bumper", (31, 119, 180), synonyms=("rear_bumper",)),
    Part("back_glass", (174, 199, 232), synonyms=("rear_glass", "rear_window")),
    Part("back_left_door", (255, 127, 14), "back_right_door"),
    Part("back_left_light", (255, 187, 120), "back_right_light"),
    Part("back_right_door", (44, 160, 44), "back_left_door"),
    Part("back_right_light", (152, 223, 138), "back_left_light"),
    Part("front_bumper", (214, 39, 40)),
    Part("front_glass", (255, 152, 150), synonyms=("windshield", "windscreen")),
    Part("front_left_door", (148, 103, 189), "front_right_door"),
    Part("front_left_light", (197, 176, 213), "front_right_light"),
    Part("front_right_door", (140, 86, 75), "front_left_door"),
    Part("front_right_light", (196, 156, 148), "front_left_light"),
    Part("hood", (227, 119, 194), synonyms=("bonnet",)),
    Part("left_mirror", (247, 182, 210), "right_mirror"),
    Part("right_mirror", (127, 127, 127), "left_mirror"),
    Part("tailgate", (188, 189, 34)),
    Part("trunk", (219, 219, 141), synonyms=("boot",)),
    Part("wheel", (23, 190, 207), synonyms=("tire", "tyre")),
    Part("front_left_fender", (57, 59, 121), "front_right_fender", ("left_fender", "front_left_wing")),
    Part("front_right_fender", (99, 121, 57), "front_left_fender", ("right_fender", "front_right_wing")),
    Part(
        "rear_left_quarter_panel",
        (140, 109, 49),
        "rear_right_quarter_panel",
        ("left_quarter_panel", "back_left_quarter_panel", "rear_left_fender", "back_left_fender"),
    ),
    Part(
        "rear_right_quarter_panel",
        (132, 60, 57),
        "rear_left_quarter_panel",
        ("right_quarter_panel", "back_right_quarter_panel", "rear_right_fender", "back_right_fender"),
    ),
    Part("roof", (123, 65, 115)),
    Part("grille", (82, 84, 163), synonyms=("grill", "radiator_grille")),
    Part("left_rocker_panel", (206, 109, 189), "right_rocker_panel", ("left_rocker", "left_sill")),
    Part("right_rocker_panel", (181, 207, 107), "left_rocker_panel", ("right_rocker", "right_sill")),
)

SEVERITY_LEVELS: tuple[str, ...] = ("minor", "moderate", "severe")

DAMAGE_NAMES: tuple[str, ...] = tuple(damage_type.name for damage_type in DAMAGE_TYPES)
PART_NAMES: tuple[str, ...] = tuple(part.name for part in PARTS)

_DAMAGE = {damage_type.name: damage_type for damage_type in DAMAGE_TYPES}
_PARTS = {part.name: part for part in PARTS}
_FALLBACK_COLOUR: RGB = (230, 159, 0)


def damage_colour(name: str) -> RGB:
    """The colour in which a damage type is drawn everywhere."""
    known = _DAMAGE.get(name)
    return known.colour if known else _FALLBACK_COLOUR


def part_colour(name: str) -> RGB:
    """The colour in which a part is drawn everywhere."""
    known = _PARTS.get(name)
    return known.colour if known else _FALLBACK_COLOUR


def mirrored_part(name: str) -> str:
    """The name that a part has in a mirrored photo.

    >>> mirrored_part("left_mirror"), mirrored_part("hood")
    ('right_mirror', 'hood')
    """
    known = _PARTS.get(name)
    return known.mirrored or name if known else name


_LAMPS = ("front_left_light", "front_right_light", "back_left_light", "back_right_light")
_DOORS = ("front_left_door", "front_right_door", "back_left_door", "back_right_door")
_PANES = ("front_glass", "back_glass")
_OWN_PARTS = {"lamp_broken": _LAMPS, "glass_shatter": (*_PANES, *_DOORS), "tire_flat": ("wheel",)}
_FITTINGS = frozenset((*_LAMPS, *_PANES, "left_mirror", "right_mirror", "wheel"))


def own_parts(damage_type: str) -> tuple[str, ...]:
    """The parts that a type of damage is always of, a door for its window; none for a type that any part can have.

    >>> own_parts("tire_flat"), own_parts("dent")
    (('wheel',), ())
    """
    return _OWN_PARTS.get(damage_type, ())


def is_panel(part: str) -> bool:
    """Whether a part is sheet or plastic that crumples and tears; lamps, panes, mirrors and wheels end where they end.

    >>> is_panel("hood"), is_panel("wheel")
    (True, False)
    """
    return part not in _FITTINGS

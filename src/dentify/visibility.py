"""Which parts of a vehicle can be seen from which side: nobody sees the front bumper and the rear one from one corner.

A *view* is the side from which a vehicle is seen. It says which parts a photo cannot show together. The limits are drawn widely:
a headlight reaches round the corner, and a bumper is seen from the side. Of the 4,991 parts that were outlined on 450 photos, one
in three hundred lies on a photo whose other parts fit no view that shows it too: pickups, a second car, an outline of the wrong
name.
"""

from __future__ import annotations

from typing import Literal, get_args

View = Literal["front", "front_right", "right", "rear_right", "rear", "rear_left", "left", "front_left"]
"""Left and right are the vehicle's own."""

VIEWS: tuple[View, ...] = get_args(View)
"""All views, going round the vehicle clockwise as a bird sees it."""


def views_between(first: View, last: View) -> tuple[View, ...]:
    """The views from one to another, going round clockwise.

    >>> views_between("left", "front")
    ('left', 'front_left', 'front')
    """
    start = VIEWS.index(first)
    count = (VIEWS.index(last) - start) % len(VIEWS) + 1
    return (*VIEWS, *VIEWS)[start : start + count]


_ALIKE: tuple[tuple[tuple[View, ...], tuple[str, ...]], ...] = (
    (views_between("left", "right"), ("front_bumper", "grille", "hood", "front_glass")),
    (views_between("right", "left"), ("back_bumper", "trunk", "tailgate", "back_glass")),
    (views_between("rear_left", "front_left"), ("front_left_door", "back_left_door", "left_rocker_panel")),
    (views_between("front_right", "rear_right"), ("front_right_door", "back_right_door", "right_rocker_panel")),
    (views_between("rear_left", "front"), ("front_left_fender",)),
    (views_between("front", "rear_right"), ("front_right_fender",)),
    (views_between("rear", "front_left"), ("rear_left_quarter_panel",)),
    (views_between("front_right", "rear"), ("rear_right_quarter_panel",)),
    (views_between("rear_left", "front_right"), ("front_left_light",)),
    (views_between("front_left", "rear_right"), ("front_right_light",)),
    (views_between("rear_right", "front_left"), ("back_left_light",)),
    (views_between("front_right", "rear_left"), ("back_right_light",)),
    (views_between("rear", "front_right"), ("left_mirror",)),
    (views_between("front_left", "rear"), ("right_mirror",)),
)
_SEEN_FROM = {part: views for views, parts in _ALIKE for part in parts}


def seen_from(part: str) -> tuple[View, ...]:
    """The views that can show a part. Wheels, the roof and parts with a name of a user's own can be seen from everywhere.

    >>> seen_from("front_left_door"), len(seen_from("ladder"))
    (('rear_left', 'left', 'front_left'), 8)
    """
    return _SEEN_FROM.get(part, VIEWS)


COUNTERPARTS: tuple[tuple[str, ...], ...] = (
    ("front_bumper", "back_bumper"),
    ("hood", "trunk", "tailgate"),
    ("front_glass", "back_glass"),
    ("front_left_door", "back_left_door", "front_right_door", "back_right_door"),
    ("front_left_fender", "front_right_fender", "rear_left_quarter_panel", "rear_right_quarter_panel"),
    ("left_rocker_panel", "right_rocker_panel"),
    ("front_left_light", "front_right_light", "back_left_light", "back_right_light"),
    ("left_mirror", "right_mirror"),
)
"""Parts that look alike and lie on different sides: who takes the front for the rear takes one for another."""


_CLOSE = ("close", "detail")
_WORDS: dict[str, View] = {  # of people who say to which side of the picture front or rear points; in profile, the front
    "angle-front-on-left": "front_left",
    "angle-front-on-right": "front_right",
    "angle-back-on-left": "rear_right",
    "angle-back-on-right": "rear_left",
    "profile-on-left": "left",
    "profile-on-right": "right",
    "back": "rear",
}


def known_view(word: str | None) -> View | None:
    """The view that a data set's word stands for; `None` for close-ups, and where nobody said.

    >>> known_view("front_left"), known_view("angle-back-on-left"), known_view("close"), known_view(None)
    ('front_left', 'rear_right', None, None)
    """
    return next((view for view in VIEWS if view == word), _WORDS.get(word or ""))


def is_close(word: str) -> bool:
    """Whether a data set calls a photo a close-up.

    >>> is_close("detail"), is_close("front/rear")
    (True, False)
    """
    return word in _CLOSE


def mirrored_side(view: View) -> View:
    """The view of a mirrored photo.

    >>> mirrored_side("front_left"), mirrored_side("rear")
    ('front_right', 'rear')
    """
    return VIEWS[-VIEWS.index(view) % len(VIEWS)]

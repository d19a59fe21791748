"""Who and what may appear in a split: no identity and no place is in two."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dartblur.errors import UsageError
from dartblur.faces.people.library import Library, Place, Prop, Sprite

Item = TypeVar("Item")


@dataclass(frozen=True)
class Cast:
    """What a scene may be made of."""

    people: tuple[Sprite, ...]
    places: tuple[Place, ...]
    props: tuple[Prop, ...]


def split_of(index: int, val_fraction: float) -> str:
    """``train`` or ``val`` for the scene ``index``: val scenes are spread evenly, whatever the number of scenes."""
    return "val" if int((index + 1) * val_fraction) > int(index * val_fraction) else "train"


def split_library(library: Library, val_fraction: float, seed: int) -> dict[str, Cast]:
    """The casts of ``train``, if ``val_fraction`` is below 1, and of ``val``, if it is above 0; props serve both.

    Identities are divided evenly over sex, ancestry and age, places over light and kind. The result depends on the arguments alone.

    Raises:
        UsageError: the share is not in 0 to 1, or there are not two identities and two places to divide.
    """
    if not 0 <= val_fraction <= 1:
        raise UsageError(f"the share of val is {val_fraction:g}; choose one from 0 to 1")
    if val_fraction in (0, 1):
        return {"val" if val_fraction else "train": Cast(library.people, library.places, library.props)}
    first = {sprite.identity: sprite for sprite in reversed(library.people)}
    if len(first) < 2 or len(library.places) < 2:
        raise UsageError(
            f"{library.root}: {len(first)} identities and {len(library.places)} places cannot be divided into train and val; "
            "make a larger library or use a share of val of 0"
        )

    def stratum(identity: str) -> tuple[str, str, int]:
        sprite = first[identity]
        return sprite.sex, sprite.ancestry, min(sprite.age // 20, 3)

    identities = _spread(sorted(first), str, stratum, val_fraction, seed)
    places = _spread(library.places, lambda place: place.id, lambda place: (place.light, place.kind), val_fraction, seed)
    casts = {}
    for split in ("train", "val"):
        people = tuple(sprite for sprite in library.people if (sprite.identity in identities) == (split == "val"))
        casts[split] = Cast(people, tuple(place for place in library.places if (place in places) == (split == "val")), library.props)
    return casts


def _spread(items: Sequence[Item], name: Callable[[Item], str], stratum: Callable[[Item], tuple[object, ...]], share: float, seed: int) -> set[Item]:
    """A ``share`` of ``items``, one at least and not all: every so many in an order by stratum, by chance within a stratum."""

    def draw(item: Item) -> str:
        return hashlib.sha256(f"{seed}:{name(item)}".encode()).hexdigest()

    ordered = sorted(items, key=lambda item: (*map(str, stratum(item)), draw(item)))
    count = min(max(round(len(items) * share), 1), len(items) - 1)
    return {ordered[int((position + 0.5) * len(items) / count)] for position in range(count)}

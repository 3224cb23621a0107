"""What is where in a scene: thing instances and stuff regions."""

from dataclasses import dataclass

import cv2
import numpy as np

from .categories import STUFF, THINGS, UNLABELLED
from .shapes import draw_shape

MIN_SIZE = 6
"""Diameter of the smallest instances in pixels."""
SMALL_SIZE = 16
"""Instances below this diameter in pixels count as small."""
MAX_INSTANCES = 300

# An instance must show this share of its area, or is placed again, smaller.
_VISIBLE_SHARE = 0.25
_PLACING_TRIES = 30
_SHRINK = 0.9
# Where two stuff fields (of unit variance) are closer than this.
_BORDER_GAP = 0.04


@dataclass(frozen=True)
class SceneOptions:
    """How scenes are laid out.

    Args:
        size: height and width in pixels, each at least 32.
        instances: least and greatest number of instances aimed at in an
            image that isn't empty, 1 to 300; a full image holds fewer.
        small_share: share of instances of 6 to 16 px among all, 0 to 1.
        empty_share: share of images without any instance, 0 to 1.
        neighbour_share: share of instances put next to another one of the
            same class, 0 to 1.

    Raises:
        ValueError: if a value is out of its range.
    """

    size: tuple[int, int] = (256, 256)
    instances: tuple[int, int] = (4, 20)
    small_share: float = 0.2
    empty_share: float = 0.05
    neighbour_share: float = 0.3

    def __post_init__(self) -> None:
        if min(self.size) < 2 * SMALL_SIZE:
            raise ValueError(
                f'size must be at least {2 * SMALL_SIZE} px on both sides, '
                f'got {self.size[0]} x {self.size[1]}'
            )
        if not 1 <= self.instances[0] <= self.instances[1] <= MAX_INSTANCES:
            raise ValueError(
                f'instances must be a least and a greatest number within 1 '
                f'to {MAX_INSTANCES}, got {self.instances[0]} and '
                f'{self.instances[1]}'
            )
        for name in ('small_share', 'empty_share', 'neighbour_share'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f'{name} must be within 0 and 1, got {getattr(self, name)}'
                )


@dataclass(frozen=True)
class Thing:
    """One instance: class index, centre (x, y), diameter, angle."""

    label: int
    centre: tuple[float, float]
    size: float
    angle: float


@dataclass(frozen=True)
class Layout:
    """A scene before it is drawn.

    Attributes:
        things: the instances, front to back.
        instance_map: int32 (H, W), 1-based index of the visible instance,
            0 where there is none.
        stuff_map: uint8 (H, W), index of the stuff class behind the
            instances, ``UNLABELLED`` along the borders between regions.
    """

    things: list[Thing]
    instance_map: np.ndarray
    stuff_map: np.ndarray


def sample_layout(rng: np.random.Generator, options: SceneOptions) -> Layout:
    """Draws a random layout."""
    instance_map = np.zeros(options.size, np.int32)
    things: list[Thing] = []
    least, greatest = options.instances
    count = int(rng.integers(least, greatest + 1))
    if rng.random() < options.empty_share:
        count = 0
    for remaining in range(count, 0, -1):
        # Dense scenes get smaller instances, or they could not hold them.
        free = np.count_nonzero(instance_map == 0)
        largest = max(
            SMALL_SIZE, min(*options.size, 4 * (free / remaining) ** 0.5) / 2
        )
        thing = _place(rng, things, instance_map, options, largest)
        if thing is not None:
            things.append(thing)
    return Layout(things, instance_map, _sample_stuff(rng, options.size))


def _place(
    rng: np.random.Generator,
    things: list[Thing],
    instance_map: np.ndarray,
    options: SceneOptions,
    largest: float,
) -> Thing | None:
    """Puts one instance behind those of ``instance_map``, in place.

    Going front to back, what is visible of an instance never changes
    later; a place where too little of it would be visible is given up.
    """
    small = rng.random() < options.small_share
    lower, upper = (MIN_SIZE, SMALL_SIZE) if small else (SMALL_SIZE, largest)
    size = np.exp(rng.uniform(np.log(lower), np.log(upper)))
    for _ in range(_PLACING_TRIES):
        thing = _sample_thing(rng, things, options, size)
        if _paint(thing, instance_map, len(things) + 1):
            return thing
        size = max(MIN_SIZE, _SHRINK * size)
    return None


def _sample_thing(
    rng: np.random.Generator,
    things: list[Thing],
    options: SceneOptions,
    size: float,
) -> Thing:
    label = int(rng.integers(len(THINGS)))
    angle = rng.uniform(0, 2 * np.pi)
    height, width = options.size
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    if things and rng.random() < options.neighbour_share:
        neighbour = things[rng.integers(len(things))]
        label = neighbour.label
        distance = rng.uniform(0.3, 0.55) * (neighbour.size + size)
        direction = rng.uniform(0, 2 * np.pi)
        x = neighbour.centre[0] + distance * np.cos(direction)
        y = neighbour.centre[1] + distance * np.sin(direction)
    return Thing(label, (float(x), float(y)), float(size), float(angle))


def _paint(thing: Thing, instance_map: np.ndarray, index: int) -> bool:
    """Fills the visible part with ``index`` unless there is too little."""
    mask, (left, top) = draw_shape(
        THINGS[thing.label], thing.centre, thing.size, thing.angle
    )
    x, y = max(left, 0), max(top, 0)
    region = instance_map[
        y : max(top + mask.shape[0], 0), x : max(left + mask.shape[1], 0)
    ]
    inside = mask[y - top :, x - left :][: region.shape[0], : region.shape[1]]
    visible = inside & (region == 0)
    if visible.sum() < _VISIBLE_SHARE * mask.sum():
        return False
    region[visible] = index
    return True


def _sample_stuff(
    rng: np.random.Generator, size: tuple[int, int]
) -> np.ndarray:
    """Cuts the image into regions of one to all stuff classes."""
    height, width = size
    count = rng.integers(1, len(STUFF) + 1)
    classes = rng.permutation(len(STUFF))[:count].astype(np.uint8)
    fields = np.stack(
        [
            cv2.resize(
                rng.standard_normal((4, 4), np.float32),
                (width, height),
                interpolation=cv2.INTER_CUBIC,
            )
            for _ in classes
        ]
    )
    stuff_map = classes[fields.argmax(0)]
    close = fields > fields.max(0) - _BORDER_GAP
    stuff_map[close.sum(0) > 1] = UNLABELLED
    return stuff_map

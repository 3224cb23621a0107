"""Draws layouts: textures, lighting, blur and noise."""

import colorsys
import math

import cv2
import numpy as np

from .categories import THINGS
from .layout import Layout, Thing

_SEAM = 40
"""Grey value of the unlabelled seams between stuff regions."""
_THING_HUE_SPREAD = 0.05


def render(rng: np.random.Generator, layout: Layout) -> np.ndarray:
    """Draws a layout.

    Returns:
        The image, uint8 (H, W, 3), BGR.
    """
    image = _render_stuff(rng, layout.stuff_map)
    light = rng.uniform(0, 2 * np.pi)
    height, width = layout.stuff_map.shape
    for i, thing in enumerate(layout.things):
        (x, y), reach = thing.centre, thing.size / 2 + 1
        box = np.s_[
            max(int(y - reach), 0) : min(int(y + reach) + 1, height),
            max(int(x - reach), 0) : min(int(x + reach) + 1, width),
        ]
        visible = layout.instance_map[box] == i + 1
        image[box][visible] = _render_thing(rng, thing, box, light)[visible]
    return _photograph(rng, image, light)


def _colour(
    rng: np.random.Generator, hue: float, hue_spread: float, saturation: float
) -> np.ndarray:
    """A random colour near ``hue`` (0 to 1), BGR, 0 to 255."""
    rgb = colorsys.hsv_to_rgb(
        rng.normal(hue, hue_spread) % 1,
        saturation * rng.uniform(0.5, 1),
        rng.uniform(0.4, 0.95),
    )
    return 255 * np.array(rgb[::-1], np.float32)


def _render_stuff(
    rng: np.random.Generator, stuff_map: np.ndarray
) -> np.ndarray:
    height, width = stuff_map.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    image = np.full((height, width, 3), _SEAM, np.float32)
    # In the order of STUFF.
    looks = ((_meadow, 0.28), (_water, 0.56), (_bricks, 0.05))
    for i, (texture, hue) in enumerate(looks):
        part = stuff_map == i
        if not part.any():
            continue
        colour = _colour(rng, hue, 0.05, 0.45)
        image[part] = texture(rng, x, y)[part][:, None] * colour
    return image


def _rotated(
    x: np.ndarray, y: np.ndarray, angle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across the direction ``angle``."""
    cos, sin = math.cos(angle), math.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def _meadow(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Blobs of two sizes."""
    height, width = x.shape
    blobs = np.ones_like(x)
    for cell in (4, 16):
        grid = rng.normal(0, 0.12, (height // cell + 1, width // cell + 1))
        blobs += cv2.resize(grid.astype(np.float32), (width, height))
    return blobs


def _water(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Bent waves."""
    along, across = _rotated(x, y, rng.uniform(0, 2 * np.pi))
    bend = 3 * np.sin(across / 20 + rng.uniform(0, 2 * np.pi))
    rate = 2 * np.pi / rng.uniform(8, 20)
    return 1 + 0.15 * np.sin(rate * (along + bend))


def _bricks(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Rows of bricks with dark joints; every second row is shifted."""
    height = rng.uniform(8, 16)
    row = np.floor(y / height)
    shifted = x + (row % 2) * height
    joint = (y % height < 2) | (shifted % (2 * height) < 2)
    return np.where(joint, 0.7, 1.05).astype(np.float32)


def _render_thing(
    rng: np.random.Generator,
    thing: Thing,
    box: tuple[slice, slice],
    light: float,
) -> np.ndarray:
    """Colours of all pixels of ``box`` as if the instance filled it."""
    rows, columns = box
    y, x = np.mgrid[rows, columns].astype(np.float32)
    x, y = x - thing.centre[0], y - thing.centre[1]
    colour = _colour(rng, thing.label / len(THINGS), _THING_HUE_SPREAD, 1.0)
    shade = 1 + 0.4 / thing.size * _rotated(x, y, light)[0]
    rate = 2 * np.pi / max(3, thing.size * rng.uniform(0.1, 0.3))
    u, v = (np.sin(rate * c) for c in _rotated(x, y, thing.angle))
    pattern = rng.integers(4)
    if pattern == 0:  # stripes
        shade += 0.2 * np.sign(u)
    elif pattern == 1:  # checks
        shade += 0.2 * np.sign(u * v)
    elif pattern == 2:  # dots
        shade += 0.3 * (u * v > 0.4)
    return shade[..., None] * colour


def _photograph(
    rng: np.random.Generator, image: np.ndarray, light: float
) -> np.ndarray:
    """Adds uneven lighting, a white balance, blur and sensor noise."""
    height, width = image.shape[:2]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    slope = rng.uniform(0, 0.5)
    lighting = rng.uniform(0.7, 1.15) + slope * _rotated(x, y, light)[0]
    balance = rng.uniform(0.92, 1.08, 3).astype(np.float32)
    image = image * lighting[..., None] * balance
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noisy = image + rng.uniform(2, 10) * noise
    return noisy.clip(0, 255).astype(np.uint8)

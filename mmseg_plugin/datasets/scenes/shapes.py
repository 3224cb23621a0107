"""Outlines of the thing classes, and their masks."""

import cv2
import numpy as np

_FRACTION_BITS = 4


def _circle(radius: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _spokes(radii: list[float]) -> np.ndarray:
    """Points at equal angles; ``radii`` are their distances from (0, 0)."""
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.array(radii)[:, None] * directions


def _cross(arm: float) -> np.ndarray:
    reach = (1 - arm**2) ** 0.5
    quarter = np.array([[reach, -arm], [reach, arm], [arm, arm]])
    turn = np.array([[0, -1], [1, 0]])
    turns = [np.linalg.matrix_power(turn, k) for k in range(4)]
    return np.concatenate([quarter @ t.T for t in turns])


# Each outline is a list of contours (even-odd rule) inside the unit circle.
OUTLINES: dict[str, list[np.ndarray]] = {
    'disc': [_circle(1.0)],
    'box': [_spokes([1.0] * 4)],
    'triangle': [_spokes([1.0] * 3)],
    'star': [_spokes([1.0, 0.45] * 5)],
    'ring': [_circle(1.0), _circle(0.5)],
    'cross': [_cross(0.3)],
}


def draw_shape(
    name: str, centre: tuple[float, float], size: float, angle: float
) -> tuple[np.ndarray, tuple[int, int]]:
    """Draws one shape, not clipped by any image.

    Args:
        name: key of :data:`OUTLINES`.
        centre: x and y in pixels.
        size: diameter of the circle around the shape in pixels.
        angle: rotation in radians.

    Returns:
        A boolean mask that just holds the shape, and the x and y of its
        top left pixel, which may lie outside the image.
    """
    rotation = np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    contours = [c @ rotation * (size / 2) + centre for c in OUTLINES[name]]
    points = np.concatenate(contours)
    left, top = np.floor(points.min(0)).astype(int)
    right, bottom = np.ceil(points.max(0)).astype(int)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    scale = 1 << _FRACTION_BITS
    fixed = [
        np.round((c - (left, top)) * scale).astype(np.int32) for c in contours
    ]
    cv2.fillPoly(mask, fixed, 1, shift=_FRACTION_BITS)
    return mask.astype(bool), (int(left), int(top))

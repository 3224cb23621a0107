"""Splits a COCO data set by image: seeded, stratified, no near-duplicates."""

from __future__ import annotations

from collections import Counter

import numpy as np

VAL_SHARE = 0.2


def split_images(
    labels: list[Counter],
    alike: list[tuple[int, int]],
    seed: int = 0,
    share: float = VAL_SHARE,
) -> np.ndarray:
    """Chooses images for validation.

    Args:
        labels: class to objects, of each image.
        alike: pairs of images that must be on one side.
        seed: equal seeds give equal splits.
        share: of images and of the objects of each class.

    Returns:
        (I,) bool, True for validation. Every class that is there twice or
        more, in images that may be parted, stays in training.
    """
    groups = _groups(len(labels), alike)
    order = np.random.default_rng(seed).permutation(len(groups))
    total = sum(labels, Counter())
    left: Counter = Counter(total)
    taken: Counter = Counter()
    chosen = np.zeros(len(labels), dtype=bool)
    # Groups with rare classes first: later there is no choice for them.
    rarity = [
        min((total[c] for i in group for c in labels[i]), default=len(labels))
        for group in groups
    ]
    for place in sorted(order.tolist(), key=lambda place: rarity[place]):
        group = groups[place]
        here = sum((labels[i] for i in group), Counter())
        wanted = any(taken[c] < share * total[c] - 0.5 for c in here)
        room = chosen.sum() + len(group) <= max(1, share * len(labels))
        stays = all(left[c] > count for c, count in here.items())
        if room and stays and (wanted or not here):
            chosen[group] = True
            left -= here
            taken += here
    return chosen


def _groups(count: int, alike: list[tuple[int, int]]) -> list[list[int]]:
    """Images that belong together, by what is alike directly or not."""
    head = list(range(count))

    def find(place: int) -> int:
        while head[place] != place:
            head[place] = head[head[place]]
            place = head[place]
        return place

    for a, b in alike:
        head[find(a)] = find(b)
    groups: dict[int, list[int]] = {}
    for place in range(count):
        groups.setdefault(find(place), []).append(place)
    return list(groups.values())


def parts(data: dict, validation: np.ndarray) -> dict[str, dict]:
    """The two splits as COCO data.

    Args:
        data: all of it.
        validation: see :func:`split_images`.
    """
    found = {}
    for name, side in (('train', False), ('val', True)):
        images = [
            image
            for image, chosen in zip(data['images'], validation, strict=True)
            if chosen == side
        ]
        known = {image.get('id') for image in images}
        rows = [
            a
            for a in data.get('annotations', ())
            if a.get('image_id') in known
        ]
        found[name] = {**data, 'images': images, 'annotations': rows}
    return found

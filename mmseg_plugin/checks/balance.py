"""Classes and objects against what a model can learn and find."""

import numpy as np

from .categories import used
from .findings import Hits, Options, check, hits
from .snapshot import Snapshot

ALL = ('instances', 'panoptic')


def objects_of_images(snapshot: Snapshot) -> np.ndarray:
    """(I,) objects of each image."""
    place = snapshot.image_of[snapshot.objects()]
    return np.bincount(place, minlength=len(snapshot.images))


@check(
    'balance.few',
    'note',
    'classes have few objects',
    'annotate more, or leave the class out',
    kinds=ALL,
)
def few(snapshot: Snapshot, options: Options) -> Hits:
    counts = used(snapshot)
    found = (counts > 0) & (counts < options.few)
    return hits(found, lambda i: f'{snapshot.name_category(i)}: {counts[i]}')


@check(
    'balance.queries',
    'error',
    'images have more objects than the model has queries',
    'set num_queries to more than the densest image has',
)
def queries(snapshot: Snapshot, options: Options) -> Hits:
    limit = options.num_queries or np.inf
    return _denser(snapshot, limit)


@check(
    'balance.detections',
    'warning',
    'images have more objects than the metric counts',
    'use proposal_nums and max_per_img of more than the densest image has',
)
def detections(snapshot: Snapshot, options: Options) -> Hits:
    return _denser(snapshot, options.max_dets)


def _denser(snapshot: Snapshot, limit: float) -> Hits:
    counts = objects_of_images(snapshot)
    return hits(
        counts > limit, lambda i: f'{snapshot.name_image(i)}: {counts[i]}'
    )


@check(
    'balance.empty-images',
    'note',
    'images have no object: training leaves them out by default',
    'filter_cfg=dict(filter_empty_gt=False) keeps them as negatives',
)
def empty_images(snapshot: Snapshot, options: Options) -> Hits:
    found = objects_of_images(snapshot) == 0
    return hits(found, snapshot.name_image)

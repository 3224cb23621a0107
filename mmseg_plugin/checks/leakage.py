"""What training and validation have in common, and what not."""

import numpy as np

from mmseg_plugin.datasets.panoptic_fields import is_thing

from .categories import used
from .files import IMAGES
from .findings import Hits, Options, check, listed
from .images import near_pairs
from .snapshot import Snapshot

ALL = ('instances', 'panoptic')


@check(
    'leakage.same-file',
    'error',
    'images are in training as well: results are better than they should be',
    'take them out of one split',
    kinds=IMAGES,
    reads_images=True,
)
def same_file(snapshot: Snapshot, options: Options) -> Hits:
    reference = snapshot.reference
    if reference is None:
        return listed([])
    known = {f.digest: f.path.name for f in reference.facts if f.digest}
    return listed(
        [
            f'{fact.path.name} = {known[fact.digest]}'
            for fact in snapshot.facts
            if fact.digest in known
        ]
    )


@check(
    'leakage.near',
    'warning',
    'images look like one of training (dHash)',
    'keep what was taken at one moment in one split',
    kinds=IMAGES,
    reads_images=True,
)
def near(snapshot: Snapshot, options: Options) -> Hits:
    if snapshot.reference is None:
        return listed([])
    # A uniform picture has no bits and is like every other one.
    here = [f for f in snapshot.facts if f.dhash]
    there = [f for f in snapshot.reference.facts if f.dhash]
    pairs = near_pairs([f.dhash for f in here], [f.dhash for f in there])
    places = {
        here[i].path.name: there[j].path.name
        for i, j in pairs
        if here[i].digest != there[j].digest
    }
    return listed([f'{a} ~ {b}' for a, b in places.items()])


@check(
    'leakage.new-class',
    'warning',
    'classes of this split have no object in training',
    'split by class, so that each has some in training',
    kinds=ALL,
)
def new_class(snapshot: Snapshot, options: Options) -> Hits:
    reference = snapshot.reference
    if reference is None:
        return listed([])
    there = {
        c.get('name')
        for c, n in zip(reference.categories, used(reference), strict=True)
        if n
    }
    found = [
        snapshot.name_category(int(i))
        for i in np.flatnonzero(used(snapshot))
        if snapshot.categories[i].get('name') not in there
    ]
    return listed(found)


@check(
    'leakage.categories',
    'error',
    'the splits number their classes differently',
    'use one list of categories for all splits',
    kinds=ALL,
)
def categories(snapshot: Snapshot, options: Options) -> Hits:
    reference = snapshot.reference
    if reference is None:
        return listed([])
    there: dict[object, list] = {}
    for c in reference.categories:
        there.setdefault(c.get('name'), []).append(c.get('id'))
    found = [
        f'{c.get("name")!r}: {c.get("id")}, in training {there[c["name"]][0]}'
        for c in snapshot.categories
        if c.get('id') not in there.get(c.get('name'), [c.get('id')])
    ]
    return listed(found)


@check(
    'leakage.things',
    'error',
    'classes are things in one split and stuff in the other',
    'give them one value of isthing',
    kinds=('panoptic',),
)
def things(snapshot: Snapshot, options: Options) -> Hits:
    reference = snapshot.reference
    if reference is None:
        return listed([])
    there = {c.get('name'): is_thing(c) for c in reference.categories}
    found = [
        str(c.get('name'))
        for c in snapshot.categories
        if there.get(c.get('name'), is_thing(c)) != is_thing(c)
    ]
    return listed(found)

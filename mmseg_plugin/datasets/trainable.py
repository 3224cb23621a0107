"""Says before the first iteration what a training set cannot teach."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from mmengine.logging import print_log


def check_trainable(
    infos: Sequence[Mapping],
    classes: Sequence[str],
    source: object,
    things: Sequence[str] | None = None,
) -> None:
    """Counts what each class can be learned from.

    Warns where most objects are crowds or a class has none.

    Args:
        infos: of each image: ``instances`` and, of panoptic sets,
            ``segments_info``.
        classes: names by label.
        source: the annotation file.
        things: names of the classes of a panoptic set that are things; None
            for sets of instances.

    Raises:
        ValueError: there is no object, or no thing, that is not a crowd.
    """
    wanted = classes if things is None else things
    taught, crowds = Counter[str](), Counter[str]()
    for info in infos:
        for instance in info['instances']:
            name = classes[instance['bbox_label']]
            (crowds if instance['ignore_flag'] else taught)[name] += 1
        for segment in info.get('segments_info', ()):
            name = classes[segment['category']]
            if name not in wanted:
                taught[name] += 1
            elif not segment['is_thing']:
                crowds[name] += 1
    if not any(taught[name] for name in wanted or classes):
        raise ValueError(
            f'{source} teaches no {"object" if things is None else "thing"}: '
            f'{_cause(crowds)}'
        )
    if crowds.total() > sum(taught[name] for name in wanted):
        print_log(
            f'{source}: {crowds.total()} objects are crowds (iscrowd 1), more '
            'than the others; no mask is learned from a crowd',
            'current',
            logging.WARNING,
        )
    lacking = [name for name in classes if not taught[name]]
    if lacking:
        print_log(
            f'{source} has nothing to learn from for {len(lacking)} of '
            f'{len(classes)} classes: {", ".join(lacking[:10])}',
            'current',
            logging.WARNING,
        )


def _cause(crowds: Counter) -> str:
    if crowds:
        return (
            f'all {crowds.total()} of its classes are crowds (iscrowd 1, '
            'which some tools write for every RLE): set iscrowd to 0'
        )
    return (
        'none of its annotations is of one of the classes, inside its image, '
        'larger than a pixel and not marked "ignore"'
    )


def check_isthing(
    isthing: Mapping[str, bool],
    things: Sequence[str],
    source: object,
    training: bool,
) -> None:
    """Compares the file's ``isthing`` with the metainfo's things.

    Warns where they differ.

    Args:
        isthing: of each class that the file has.
        things: names of the classes that the metainfo calls things.
        source: the annotation file.
        training: whether the set is trained on.

    Raises:
        ValueError: it is, and the file calls none of them a thing.
    """
    lost = [name for name in things if not isthing.get(name, True)]
    more = [n for n, thing in isthing.items() if thing and n not in things]
    known = [name for name in things if name in isthing]
    if training and known and len(lost) == len(known):
        raise ValueError(
            f'{source} teaches no thing: isthing is 0 for all of '
            f'{", ".join(lost[:10])}, which the metainfo calls things; set '
            'it to 1'
        )
    for names, number, other in ((lost, 0, 'things'), (more, 1, 'stuff')):
        if names:
            print_log(
                f'{source}: isthing is {number} for {", ".join(names[:10])}, '
                f'which the metainfo calls {other}',
                'current',
                logging.WARNING,
            )

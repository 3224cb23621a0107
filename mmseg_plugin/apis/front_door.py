"""From a folder of data to splits that can be trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from mmseg_plugin.checks import (
    CHECKS,
    Finding,
    Options,
    Selection,
    Snapshot,
    fixed_copy,
    format_report,
    run_checks,
)
from mmseg_plugin.checks.images import near_pairs
from mmseg_plugin.checks.reading import read_split
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.formats import (
    DataError,
    DataFound,
    find_data,
    read_data,
)
from mmseg_plugin.datasets.formats.splitting import parts, split_images

from .data_folder import FOLDER, with_folder, with_splits, write_splits

SPLITS = ('train', 'val')
# Faults for other programs: our data sets and metrics number annotations
# anew, go by names, and complete what is missing.
HANDLED = (
    *('ids.annotation-zero', 'ids.annotation-missing', 'ids.annotation-twice'),
    *('boxes.missing', 'boxes.area-missing', 'crowd.missing'),
    'leakage.categories',
)
# Makes results too good, and yet trains.
ONLY_WARNED_OF = 'leakage.same-file'
# Loses nothing: no object is of a root category.
LOSSLESS = 'categories.root'
SHARED_NAME = 'categories.same-name'


def prepare_data(
    path: Path, seed: int = 0, fix: bool = False
) -> tuple[DataFound, list[str]]:
    """Data with a training and a validation split, as COCO has them.

    Nothing is written yet: see :func:`save_data`.

    Args:
        path: the data.
        seed: of the split, if one has to be made.
        fix: whether all is corrected that can be; otherwise root categories
            that share a name with a class are left out, and nothing else.

    Returns:
        The data, and what was done in sentences.

    Raises:
        UserError: it cannot be used; the message says why.
    """
    try:
        found = find_data(path)
        said = [found.sentence()]
        made: dict[str, dict] = {}
        if found.convert:
            made = read_data(found)
            said[0] += f'; {", ".join(made)}'
        there = made or found.splits
        if 'val' not in there and 'test' in there:
            said.append('validated on its test split')
            if made:
                made['val'] = made.pop('test')
            else:
                splits = {**found.splits, 'val': found.splits['test']}
                found = replace(found, splits=splits)
        elif 'val' not in there:
            made = _split(found, made, seed)
            said.append(
                'no validation split: a fifth of the images becomes one '
                f'(--seed {seed})'
            )
        made, fixed = _corrected(found, made, fix)
        said += [
            f'corrected: {CHECKS[name].message} ({name})' for name in fixed
        ]
        if not made:
            return found, said
        return with_splits(found, made), said
    except DataError as error:
        raise UserError(str(error)) from error


def _split(
    found: DataFound, converted: dict[str, dict], seed: int
) -> dict[str, dict]:
    """Training and validation data: COCO's, or names of images."""
    if converted:
        snapshot = Snapshot(
            found.root, converted['train'], image_dir=found.root
        )
    else:
        snapshot = read_split(found.splits['train'])
    hashes = [fact.dhash for fact in snapshot.facts]
    # A uniform picture has no bits and is like every other one.
    alike = [
        (a, b)
        for a, b in near_pairs(hashes, hashes)
        if a < b and hashes[a] and hashes[b]
    ]
    chosen = split_images(_labels(snapshot), alike, seed)
    if not chosen.any():
        raise DataError(
            f'{found.root}: no image can be put aside for validation; name '
            'a split val'
        )
    done = parts(snapshot.data, chosen)
    if found.splits and found.kind != 'semantic':
        folder = found.splits['train'].image_dir
        return {n: with_folder(d, folder, found.root) for n, d in done.items()}
    return done


def _labels(snapshot: Snapshot) -> list[Counter]:
    """Classes of each image, with the number of objects or maps."""
    if snapshot.kind == 'semantic':
        return [Counter(fact.areas.keys()) for fact in snapshot.maps]
    labels: list[Counter] = [Counter() for _ in snapshot.images]
    if snapshot.kind == 'panoptic':
        for image, one in zip(
            snapshot.image_of, snapshot.annotations, strict=True
        ):
            if image >= 0:
                segments = one.get('segments_info') or ()
                labels[image].update(s.get('category_id') for s in segments)
        return labels
    known = snapshot.objects()
    for image, label in zip(
        snapshot.image_of[known], snapshot.category_of[known], strict=True
    ):
        labels[image][int(label)] += 1
    return labels


def _corrected(
    found: DataFound, made: dict[str, dict], fix: bool
) -> tuple[dict[str, dict], list[str]]:
    """Splits without what can be corrected, and the ids of that."""
    if found.kind == 'semantic':
        return made, []
    splits, fixed = dict(made), set()
    for name in SPLITS:
        if made:
            maps = found.map_folder(name)
            snapshot = Snapshot(
                found.root, made[name], found.kind, found.root, maps
            )
        else:
            snapshot = read_split(found.splits[name])
        data, done = fixed_copy(snapshot, _fixable(snapshot, fix))
        fixed |= set(done)
        if not made:
            data = with_folder(data, found.splits[name].image_dir, found.root)
        splits[name] = data
    return (splits if fixed or made else {}), sorted(fixed)


def _fixable(snapshot: Snapshot, fix: bool) -> list[Finding]:
    if fix:
        return run_checks(snapshot, Options())
    findings = run_checks(
        snapshot, Options(), Selection((LOSSLESS, SHARED_NAME))
    )
    # A root category does no harm unless it has the name of a class.
    shared = any(f.id == SHARED_NAME for f in findings)
    return [f for f in findings if f.id == LOSSLESS and shared]


def save_data(found: DataFound, seed: int = 0, fix: bool = False) -> str:
    """Writes what was converted, split or corrected.

    Once, into a folder beside the data, with a record of its sources.

    Args:
        found: of :func:`prepare_data`.
        seed: as there.
        fix: as there.

    Returns:
        What was written, for the user, or nothing.

    Raises:
        UserError: the folder holds what was made otherwise.
    """
    ann_file = found.splits['train'].ann_file or found.splits['train'].names
    if ann_file is None or ann_file.parent != found.root / FOLDER:
        return ''
    try:
        write_splits(found, {'seed': seed, 'fix': fix})
    except DataError as error:
        raise UserError(str(error)) from error
    return f'annotations as they are used: {ann_file.parent}'


def check_data(found: DataFound) -> tuple[dict[str, Snapshot], str]:
    """Reads and checks both splits.

    Returns:
        Snapshots, and a report of what is worth a warning.

    Raises:
        UserError: training would stop, or be wrong.
    """
    options = Options()
    if found.kind == 'semantic':
        options = Options(classes=found.classes)
    # The config that is written counts as many as there are, and has no
    # root category among its classes.
    selection = Selection(skip=('balance.detections', LOSSLESS, *HANDLED))
    snapshots: dict[str, Snapshot] = {}
    findings: list[Finding] = []
    for name in SPLITS:
        snapshot = read_split(found.splits[name])
        snapshot.reference = snapshots.get('train')
        snapshots[name] = snapshot
        findings += run_checks(snapshot, options, selection)
    findings = [
        replace(f, severity='warning') if f.id == ONLY_WARNED_OF else f
        for f in findings
    ]
    errors = [f for f in findings if f.severity == 'error']
    if errors:
        hint = f'all that was found: mmseg-plugin check {found.root}'
        if any(f.can_fix for f in errors):
            hint += (
                '\nwith --fix a corrected copy is used, without those marked *'
            )
        raise UserError(
            f'{found.root} cannot be trained on:\n'
            f'{format_report(errors, counts=False)}\n\n{hint}'
        )
    rest = [f for f in findings if f.severity == 'warning']
    return snapshots, format_report(rest, counts=False) if rest else ''

"""From a folder of data to a config: convert, split, check, choose."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmseg_plugin.apis.new_config import DataFacts, SplitFacts
from mmseg_plugin.checks import (
    Options,
    Selection,
    Snapshot,
    format_report,
    run_checks,
)
from mmseg_plugin.checks.balance import objects_of_images
from mmseg_plugin.checks.categories import is_root
from mmseg_plugin.checks.images import near_pairs
from mmseg_plugin.checks.reading import read_split
from mmseg_plugin.cli.cli import UserError, atomic_path
from mmseg_plugin.datasets.formats import (
    DataError,
    DataFound,
    Split,
    find_data,
)
from mmseg_plugin.datasets.formats.detect import images_in
from mmseg_plugin.datasets.formats.labelme import read_labelme
from mmseg_plugin.datasets.formats.splitting import parts, split_images
from mmseg_plugin.datasets.formats.yolo import read_yolo

READERS: dict[str, Callable[[Path], dict[str, dict]]] = {
    'yolo': read_yolo,
    'labelme': read_labelme,
}
# Where converted and split files are written, beside the data.
FOLDER = 'mmseg_plugin_data'


def prepare_data(path: Path, seed: int = 0) -> tuple[DataFound, list[str]]:
    """Data with a training and a validation split, as COCO has them.

    What is converted or split is written once, into a folder beside the
    data, with a record of its sources.

    Args:
        path: the data.
        seed: of the split, if one has to be made.

    Returns:
        The data, and what was done in sentences.

    Raises:
        UserError: it cannot be used; the message says why.
    """
    try:
        found = find_data(path)
        said = [found.sentence()]
        converted = {}
        if found.convert:
            converted = READERS[found.convert](found.root)
        elif 'val' not in found.splits and 'test' in found.splits:
            said.append('validated on its test split')
            splits = {**found.splits, 'val': found.splits['test']}
            found = replace(found, splits=splits)
        if 'val' not in (converted or found.splits):
            converted = _split(found, converted, seed)
            said.append(f'split by image, seed {seed}')
        if converted:
            found = _write(found, converted, seed)
            said.append(f'written to {found.root / FOLDER}')
        return found, said
    except DataError as error:
        raise UserError(str(error)) from error


def _split(
    found: DataFound, converted: dict[str, dict], seed: int
) -> dict[str, dict]:
    if found.kind != 'instances':
        raise DataError(
            f'{found.root} has no validation split; make one, with a folder '
            'or file named val'
        )
    if converted:
        snapshot = Snapshot(
            found.root, converted['train'], image_dir=found.root
        )
    else:
        snapshot = read_split(found.splits['train'])
    labels: list[Counter] = [Counter() for _ in snapshot.images]
    known = snapshot.objects()
    for image, label in zip(
        snapshot.image_of[known], snapshot.category_of[known], strict=True
    ):
        labels[image][int(label)] += 1
    hashes = [fact.dhash for fact in snapshot.facts]
    alike = [(a, b) for a, b in near_pairs(hashes, hashes) if a < b]
    chosen = split_images(labels, alike, seed)
    if not chosen.any():
        raise DataError(
            f'{found.root}: no image can be put aside for validation; name '
            'a split val'
        )
    done = parts(snapshot.data, chosen)
    if found.splits:
        _prefix(done, found.splits['train'].image_dir, found.root)
    return done


def _prefix(done: dict[str, dict], folder: Path, root: Path) -> None:
    """File names become relative to the root."""
    start = folder.resolve().relative_to(root.resolve())
    for data in done.values():
        data['images'] = [
            {**image, 'file_name': (start / image['file_name']).as_posix()}
            for image in data['images']
        ]


def _write(found: DataFound, splits: dict[str, dict], seed: int) -> DataFound:
    out = found.root / FOLDER
    if out.is_dir():
        _check_record(out, found)
    else:
        with atomic_path(out) as part:
            part.mkdir()
            for name, data in splits.items():
                (part / f'{name}.json').write_text(json.dumps(data))
            record = {
                'format': found.format,
                'seed': seed,
                'sources': _hashes(found),
            }
            (part / 'record.json').write_text(json.dumps(record, indent=1))
    written = {
        name: Split(out / f'{name}.json', found.root) for name in splits
    }
    return replace(found, splits=written, convert=None)


def _hashes(found: DataFound) -> dict[str, str]:
    """SHA-256 of everything but images, by name."""
    images = set(images_in(found.root))
    return {
        path.relative_to(found.root).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(found.root.rglob('*'))
        if path.suffix in ('.json', '.txt', '.yaml', '.yml')
        and path not in images
        and FOLDER not in path.parts
    }


def _check_record(out: Path, found: DataFound) -> None:
    try:
        record = json.loads((out / 'record.json').read_text())
    except (OSError, ValueError) as error:
        raise DataError(f'{out} is not of this tool; move it away') from error
    if record.get('sources') != _hashes(found):
        raise DataError(
            f'{out} was made from other annotations; remove it and run again'
        )


def check_data(found: DataFound) -> tuple[dict[str, Snapshot], str]:
    """Reads and checks the annotation files of both splits.

    Returns:
        Snapshots, and a report of what is worth a warning.

    Raises:
        UserError: training would stop, or be wrong.
    """
    snapshots: dict[str, Snapshot] = {}
    findings = []
    for name in ('train', 'val'):
        snapshot = read_split(found.splits[name])
        snapshot.reference = snapshots.get('train')
        snapshots[name] = snapshot
        findings += run_checks(
            snapshot, Options(), Selection(skip=('leakage.same-file',))
        )
    errors = [f for f in findings if f.severity == 'error']
    if errors:
        raise UserError(
            f'{found.root} cannot be trained on:\n'
            f'{format_report(errors)}\nsee: mmseg-plugin check {found.root}'
        )
    rest = [f for f in findings if f.severity == 'warning']
    return snapshots, format_report(rest) if rest else ''


def data_facts(found: DataFound, snapshots: dict[str, Snapshot]) -> DataFacts:
    """What a config is chosen from.

    Raises:
        UserError: things and stuff are mixed in the list of categories.
    """
    train = snapshots['train']
    roots = is_root(train) if train.kind == 'instances' else None
    categories = [
        category
        for place, category in enumerate(train.categories)
        if roots is None or not roots[place]
    ]
    things = [c['name'] for c in categories if c.get('isthing', 1)]
    stuff = [c['name'] for c in categories if not c.get('isthing', 1)]
    if [c['name'] for c in categories] != things + stuff:
        raise UserError(
            f'{train.path}: list the categories that are things before stuff'
        )
    if train.kind == 'panoptic':
        counts = [len(a.get('segments_info', ())) for a in train.annotations]
    else:
        counts = objects_of_images(train).tolist()
    return DataFacts(
        root=found.root,
        kind=found.kind,
        things=tuple(things),
        stuff=tuple(stuff),
        images=int(np.count_nonzero(counts)),
        densest=max(counts),
        longest_side=int(np.nanmax(train.sizes)),
        train=_relative(found, 'train'),
        val=_relative(found, 'val'),
    )


def _relative(found: DataFound, name: str) -> SplitFacts:
    split = found.splits[name]

    def below(path: Path | None) -> str:
        if path is None:
            return ''
        text = path.resolve().relative_to(found.root.resolve()).as_posix()
        return '' if text == '.' else text

    seg = below(split.seg_dir)
    return SplitFacts(below(split.ann_file), below(split.image_dir), seg)

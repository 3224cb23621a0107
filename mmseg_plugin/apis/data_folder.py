"""What is made of the user's data, in a folder beside it: written once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from mmseg_plugin.cli.cli import atomic_path
from mmseg_plugin.datasets.formats import DataError, DataFound, Split
from mmseg_plugin.datasets.formats.layout import below, images_in
from mmseg_plugin.utils.walking import files_in

FOLDER = 'mmseg_plugin_data'


def with_splits(found: DataFound, splits: dict[str, dict]) -> DataFound:
    """The data with splits that were made, not written yet.

    Args:
        found: what they were made of.
        splits: COCO data, file names relative to the root; of semantic data
            images alone.
    """
    out = found.root / FOLDER
    if found.kind == 'semantic':
        whole = found.splits['train']
        made = {
            name: replace(whole, names=out / f'{name}.txt', data=data)
            for name, data in splits.items()
        }
        return replace(found, splits=made)
    made = {
        name: Split(
            out / f'{name}.json',
            found.root,
            found.map_folder(name),
            data=data,
        )
        for name, data in splits.items()
    }
    return replace(found, splits=made, convert=None)


def write_splits(found: DataFound, options: dict[str, object]) -> None:
    """Writes the splits that were made, and a record of how, once.

    Args:
        found: of :func:`with_splits`.
        options: what they depend on besides the files.

    Raises:
        DataError: the folder holds something that was made otherwise.
    """
    out = found.root / FOLDER
    record = {'format': found.format, **options, 'sources': _hashes(found)}
    if out.is_dir():
        _check_record(out, record)
        return
    with atomic_path(out) as part:
        part.mkdir()
        for name, split in found.splits.items():
            data = split.data or {}
            if found.kind == 'semantic':
                names = [image['file_name'] for image in data['images']]
                (part / f'{name}.txt').write_text(
                    '\n'.join(names), encoding='utf-8'
                )
            else:
                (part / f'{name}.json').write_text(json.dumps(data))
        (part / 'record.json').write_text(json.dumps(record, indent=1))


def with_folder(data: dict, folder: Path, root: Path) -> dict:
    """COCO data whose file names are relative to the root.

    Args:
        data: file names are relative to ``folder``.
        folder: of the images.
        root: of the data.
    """
    start = below(folder, root)
    images = [
        {**image, 'file_name': (start / image['file_name']).as_posix()}
        for image in data['images']
    ]
    return {**data, 'images': images}


def _hashes(found: DataFound) -> dict[str, str]:
    """SHA-256 of everything but images, by name."""
    images = set(images_in(found.root))
    return {
        path.relative_to(found.root).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in files_in(found.root)
        if path.suffix in ('.json', '.txt', '.yaml', '.yml')
        and path not in images
        and FOLDER not in path.parts
    }


def _check_record(out: Path, record: dict) -> None:
    try:
        known = json.loads((out / 'record.json').read_text())
    except (OSError, ValueError) as error:
        raise DataError(f'{out} is not of this tool; move it away') from error
    if known.get('sources') != record['sources']:
        raise DataError(
            f'{out} was made from other annotations; remove it and run again'
        )
    for key in ('seed', 'fix'):
        if known.get(key) != record.get(key):
            raise DataError(
                f'{out} was made with {key} {known.get(key)}, not '
                f'{record.get(key)}; remove it and run again'
            )

"""Corrected annotation files, as a folder that can be trained on."""

from __future__ import annotations

import json
from pathlib import Path

from mmseg_plugin.cli.cli import UserError, atomic_path

from .findings import Finding
from .fixing import fixed_copy
from .snapshot import Snapshot


def write_fixed(
    out: Path, snapshots: list[Snapshot], findings: list[list[Finding]]
) -> list[str]:
    """Writes a folder with all splits, corrected where that can be.

    Images stay where they are: file names lead there from ``out``, and
    folders of panoptic maps are links.

    Args:
        out: a new folder.
        snapshots: of the splits.
        findings: of each of them.

    Returns:
        What was corrected, in sentences.

    Raises:
        UserError: the folder is there already, or nothing can be corrected.
    """
    if out.exists():
        raise UserError(f'{out} is there already; name another folder')
    copies = [
        fixed_copy(*pair) for pair in zip(snapshots, findings, strict=True)
    ]
    if not any(fixed for _, fixed in copies):
        raise UserError('there is nothing that --fix can correct')
    said = []
    with atomic_path(out) as part:
        part.mkdir()
        for snapshot, (data, fixed) in zip(snapshots, copies, strict=True):
            name = _name(snapshot, snapshots)
            moved = _moved(snapshot, data, part / name)
            (part / name).write_text(json.dumps(moved))
            if snapshot.seg_dir:
                link = (part / name).with_suffix('')
                link.symlink_to(snapshot.seg_dir.resolve())
            what = f'fixed {", ".join(fixed)}' if fixed else 'nothing to fix'
            said.append(f'{out / name}: {what}')
    return said


def _name(snapshot: Snapshot, snapshots: list[Snapshot]) -> str:
    """Files of one name, as Roboflow's, get that of their folder."""
    path = snapshot.path
    name = path.name
    if [other.path.name for other in snapshots].count(name) > 1:
        name = f'{path.parent.name}{name}'
    # What was converted is not in a file.
    return name if name.endswith('.json') else f'{name}.json'


def _moved(snapshot: Snapshot, data: dict, target: Path) -> dict:
    """File names that lead to the images, by a link below the folder."""
    if snapshot.image_dir is None:
        return data
    # Not beside the file, where a folder is taken for a split.
    link = Path('images', target.stem)
    (target.parent / link).parent.mkdir(exist_ok=True)
    (target.parent / link).symlink_to(snapshot.image_dir.resolve())
    images = [
        {**image, 'file_name': (link / str(image['file_name'])).as_posix()}
        for image in data.get('images', ())
    ]
    return {**data, 'images': images}

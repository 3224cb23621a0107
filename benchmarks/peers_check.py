"""What other programs say of the broken files that the tests of `check` have.

Each is loaded as its own documentation shows; a program that is not
installed is left out. Prints a table in Markdown.

    python -m benchmarks.peers_check
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from pycocotools.coco import COCO

from mmseg_plugin.checks import CHECKS, Options, run_checks
from tests.test_checks import broken

ABSENT = 'absent'
# Of labelme's files: as COCO there is nothing wrong with it.
NOT_COCO = ('exports.no-area',)


def with_pycocotools(path: Path, images: Path) -> None:
    """Loads the file and every mask, as an evaluation does."""
    truth = COCO(str(path))
    for annotation in truth.dataset['annotations']:
        truth.annToMask(annotation)


def with_supervision(path: Path, images: Path) -> None:
    import supervision

    data = supervision.DetectionDataset.from_coco(
        images_directory_path=str(images),
        annotations_path=str(path),
        force_masks=True,
    )
    for _ in data:
        pass


def with_datumaro(path: Path, images: Path) -> None:
    """Imports COCO's layout, and validates its masks."""
    import datumaro
    from datumaro.plugins.validators import SegmentationValidator

    root = path.parent / 'datumaro'
    (root / 'annotations').mkdir(parents=True)
    (root / 'images').symlink_to(images)
    text = path.read_text()
    (root / 'annotations' / 'instances_train.json').write_text(text)
    data = datumaro.Dataset.import_from(str(root), 'coco_instances')
    validator = SegmentationValidator(
        few_samples_thr=1,
        imbalance_ratio_thr=50,
        far_from_mean_thr=5.0,
        dominance_ratio_thr=0.8,
        topk_bins=0.1,
    )
    report = validator.validate(data)
    for item in report['validation_reports']:
        if str(item['severity']).rpartition('.')[2] != 'info':
            warnings.warn(item['anomaly_type'], stacklevel=1)


PEERS: dict[str, Callable[[Path, Path], None]] = {
    'pycocotools': with_pycocotools,
    'supervision': with_supervision,
    'datumaro': with_datumaro,
}


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        yield said


def answer(
    load: Callable[[Path, Path], None], path: Path, images: Path
) -> set[str]:
    """What a program says: nothing, warnings or the name of an error."""
    with warnings.catch_warnings(record=True) as caught, quiet():
        warnings.simplefilter('always')
        try:
            load(path, images)
        except ModuleNotFoundError:
            return {ABSENT}
        except Exception as error:  # noqa: BLE001  (whatever it says)
            return {type(error).__name__}
    return {
        f'warns: {str(one.message).splitlines()[0][:40]}'
        for one in caught
        if issubclass(one.category, UserWarning)
    }


def row(name: str, folder: Path, control: dict[str, set]) -> list[str]:
    """The answers about one broken file, ours first.

    Args:
        name: of the check.
        folder: a new one.
        control: what each program says of the file without the fault.
    """
    folder.mkdir()
    _, bad, _, options = broken.make(name, folder / 'data')
    broken.spoil(name, bad)
    found = {f.id: f.severity for f in run_checks(bad, options)}
    path = folder / 'x.json'
    path.write_text(json.dumps(bad.data))
    images = bad.image_dir or folder
    answers = []
    for peer, usual in control.items():
        place = folder / peer
        place.mkdir()
        copy = place / 'x.json'
        copy.write_text(path.read_text())
        said = answer(PEERS[peer], copy, images) - usual
        answers.append(', '.join(sorted(said)) or '-')
    return [f'`{name}`', found[name], *answers]


def main() -> None:
    logging.disable(logging.CRITICAL)
    names = [
        name
        for name in broken.INSTANCES
        if name in CHECKS and name not in NOT_COCO
    ]
    with tempfile.TemporaryDirectory() as folder:
        good = broken.clean(Path(folder) / 'good')
        assert not run_checks(good, Options())
        good.path.write_text(json.dumps(good.data))
        control = {
            peer: answer(load, good.path, good.path.parent)
            for peer, load in PEERS.items()
        }
        there = {p: said for p, said in control.items() if said != {ABSENT}}
        rows = [row(name, Path(folder) / name, there) for name in names]
    print(f'| file | `check` | {" | ".join(there)} |')
    print('|' + '---|' * (2 + len(there)))
    usual = [', '.join(sorted(said)) or '-' for said in there.values()]
    for one in (['(nothing wrong)', '-', *usual], *rows):
        print(f'| {" | ".join(one)} |')
    silent = sum(set(one[2:]) == {'-'} for one in rows)
    print(f'\n{silent} of {len(rows)} without a word in all of them')


if __name__ == '__main__':
    main()

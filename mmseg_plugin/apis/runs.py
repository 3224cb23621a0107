"""Reads what a training run of MMEngine leaves in its work_dir."""

import json
import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

import mmseg_plugin.registry  # noqa: F401  (checkpoints load as data)
from mmseg_plugin.apis.labels import label_names, listed_classes
from mmseg_plugin.apis.predictor import dataset_meta
from mmseg_plugin.cli.cli import UserError, atomic_path
from mmseg_plugin.cli.configs import read_config
from mmseg_plugin.evaluation.average_precision import check_rows

# Those that write masks as COCO results.
_METRICS = ('CocoMetric', 'CocoInstanceMetric')


def config_files(folder: Path) -> list[Path]:
    """The config of each start of a run, the last one at the end.

    Args:
        folder: the work_dir.

    Raises:
        UserError: nothing was trained there.
    """
    if not folder.is_dir():
        raise UserError(f'run {folder} is not a folder')
    configs = sorted(folder.glob('*/vis_data/config.py'))
    if not configs:
        raise UserError(
            f'{folder} is not the work_dir of a run: it holds no '
            '*/vis_data/config.py'
        )
    return configs


def run_config(folder: Path) -> Config:
    """The config of the last start of a run; see :func:`config_files`."""
    return read_config(config_files(folder)[-1])


class Run:
    """One work_dir.

    Args:
        folder: the work_dir.

    Raises:
        UserError: nothing was trained there, or not to a checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = run_config(folder)
        last = find_latest_checkpoint(str(folder))
        # The stored path was right when and where the run was made.
        self.checkpoint = self.folder / Path(last or 'last_checkpoint').name
        if last is None or not self.checkpoint.is_file():
            raise UserError(
                f'run {folder} is not finished: it has no checkpoint'
            )

    @property
    def best(self) -> Path | None:
        """Newest of the checkpoints that were the best, if any was kept."""
        found = [*self.folder.glob('best_*.pth')]
        return max(found, key=lambda p: p.stat().st_mtime, default=None)

    def scalars(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of one logged training value, each shape (n,).

        A resumed run takes over from the step it was resumed at.

        Args:
            name: as logged, for instance ``'loss_mask'``.

        Raises:
            UserError: the run did not log it; the message lists what it did.
        """
        kept: list[dict] = []
        for path in sorted(self.folder.glob('*/vis_data/scalars.json')):
            lines = [json.loads(line) for line in path.open()]
            lines = [line for line in lines if 'loss' in line]
            if lines:
                kept = [k for k in kept if k['step'] < lines[0]['step']]
            kept += lines
        points = [(k['step'], k[name]) for k in kept if name in k]
        if not points:
            logged = sorted({key for k in kept for key in k if 'loss' in key})
            raise UserError(
                f'run {self.folder} logged no {name}; it has: '
                f'{", ".join(logged) or "no losses at all"}'
            )
        steps, values = np.array(points).T
        return steps.astype(int), values

    @cached_property
    def metric(self) -> dict:
        """Config of the CocoMetric that judged the run's masks."""
        evaluators = self.config.get('val_evaluator') or []
        if isinstance(evaluators, dict):
            evaluators = [evaluators]
        for evaluator in evaluators:
            kinds = evaluator.get('metric', 'bbox')
            name = evaluator['type'].rsplit('.')[-1]
            if name in _METRICS and 'segm' in np.atleast_1d(kinds):
                return evaluator
        raise UserError(
            f'run {self.folder} has no masks to compare: its val_evaluator '
            "holds no CocoMetric with metric='segm'"
        )

    @property
    def max_dets(self) -> int:
        """Most masks that count per image and class."""
        return max(self.metric.get('proposal_nums', (100, 300, 1000)))

    @property
    def ann_file(self) -> Path:
        """Annotation file that the run was validated on."""
        data = self.config.val_dataloader.dataset
        path = Path(
            self.metric.get('ann_file')
            or Path(data.get('data_root', '')) / data.ann_file
        )
        if not path.is_file():
            raise UserError(
                f'annotation file {path} of run {self.folder} cannot be '
                'found; start from the folder where the run was started'
            )
        return path

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes the run was validated on."""
        return dataset_meta(self.config, 'val')['classes']

    def results(self) -> list[dict]:
        """Masks found on the validation images, as COCO results.

        They are kept in ``results.segm.json`` of the run and made by its
        last checkpoint when that is newer.

        Raises:
            ValueError: the file does not hold results.
        """
        path = self.folder / 'results.segm.json'
        if (
            not path.is_file()
            or path.stat().st_mtime < self.checkpoint.stat().st_mtime
        ):
            print(f'{self.folder}: evaluating {self.checkpoint.name} ...')
            with atomic_path(path) as part:
                self._test(part)
        rows = json.loads(path.read_text())
        check_rows(rows)
        return self._by_name(rows)

    def _by_name(self, rows: list[dict]) -> list[dict]:
        """Gives results the categories whose names the labels mean.

        mmdet's metric numbers categories as the evaluated file lists them,
        its data set as the training file does.
        """
        if not self.metric['type'].endswith('CocoMetric'):
            return rows
        listed = listed_classes(self.ann_file, self.classes)
        meant = label_names(self.config, self.classes)
        content = json.loads(self.ann_file.read_text(encoding='utf-8-sig'))
        ids = {str(c['name']): c['id'] for c in content['categories']}
        change = {
            ids[name]: ids.get(meant[label], -1)
            for label, name in enumerate(listed)
        }
        return [
            {**row, 'category_id': change.get(row['category_id'], -1)}
            for row in rows
        ]

    def _test(self, out: Path) -> None:
        """Writes the last checkpoint's results, named ``*.segm.json``."""
        config = self.config.copy()
        config.test_cfg = {'type': 'TestLoop'}
        config.test_dataloader = config.val_dataloader
        config.test_evaluator = {
            **self.metric,
            'format_only': True,
            'outfile_prefix': str(out).removesuffix('.segm.json'),
        }
        config.load_from = str(self.checkpoint)
        config.resume = False
        config.launcher = 'none'
        config.visualizer = None
        config.log_level = 'WARNING'
        with tempfile.TemporaryDirectory() as scratch:
            config.work_dir = scratch
            # Two runners of one name would share their log and visualiser.
            config.experiment_name = Path(scratch).name
            Runner.from_cfg(config).test()
        if not out.is_file():
            raise UserError(f'the model of run {self.folder} gives no masks')

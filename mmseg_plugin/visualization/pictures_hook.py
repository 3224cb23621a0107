"""Saves what a model is shown first, and what it finds later."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseg_plugin.apis.labels import label_names, names_in_data
from mmseg_plugin.apis.predictor import validation_reader
from mmseg_plugin.apis.segments import segments_of
from mmseg_plugin.registry import HOOKS
from mmseg_plugin.visualization.inputs import contact_sheet, draw_input
from mmseg_plugin.visualization.panels import draw_panels, scored_panels

FOLDER, FIRST_BATCH = 'pictures', 'first_batch.jpg'


@HOOKS.register_module()
class PicturesHook(Hook):
    """Draws the first batch, and some predictions of each evaluation.

    ``work_dir/pictures/first_batch.jpg`` shows the augmented images with
    their annotations, before iteration 1;
    ``work_dir/pictures/iter_N/FOLDER_NAME.jpg`` what is found after N
    iterations.
    A picture that cannot be drawn is warned about once; the run goes on.

    Args:
        batch: most images of the first batch; 0 draws none.
        predictions: images of each evaluation, evenly over the data set, the
            same each time; 0 draws none.
        score_thr: least score of what is drawn.

    Raises:
        ValueError: a number is negative.
    """

    priority = 'LOW'

    def __init__(
        self, batch: int = 8, predictions: int = 4, score_thr: float = 0.3
    ) -> None:
        if min(batch, predictions) < 0:
            raise ValueError('batch and predictions must not be negative')
        self.batch = batch
        self.predictions = predictions
        self.score_thr = score_thr
        self._started = False
        self._failed = False

    def _safely(self, runner: Runner, draw: Callable[[], None]) -> None:
        """Draws on the first process; a failure is warned about once."""
        if self._failed or not is_main_process():
            return
        try:
            draw()
        # No picture is worth a run, whatever the data hold.
        except Exception as error:
            self._failed = True
            runner.logger.warning(
                f'PicturesHook draws no more: {type(error).__name__}: {error}'
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        if self._started or not self.batch:
            return
        self._started = True
        path = Path(runner.work_dir) / FOLDER / FIRST_BATCH
        if not path.exists():
            self._safely(runner, lambda: self._draw(runner, data_batch, path))

    def _draw(self, runner: Runner, data_batch: dict, path: Path) -> None:
        meta = runner.train_dataloader.dataset.metainfo
        classes = names_in_data(runner.cfg, 'train', meta['classes'])
        meta = {**meta, 'classes': classes}
        pairs = zip(
            data_batch['inputs'], data_batch['data_samples'], strict=True
        )
        drawn = [
            draw_input(
                image, sample, meta, Path(sample.get('img_path', '')).name
            )
            for image, sample in list(pairs)[: self.batch]
        ]
        mmcv.imwrite(contact_sheet(drawn), str(path))

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        # An evaluation by itself belongs to no iteration.
        if runner._train_loop is None or isinstance(runner._train_loop, dict):
            return
        count = min(self.predictions, len(runner.val_dataloader))
        last = len(runner.val_dataloader) - 1
        chosen = np.linspace(0, last, count).round().astype(int).tolist()
        if batch_idx in chosen and outputs:
            self._safely(runner, lambda: self._found(runner, outputs[0]))

    def _found(self, runner: Runner, sample: Any) -> None:
        classes = runner.val_dataloader.dataset.metainfo['classes']
        classes = label_names(runner.cfg, classes)
        image = validation_reader(runner.cfg)(Path(sample.img_path))
        kinds = segments_of(sample.cpu(), len(classes))
        shown = scored_panels(kinds, self.score_thr)
        if not shown:
            return
        drawn = draw_panels(image, shown, classes, False)
        # Images in sub-folders may have one name.
        parts = Path(sample.img_path).with_suffix('.jpg').parts[-2:]
        folder = Path(runner.work_dir) / FOLDER / f'iter_{runner.iter}'
        mmcv.imwrite(drawn, str(folder / '_'.join(parts)))

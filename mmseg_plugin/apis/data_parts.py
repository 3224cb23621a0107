"""The annotation files that a config's data sets read."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.cli.configs import plain_data_sets


class DataPart(NamedTuple):
    """One data set with a COCO annotation file.

    Attributes:
        ann_file: the file.
        images: folder of the images.
        maps: folder of the panoptic maps; None where the config names none.
    """

    ann_file: Path
    images: Path
    maps: Path | None

    def ground_truth(self, classes: Sequence[str]) -> GroundTruth:
        """Its annotations, for images of its own folder alone."""
        return GroundTruth(
            self.ann_file,
            classes,
            self.images,
            anywhere=False,
            maps=self.maps,
        )


def data_parts(config: Config, split: str) -> list[DataPart]:
    """The annotation files of a split: 'train', 'val' or 'test'."""
    parts = []
    for data in plain_data_sets(config[f'{split}_dataloader'].dataset):
        if data.get('ann_file'):
            root = Path(data.get('data_root') or '')
            prefix = data.get('data_prefix') or {}
            images = prefix.get('img') or prefix.get('img_path') or ''
            maps = prefix.get('seg')
            parts.append(
                DataPart(
                    root / data['ann_file'],
                    root / images,
                    None if maps is None else root / maps,
                )
            )
    return parts


def given_truth(
    ann: Path, config: Config, classes: Sequence[str]
) -> GroundTruth:
    """Annotations that the user names, for images that may lie anywhere.

    Where the config has the file too, it says where images and maps are.

    Args:
        ann: the file.
        config: of the model.
        classes: see :class:`GroundTruth`.
    """
    tests = data_parts(config, 'test')
    others = [s for s in ('val', 'train') if config.get(f'{s}_dataloader')]
    parts = [part for split in others for part in data_parts(config, split)]
    for part in [*tests, *parts]:
        if part.ann_file.resolve() == ann.resolve():
            return GroundTruth(ann, classes, part.images, maps=part.maps)
    folder = tests[0].images if len(tests) == 1 else None
    return GroundTruth(ann, classes, folder)

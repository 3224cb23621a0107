"""Runs a trained model on image files, of mmdet as well as of mmseg."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import (
    DATASETS,
    MODELS,
    TRANSFORMS,
    init_default_scope,
)
from mmengine.runner import CheckpointLoader
from mmengine.structures import BaseDataElement
from torch import nn

import mmseg_plugin.registry  # noqa: F401  (checkpoints load as data)
from mmseg_plugin.apis.labels import label_names
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import plain_data_sets
from mmseg_plugin.engine.checkpoint import kept_classes
from mmseg_plugin.utils.walking import files_in

_SUFFIXES = {'.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'}


def find_images(source: Path) -> list[Path]:
    """The image itself, or all images in a folder and its sub-folders.

    Raises:
        UserError: there is none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(f'{source} is neither an image nor a folder')
    found = files_in(source)
    images = [path for path in found if path.suffix.lower() in _SUFFIXES]
    if not images:
        raise UserError(
            f'folder {source} holds no images ({", ".join(sorted(_SUFFIXES))})'
        )
    return images


def dataset_meta(config: Config, split: str) -> dict:
    """Classes and palette of a data set, without reading its files.

    Args:
        config: any config of mmdet or mmseg.
        split: ``'train'``, ``'val'`` or ``'test'``.
    """
    init_default_scope(config.get('default_scope', 'mmdet'))
    dataset = next(plain_data_sets(config[f'{split}_dataloader'].dataset))
    # A pipeline may need what only reading the images needs.
    bare = {**dataset, 'lazy_init': True, 'pipeline': []}
    return DATASETS.build(bare).metainfo


def image_pipeline(config: Config, split: str = 'test') -> list[dict]:
    """A pipeline without annotations, for images outside a data set.

    Args:
        config: any config of mmdet or mmseg.
        split: whose pipeline it is.

    Raises:
        UserError: the config has no such data.
    """
    loader = config.get(f'{split}_dataloader')
    if loader is None:
        raise UserError(
            f'config {config.filename} has no {split}_dataloader, whose '
            'pipeline prepares the images'
        )
    dataset = next(plain_data_sets(loader.dataset))
    return [
        step
        for step in dataset.pipeline
        if not _type_name(step).endswith('Annotations')
    ]


class ImageReader:
    """The first step of a pipeline, which reads images.

    Args:
        step: its config.
    """

    def __init__(self, step: dict) -> None:
        self._name = _type_name(step)
        self._load = TRANSFORMS.build(step)

    def __call__(self, path: Path) -> np.ndarray:
        """The pixels of an image file.

        Returns:
            Shape (h, w) or (h, w, channels), by default BGR and uint8.

        Raises:
            UserError: there is no such file, or the step cannot read it.
        """
        if not path.is_file():
            raise UserError(f'{path} cannot be read: there is no such file')
        try:
            loaded = self._load({'img_path': str(path), 'img_id': 0})
        except Exception as error:
            # Loaders are the user's own too: they can fail in any way.
            raise UserError(
                f'{path} cannot be read as an image by {self._name} of the '
                f"config's pipeline: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(loaded, dict) or loaded.get('img') is None:
            raise UserError(
                f'{path} cannot be read as an image: {self._name} of the '
                "config's pipeline gives none"
            )
        return loaded['img']


def validation_reader(config: Config) -> ImageReader:
    """Reads images as those of validation are read.

    Args:
        config: any config of mmdet or mmseg.
    """
    init_default_scope(config.get('default_scope', 'mmdet'))
    return ImageReader(image_pipeline(config, 'val')[0])


def _type_name(step: dict) -> str:
    # Configs in pure Python hold the class itself.
    kind = step['type']
    return kind if isinstance(kind, str) else kind.__name__


class Predictor:
    """A trained model with its test pipeline.

    Images are read by the first step of that pipeline, so that the model
    sees the pixels that it was evaluated on.

    Args:
        config: config of the model.
        checkpoint: its weights, local path or URL.
        device: for instance ``'cpu'`` or ``'cuda:0'``.

    Attributes:
        read: the pixels of an image file, as the config's loader gives
            them, see :class:`ImageReader`.
        meta: of the test data; ``classes`` are the names of the labels, see
            :func:`label_names`.

    Raises:
        UserError: the checkpoint is missing, unsafe or of another model, the
            config has no test data, or there is no such device.
    """

    def __init__(self, config: Config, checkpoint: str, device: str) -> None:
        pipeline = image_pipeline(config)
        self.meta = dataset_meta(config, 'test')
        self.model = revert_sync_batchnorm(MODELS.build(config.model))
        trained = load_weights(self.model, checkpoint)
        names = label_names(config, self.meta['classes'], trained)
        self.meta = {**self.meta, 'classes': tuple(names)}
        try:
            self.model.to(device).eval()
        except (AssertionError, RuntimeError) as error:
            raise UserError(
                f'device {device} cannot be used: {error}'
            ) from error
        # Annotations are read by the caller, if there are any.
        load, *steps = pipeline
        self.read = ImageReader(load)
        self._steps = Compose(steps)

    def prepare(self, image: np.ndarray) -> dict:
        """``inputs`` and ``data_samples`` of one image, as lists.

        Args:
            image: see :class:`ImageReader`.
        """
        size = image.shape[:2]
        keys = {'img_shape': size, 'ori_shape': size}
        data = self._steps({'img': image, 'img_id': 0, 'img_path': '', **keys})
        return {
            'inputs': [data['inputs']],
            'data_samples': [data['data_samples']],
        }

    @torch.no_grad()
    def run(self, prepared: Sequence[dict]) -> list[BaseDataElement]:
        """Results for images, each at its size, on the CPU.

        Args:
            prepared: what :meth:`prepare` gives for each.
        """
        batch = {
            key: [item for data in prepared for item in data[key]]
            for key in ('inputs', 'data_samples')
        }
        return [found.cpu() for found in self.model.test_step(batch)]

    def __call__(self, image: np.ndarray) -> BaseDataElement:
        """Results for one image, see :meth:`run`.

        Args:
            image: see :class:`ImageReader`.
        """
        return self.run([self.prepare(image)])[0]


def load_weights(model: nn.Module, checkpoint: str) -> tuple[str, ...] | None:
    """Loads all parameters of a model.

    Returns:
        Names of the classes that the checkpoint keeps, if it does.

    Args:
        model: extra weights in the file do it no harm.
        checkpoint: local path or URL.

    Raises:
        UserError: the checkpoint is missing, unsafe or of another model.
    """
    try:
        loaded = CheckpointLoader.load_checkpoint(checkpoint, 'cpu', 'silent')
        state = loaded
        if isinstance(loaded, dict):
            state = loaded.get('state_dict', loaded)
        missing = model.load_state_dict(state, strict=False).missing_keys
    except (OSError, pickle.UnpicklingError) as error:
        raise UserError(str(error)) from error
    except TypeError as error:
        raise UserError(f'{checkpoint} holds no state dict') from error
    except RuntimeError as error:
        reason = ' '.join(str(error).split('\n')[:2])
        raise UserError(
            f'checkpoint {checkpoint} does not fit the config: {reason}'
        ) from error
    # Extra weights do no harm, and missing buffers have defaults.
    absent = sorted(dict(model.named_parameters()).keys() & set(missing))
    if absent:
        raise UserError(
            f'checkpoint {checkpoint} does not fit the config: it lacks '
            f'{len(absent)} weights, {absent[0]} first'
        )
    return kept_classes(loaded)

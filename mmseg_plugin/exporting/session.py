"""An exported file, run by ONNX Runtime and read back as data samples."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.exporting.crops import put_back
from mmseg_plugin.exporting.recipe import Recipe

# Key of the description among a file's metadata.
KEY = 'mmseg_plugin'


def onnx_packages() -> tuple[Any, Any]:
    """The modules ``onnx`` and ``onnxruntime``.

    Raises:
        UserError: one is not installed; says what installs it.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f'export needs {error.name}; run: '
            "pip install 'mmseg_plugin[export]'"
        ) from error
    return onnx, onnxruntime


class OnnxModel:
    """One exported file.

    Args:
        path: of the file.
        threads: of ONNX Runtime; its own choice if 0.
        arena: whether it keeps memory from one image for the next.

    Raises:
        UserError: it cannot be loaded, or ``export`` has not written it.
    """

    def __init__(
        self, path: Path, threads: int = 0, arena: bool = True
    ) -> None:
        _, runtime = onnx_packages()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = arena
        # Buffers of one kind are kept for the next of it: a few MB.
        options.enable_mem_reuse = arena
        options.log_severity_level = 3
        try:
            self.session = runtime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:
            # One class for each of its error codes.
            raise UserError(
                f'{path} cannot be loaded by ONNX Runtime: {error}'
            ) from error
        kept = self.session.get_modelmeta().custom_metadata_map
        if KEY not in kept:
            raise UserError(f'{path} was not written by export')
        self.meta: dict[str, Any] = json.loads(kept[KEY])
        self.recipe = Recipe(**self.meta['preprocessing'])
        self.inputs = [item.name for item in self.session.get_inputs()]
        self.outputs = [item.name for item in self.session.get_outputs()]

    @property
    def data_meta(self) -> dict[str, Any]:
        """What metrics read about the classes."""
        found = {'classes': tuple(self.meta['classes'])}
        for key in ('thing_classes', 'stuff_classes', 'palette'):
            if self.meta.get(key) is not None:
                found[key] = self.meta[key]
        return found

    def feed(
        self, image: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Inputs for one image, and what they say about its sizes.

        Args:
            image: BGR, uint8 (h, w, 3).
        """
        prepared, inside = self.recipe.prepare(image)
        before = (image.shape[0], image.shape[1])
        out = self.out_size(before, inside, prepared)
        meta = sample_meta(prepared, inside, out)
        if self.meta['pixels']:
            return {'image': np.ascontiguousarray(image[..., ::-1])}, meta
        feed = {'image': prepared.numpy()}
        if 'sizes' in self.inputs:
            feed['sizes'] = np.array([*inside, *before], np.int64)
        else:
            meta['img_shape'] = tuple(prepared.shape[-2:])
        return feed, meta

    def out_size(
        self,
        before: tuple[int, int],
        inside: tuple[int, int],
        prepared: Tensor,
    ) -> tuple[int, int]:
        """Height and width of the results."""
        if self.meta['results'] == 'original':
            return before
        if self.meta['pixels']:
            return inside
        return prepared.shape[-2], prepared.shape[-1]

    def run(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, in the memory that the graph wrote them to."""
        _, runtime = onnx_packages()
        found = self.session.run_with_ort_values(
            self.outputs,
            {
                name: runtime.OrtValue.ortvalue_from_numpy(value)
                for name, value in feed.items()
            },
        )
        return {
            name: _without_copy(value)
            for name, value in zip(self.outputs, found, strict=True)
        }

    def __call__(self, image: np.ndarray) -> BaseDataElement:
        """Results of one image, as the model itself gives them.

        Args:
            image: BGR, uint8 (h, w, 3).
        """
        feed, meta = self.feed(image)
        values = self.run(feed)
        if 'windows' in values:
            windows = values.pop('windows')
            size = meta['ori_shape']
            values['masks'] = put_back(values['masks'], windows, size)
        found = {name: value[0] for name, value in values.items()}
        return data_sample(found, meta, self.meta['framework'])


def _without_copy(value: Any) -> np.ndarray:
    """An output as an array; older releases can only copy it."""
    if hasattr(value, '__dlpack__'):
        return torch.from_dlpack(value).numpy()
    return value.numpy()


def sample_meta(
    prepared: Tensor, inside: tuple[int, int], out: tuple[int, int]
) -> dict[str, Any]:
    """What a model reads about the sizes of one image."""
    height, width = prepared.shape[-2:]
    return {
        'batch_input_shape': (height, width),
        'pad_shape': (height, width),
        'img_shape': inside,
        'ori_shape': out,
        'scale_factor': (inside[1] / out[1], inside[0] / out[0]),
        'padding_size': [0, width - inside[1], 0, height - inside[0]],
    }


def data_sample(
    found: dict[str, np.ndarray], meta: dict[str, Any], framework: str
) -> BaseDataElement:
    """Outputs of one image as mmdet or mmseg gives them.

    Args:
        found: outputs without the dimension of the batch.
        meta: metainfo of the sample.
        framework: ``'mmdet'`` or ``'mmseg'``.
    """
    sample = empty_sample(meta, framework)
    if framework == 'mmseg':
        classes = torch.from_numpy(found['semantic'][None].astype(np.int64))
        sample.pred_sem_seg = PixelData(data=classes)
        return sample
    if 'scores' in found:
        rows = _instances(found['labels'])
        sample.pred_instances = InstanceData(
            scores=torch.from_numpy(found['scores'][rows]),
            labels=torch.from_numpy(found['labels'][rows]),
            bboxes=torch.from_numpy(found['boxes'][rows]),
        )
        if 'masks' in found:
            # Zeros and ones: no copy.
            masks = found['masks'][rows].view(bool)
            sample.pred_instances.masks = torch.from_numpy(masks)
    for key, name in (
        ('panoptic', 'pred_panoptic_seg'),
        ('semantic', 'pred_sem_seg'),
    ):
        if key in found:
            ids = torch.from_numpy(found[key][None])
            setattr(sample, name, PixelData(sem_seg=ids))
    return sample


def _instances(labels: np.ndarray) -> slice | np.ndarray:
    """Rows that are instances; a slice, which copies nothing, if it can be.

    Args:
        labels: (n,), -1 is none.
    """
    rows = labels >= 0
    count = int(rows.sum())
    return slice(count) if rows[:count].all() else rows


def empty_sample(meta: dict[str, Any], framework: str) -> BaseDataElement:
    """A sample of mmdet or mmseg without data."""
    if framework == 'mmseg':
        from mmseg.structures import SegDataSample

        return SegDataSample(metainfo=meta)
    from mmdet.structures import DetDataSample

    return DetDataSample(metainfo=meta)

"""A trained model as one object: images in, segments out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from pycocotools import mask as mask_utils

from mmseg_plugin.apis.predictor import Predictor, find_images
from mmseg_plugin.apis.runs import Run
from mmseg_plugin.apis.segments import (
    INSTANCE_OFFSET,
    Segment,
    coco_results,
    segments_of,
)
from mmseg_plugin.apis.tiling import TiledPredictor
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.visualization.panels import draw_panels, scored_panels

_LEAST_TILE = 32


class Segmentation:
    """What a model finds in one image.

    Masks are kept cut to their box; whole ones are made when asked for.

    Args:
        image: as the config's loader gives it, (h, w, 3) BGR by default.
        segments: ``'instances'``, ``'panoptic'``, ``'semantic'``, whichever
            the model gives.
        classes: name of each label.
        path: of the image, None if it came as an array.

    Attributes:
        size: height and width of the image.
        segments: as given.
    """

    def __init__(
        self,
        image: np.ndarray,
        segments: dict[str, list[Segment]],
        classes: Sequence[str],
        path: Path | None = None,
    ) -> None:
        self.image = image
        self.size = (image.shape[0], image.shape[1])
        self.segments = {
            kind: [segment.cropped() for segment in found]
            for kind, found in segments.items()
        }
        self.classes = tuple(classes)
        self.path = path

    @property
    def objects(self) -> list[Segment]:
        """Instances; of a model without them, its regions."""
        for kind in ('instances', 'panoptic', 'semantic'):
            if kind in self.segments:
                return self.segments[kind]
        return []

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def boxes(self) -> np.ndarray:
        """x1, y1, x2, y2 in pixels, shape (n, 4), float32."""
        boxes = [segment.box for segment in self.objects]
        return np.array(boxes, np.float32).reshape(-1, 4)

    @property
    def scores(self) -> np.ndarray:
        """In [0, 1], shape (n,), float32; regions without one have 1."""
        scores = [segment.score for segment in self.objects]
        return np.array([1 if s is None else s for s in scores], np.float32)

    @property
    def labels(self) -> np.ndarray:
        """Index of the class, shape (n,), int."""
        return np.array([segment.label for segment in self.objects], int)

    @property
    def names(self) -> list[str]:
        """Name of the class of each object."""
        return [self.classes[segment.label] for segment in self.objects]

    @cached_property
    def masks(self) -> np.ndarray | None:
        """Bool, shape (n, h, w); None from a model without masks."""
        if any(segment.mask is None for segment in self.objects):
            return None
        masks = [segment.whole_mask(self.size) for segment in self.objects]
        return np.array(masks, bool).reshape(-1, *self.size)

    @property
    def rles(self) -> list[dict] | None:
        """Masks as COCO's compressed RLE; None from a model without."""
        if any(segment.mask is None for segment in self.objects):
            return None
        return [
            mask_utils.encode(
                np.asfortranarray(segment.whole_mask(self.size), np.uint8)
            )
            for segment in self.objects
        ]

    @property
    def panoptic(self) -> np.ndarray | None:
        """Ids of segments, (h, w), int32; None if the model gives none.

        An id is the label plus 1000 times the segment's number; void is the
        number of classes.
        """
        return self._map('panoptic', INSTANCE_OFFSET)

    @property
    def semantic(self) -> np.ndarray | None:
        """Labels, (h, w), int32; void is the number of classes."""
        return self._map('semantic', 0)

    def _map(self, kind: str, step: int) -> np.ndarray | None:
        if kind not in self.segments:
            return None
        ids = np.full(self.size, len(self.classes), np.int32)
        for number, segment in enumerate(self.segments[kind]):
            ids[segment.whole_mask(self.size)] = segment.label + step * number
        return ids

    def plot(
        self, out: str | Path | None = None, score_thr: float = 0.3
    ) -> np.ndarray:
        """Draws each kind of result, side by side.

        Args:
            out: picture to write.
            score_thr: objects that score less are left out.

        Returns:
            RGB, uint8.
        """
        panels = scored_panels(self.segments, score_thr)
        picture = draw_panels(self.image, panels, self.classes, False)
        if out is not None:
            mmcv.imwrite(picture, str(out))
        return picture[..., ::-1]

    def to_coco(
        self,
        image_id: int | str | None = None,
        category_ids: Sequence[int] | None = None,
    ) -> list[dict]:
        """Objects in COCO's results format, masks as compressed RLE.

        Args:
            image_id: the file's name by default.
            category_ids: of each class; its index by default.
        """
        if image_id is None:
            image_id = self.path.name if self.path else 0
        ids = category_ids or range(len(self.classes))
        return coco_results(
            self.objects, image_id, ids, self.classes, self.size
        )

    def to_supervision(self) -> Any:
        """``supervision.Detections`` of the objects.

        Raises:
            ImportError: supervision is not installed.
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise ImportError(
                'to_supervision needs supervision: pip install supervision'
            ) from error
        return Detections(
            xyxy=self.boxes,
            mask=self.masks,
            confidence=self.scores,
            class_id=self.labels,
            data={'class_name': np.array(self.names, dtype=str)},
        )


class _Seen(NamedTuple):
    image: np.ndarray
    path: Path | None
    ready: dict


class Segmenter:
    """A trained model of any method here, or of mmdet and mmseg.

    Args:
        run_or_config: work_dir of a run, whose best or last checkpoint is
            taken; or a config with ``checkpoint``.
        checkpoint: weights, local path or URL.
        device: a GPU where there is one by default.
        half: float16 on a GPU, bfloat16 on a CPU, where autocast allows.

    Raises:
        UserError: there is no such run, config, checkpoint or device, or
            they do not fit each other.

    Example:
        >>> found = Segmenter('work_dirs/mine')('photo.jpg')
        >>> found.plot('photo_drawn.png')
    """

    def __init__(
        self,
        run_or_config: str | Path | Config,
        checkpoint: str | Path | None = None,
        device: str | None = None,
        half: bool = False,
    ) -> None:
        config, checkpoint = _config_and_checkpoint(run_or_config, checkpoint)
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.config = config
        self.device = device
        self.half = half
        self.predictor = Predictor(config, str(checkpoint), device)

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.predictor.meta['classes']

    def __call__(
        self,
        images: Any,
        tile: int | None = None,
        overlap: int | None = None,
        batch_size: int = 1,
    ) -> Segmentation | list[Segmentation]:
        """Finds segments.

        Args:
            images: path of an image or of a folder, an array (h, w, 3) in
                BGR as OpenCV reads them, a Pillow image, or a list of those.
            tile: longest side, in pixels, of the parts that are looked at
                one by one; None for the whole image at once.
            overlap: pixels that tiles share; a quarter by default.
            batch_size: images of one size after preparation that run
                together; results do not depend on it.

        Returns:
            One result for one image, a list for a list or a folder.

        Raises:
            UserError: an image cannot be read, or tiles cannot be so.
        """
        single = not isinstance(images, (list, tuple))
        if single and isinstance(images, (str, Path)):
            single = not Path(images).is_dir()
        found = list(self.stream(images, tile, overlap, batch_size))
        return found[0] if single else found

    def stream(
        self,
        images: Any,
        tile: int | None = None,
        overlap: int | None = None,
        batch_size: int = 1,
    ) -> Iterator[Segmentation]:
        """As calling it, but one result after another: memory stays flat."""
        sources = _sources(images)
        if tile is not None or overlap is not None:
            yield from self._tiled(sources, *check_tiles(tile, overlap))
            return
        batch: list[_Seen] = []
        for source in sources:
            image, path = self._read(source)
            seen = _Seen(image, path, self.predictor.prepare(image))
            # Padding would let one image change the result of another.
            if batch and not _alike(seen, batch):
                yield from self._results(batch)
                batch = []
            batch.append(seen)
            if len(batch) == batch_size:
                yield from self._results(batch)
                batch = []
        if batch:
            yield from self._results(batch)

    def _results(self, batch: list[_Seen]) -> Iterator[Segmentation]:
        with self._precision():
            found = self.predictor.run([seen.ready for seen in batch])
        for seen, sample in zip(batch, found, strict=True):
            segments = segments_of(sample, len(self.classes))
            yield Segmentation(seen.image, segments, self.classes, seen.path)

    def _tiled(
        self, sources: Iterable[Any], tile: int, overlap: int
    ) -> Iterator[Segmentation]:
        count = len(self.classes)
        tiled = TiledPredictor(self.predictor, count, tile, overlap)
        for source in sources:
            image, path = self._read(source)
            with self._precision():
                segments = tiled(image)
            yield Segmentation(image, segments, self.classes, path)

    def _read(self, source: Any) -> tuple[np.ndarray, Path | None]:
        if isinstance(source, (str, Path)):
            return self.predictor.read(Path(source)), Path(source)
        if isinstance(source, np.ndarray):
            if source.ndim not in (2, 3) or not source.size:
                raise UserError(
                    f'an image of shape {source.shape} was given; (h, w, 3) '
                    'in BGR is wanted'
                )
            return source, None
        if hasattr(source, 'convert'):
            rgb = np.asarray(source.convert('RGB'))
            return np.ascontiguousarray(rgb[..., ::-1]), None
        raise UserError(
            f'{type(source).__name__} is no image: give a path, an array or '
            'a Pillow image'
        )

    def _precision(self) -> AbstractContextManager:
        if not self.half:
            return nullcontext()
        kind = torch.device(self.device).type
        dtype = torch.bfloat16 if kind == 'cpu' else torch.float16
        return torch.autocast(kind, dtype)


def _config_and_checkpoint(
    source: str | Path | Config, checkpoint: str | Path | None
) -> tuple[Config, str | Path]:
    if not isinstance(source, Config) and Path(source).is_dir():
        run = Run(Path(source))
        return run.config, checkpoint or run.best or run.checkpoint
    if checkpoint is None:
        raise UserError(
            f'{source} is no work_dir of a run: give a checkpoint too'
        )
    if isinstance(source, Config):
        return source, checkpoint
    return read_model_config(str(source)), checkpoint


def _sources(images: Any) -> list[Any]:
    if isinstance(images, (str, Path)):
        path = Path(images)
        return find_images(path) if path.is_dir() else [path]
    return list(images) if isinstance(images, (list, tuple)) else [images]


def _alike(seen: _Seen, batch: list[_Seen]) -> bool:
    shapes = [one.ready['inputs'][0].shape for one in (seen, batch[0])]
    return shapes[0] == shapes[1]


def check_tiles(tile: int | None, overlap: int | None) -> tuple[int, int]:
    """Size and overlap of tiles; by default they share a quarter.

    Raises:
        UserError: there cannot be such tiles.
    """
    if tile is None:
        raise UserError('an overlap is for tiles: give the tile size too')
    if tile < _LEAST_TILE:
        raise UserError(
            f'a tile must be {_LEAST_TILE} pixels or more, got {tile}'
        )
    if overlap is None:
        overlap = tile // 4
    if not 0 <= overlap < tile:
        raise UserError(
            f'the overlap must be from 0 to {tile - 1}, less than the tile, '
            f'got {overlap}'
        )
    return tile, overlap

"""Whole models as modules from an image to tensors of results."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from mmseg_plugin.exporting.crops import cut_out
from mmseg_plugin.exporting.frames import Frame, Size, resize
from mmseg_plugin.exporting.instances import best_pairs, instance_outputs
from mmseg_plugin.exporting.maps import panoptic_map, semantic_map
from mmseg_plugin.exporting.recipe import Recipe
from mmseg_plugin.models.detectors import QueryDetector
from mmseg_plugin.models.fusion.instance import InstanceRules
from mmseg_plugin.models.fusion.panoptic import PanopticRules


class QueryResults(nn.Module):
    """A :class:`QueryDetector` up to its results.

    Args:
        detector: with the weights.
    """

    def __init__(self, detector: QueryDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor, frame: Frame) -> dict[str, Tensor]:
        """Results of a batch.

        Args:
            image: (B, 3, H, W), as the preprocessor gives it.
            frame: sizes of the results.
        """
        head = self.detector.panoptic_head
        fusion = self.detector.panoptic_fusion_head
        config = fusion.test_cfg
        features = self.detector.extract_feat(image)
        logits, masks, *boxes = head.predict(features, _samples(frame))
        plain = fusion.class_scores(logits, sharp=False)
        if masks is None:
            return self._boxes(plain, boxes[0], frame)
        sharp = fusion.class_scores(logits, sharp=True)
        found: dict[str, Tensor] = {}
        things_only = config.get('panoptic_on', True)
        if config.get('instance_on', False):
            found |= instance_outputs(
                plain,
                masks,
                frame,
                fusion._rules(InstanceRules),
                boxes[0] if boxes else None,
                fusion.is_thing if things_only else None,
            )
        if things_only:
            keep = plain.amax(-1) > config.get('object_mask_thr', 0.8)
            if not fusion.use_sigmoid:
                keep = keep & (logits.argmax(-1) != fusion.num_classes)
            best, labels = sharp.max(-1)
            found['panoptic'] = panoptic_map(
                best,
                labels,
                keep,
                masks,
                frame,
                fusion._rules(PanopticRules),
                fusion.is_thing,
            )
        if config.get('semantic_on', False):
            others = things_only or config.get('instance_on', False)
            found['semantic'] = semantic_map(
                sharp,
                masks,
                frame,
                config.get('mask_softmax', False),
                config.get('resize_masks', others),
            )
        return found

    def _boxes(
        self, scores: Tensor, boxes: Tensor, frame: Frame
    ) -> dict[str, Tensor]:
        fusion = self.detector.panoptic_fusion_head
        rules = fusion._rules(InstanceRules)
        best, labels, queries = best_pairs(
            scores, rules.max_per_image, fusion.is_thing
        )
        index = queries[..., None].expand(-1, -1, 4)
        keep = best >= max(rules.score_thr, 0.0)
        return {
            'scores': best.where(keep, 0.0),
            'labels': labels.where(keep, -1),
            'boxes': frame.corners(boxes).gather(1, index),
        }


def _samples(frame: Frame) -> list[Any] | None:
    """What heads that mask padding read about a single image."""
    if frame.image is None:
        return None
    meta = {'batch_input_shape': frame.padded, 'img_shape': frame.image}
    return [SimpleNamespace(metainfo=meta)]


class ImageToResults(nn.Module):
    """Results from what a user has.

    Args:
        body: from an input and a frame to results by name.
        recipe: see :class:`Recipe`.
        pixels: take the pixels of one image, RGB, uint8 (h, w, 3), in place
            of a prepared input.
        original: results at the size of the original image, in place of
            that of the input.
        crops: masks cut out, see :func:`cut_out`.
    """

    def __init__(
        self,
        body: nn.Module,
        recipe: Recipe,
        pixels: bool = False,
        original: bool = True,
        crops: bool = False,
    ) -> None:
        super().__init__()
        self.body = body
        self.recipe = recipe
        self.pixels = pixels
        self.original = original
        self.crops = crops
        self.names: list[str] = []

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs."""
        sized = self.original and not self.pixels
        return ['image', 'sizes'] if sized else ['image']

    def forward(
        self, image: Tensor, sizes: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Results in the order of ``names``.

        Args:
            image: (B, 3, H, W) as the recipe prepares it, or pixels.
            sizes: int64 (4,), height and width of the image inside a padded
                input, and of the results.
        """
        if self.pixels:
            image, frame = self._prepared(image)
        elif sizes is not None:
            height, width, out_height, out_width = sizes.unbind(0)
            inside, out = (height, width), (out_height, out_width)
            frame = Frame(_size_of(image), inside, out)
        else:
            frame = Frame(_size_of(image))
        found = self.body(image, frame)
        if self.crops and 'masks' in found:
            found = cut_out(found)
        self.names = list(found)
        return tuple(found.values())

    def _prepared(self, pixels: Tensor) -> tuple[Tensor, Frame]:
        before: Size = (pixels.shape[0], pixels.shape[1])
        image = pixels.permute(2, 0, 1)[None].float()
        size = before
        if self.recipe.resize is not None:
            target = self.recipe.target(
                torch.stack([torch.as_tensor(side) for side in before])
            )
            size = (target[0], target[1])
            image = resize(image, size)
            if self.recipe.rounded:
                image = image.round()
        image = self.recipe.pad(self.recipe.normalise(image, 'rgb'))
        out = before if self.original else size
        return image, Frame(_size_of(image), size, out)


def _size_of(image: Tensor) -> Size:
    return image.shape[-2], image.shape[-1]

"""Where Mask DINO's queries come from: proposals and boxes of masks."""

from collections.abc import Callable

import torch
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmseg_plugin.models.layers.geometry import box_proposals
from mmseg_plugin.structures import MaskLogits, boxes_of
from mmseg_plugin.utils.host import constants

BOX_INITS = ('no', 'bitmask', 'mask2box')


def check_box_init(kind: str, has_masks_of_pixels: bool) -> None:
    """Refuses a way to choose the first boxes.

    Args:
        kind: one of :data:`BOX_INITS`.
        has_masks_of_pixels: queries are chosen among pixels and have masks.

    Raises:
        ValueError: unknown, or around masks which are not there.
    """
    if kind not in BOX_INITS:
        raise ValueError(
            f'initialize_box_type is one of {BOX_INITS}, not {kind!r}'
        )
    if kind != 'no' and not has_masks_of_pixels:
        raise ValueError(
            f'initialize_box_type={kind!r} needs two_stage=True and masks '
            '(out_channels)'
        )


def encoder_proposals(
    memory: Tensor, sizes: list[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """A box around every pixel of every level.

    The width and height of a box are 0.05 of the image in the first level
    and double with each level, whatever the levels' resolutions. Deformable
    DETR gives the highest resolution first; Mask DINO's decoder gives the
    encoder's levels in reverse, so that with the 'low2high' order the
    *lowest* resolution gets the smallest boxes. That is the published
    behaviour.

    Source: MaskDINO 3831d85, utils/utils.py, gen_encoder_output_proposals.

    Args:
        memory: (B, N, C), flattened levels.
        sizes: height and width of each level.

    Returns:
        Memory with zeros and logits of boxes (1, N, 4) with infinity where
        a box's centre or size leaves (0.01, 0.99).
    """
    logits, valid = box_proposals(tuple(map(tuple, sizes)), memory.device)
    return memory.masked_fill(~valid, 0), logits


class QuerySelection(BaseModule):
    """Chooses the pixels whose best class scores highest (two-stage DETR).

    Classes and boxes are predicted by the decoder's own layers.

    Source: "Mask DINO" (arXiv 2206.02777), section 3.4.

    Args:
        embed_dims: channels of the memory.
        num_queries: Q.
        init_cfg: see mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        embed_dims: int,
        num_queries: int,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_queries = num_queries
        self.memory_trans_fc = nn.Linear(embed_dims, embed_dims)
        self.memory_trans_norm = nn.LayerNorm(embed_dims)

    def forward(
        self,
        memory: Tensor,
        sizes: list[tuple[int, int]],
        cls_embed: Callable[[Tensor], Tensor],
        bbox_embed: Callable[[Tensor], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Chooses queries.

        Args:
            memory: (B, N, C), flattened levels.
            sizes: height and width of each level.
            cls_embed: class logits from content.
            bbox_embed: change of box logits from content.

        Returns:
            Content (B, Q, C) and box logits (B, Q, 4), best first; fewer
            than Q if a small image has fewer pixels.
        """
        memory, proposals = encoder_proposals(memory, sizes)
        memory = self.memory_trans_norm(self.memory_trans_fc(memory))
        scores = cls_embed(memory).amax(-1)
        count = min(self.num_queries, scores.shape[1])
        best = scores.topk(count, 1)[1][..., None]
        content = memory.gather(1, best.expand(-1, -1, memory.shape[-1]))
        proposals = proposals.expand(memory.shape[0], -1, -1)
        chosen = proposals.gather(1, best.expand(-1, -1, 4))
        return content, bbox_embed(content).float() + chosen


@torch.no_grad()
def boxes_from_masks(masks: MaskLogits, kind: str) -> Tensor:
    """Boxes around what lies above zero in every mask.

    Source: MaskDINO 3831d85, modeling/transformer_decoder/
    maskdino_decoder.py and utils/box_ops.py; detectron2, BitMasks.

    Args:
        masks: embeddings (B, Q, D); multiplied out image by image.
        kind: 'bitmask' ends a box after its last pixel and gives an empty
            mask zeros; 'mask2box' ends it with the last pixel and gives an
            empty mask a negative, huge box, which clamps to 0 and 1.

    Returns:
        (B, Q, 4), (cx, cy, w, h) relative to the maps.
    """
    height, width = masks.size
    boxes = []
    for embed, features in zip(*masks, strict=True):
        maps = embed.float() @ features.float().flatten(1)
        corners, some = boxes_of(maps.unflatten(1, masks.size) > 0)
        first, last = corners.split(2, -1)
        if kind == 'mask2box':
            first = first.where(some[:, None], 1e8)
            last = (last - 1).where(some[:, None], 0)
        boxes.append(torch.cat(((first + last) / 2, last - first), -1))
    size = (width, height, width, height)
    return torch.stack(boxes) / constants(size, first.device, first.dtype)

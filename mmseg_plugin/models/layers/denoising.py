"""Denoising queries of Mask DINO: targets with noise, to be restored."""

from typing import NamedTuple

import torch
from mmdet.models.layers import inverse_sigmoid
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmseg_plugin.structures import Targets
from mmseg_plugin.utils.host import to_device

CROWD_POLICIES = ('cap', 'published')


class NoiseDraws(NamedTuple):
    """Random numbers behind the noise of N queries.

    Attributes:
        flip: (N,), uniform in [0, 1); a label is replaced where this is
            below the flip probability.
        labels: int64 (N,), the classes that replace.
        boxes: (N, 4), uniform in [0, 1); noise of (cx, cy, w, h).
    """

    flip: Tensor
    labels: Tensor
    boxes: Tensor


class DenoisingQueries(NamedTuple):
    """Queries made of noisy targets, in groups that hold each target once.

    Attributes:
        content: (B, P, C), label embeddings; zeros on padding.
        box_logits: (B, P, 4), boxes before the sigmoid; zeros on padding.
        targets: of each image, those that the queries have to restore.
        queries: per image, the query of each target in each group, int64
            (G_i, groups).
        num_groups: groups, of P / groups queries each.
        num_dropped: targets of the batch that got no query.
    """

    content: Tensor
    box_logits: Tensor
    targets: list[Targets]
    queries: list[Tensor]
    num_groups: int
    num_dropped: int

    @property
    def queries_per_target(self) -> float:
        """Mean over the batch, targets without a query included."""
        num_queries = sum(index.numel() for index in self.queries)
        num_targets = sum(len(index) for index in self.queries)
        return num_queries / (num_targets + self.num_dropped)

    def before(
        self, query: Tensor, box_logits: Tensor
    ) -> tuple[Tensor, Tensor]:
        """These queries, then others.

        Args:
            query: content of the others, (B, Q, C).
            box_logits: of the others, (B, Q, 4).
        """
        return (
            torch.cat((self.content.to(query), query), 1),
            torch.cat((self.box_logits, box_logits), 1),
        )

    def attn_mask(self, num_queries: int) -> Tensor:
        """Keeps matching queries from seeing targets, groups from each other.

        Denoising queries do see the matching ones, as published.

        Args:
            num_queries: matching queries, which come after these.

        Returns:
            Bool (P + num_queries, P + num_queries), True where a query (row)
            must not look.
        """
        padded = self.content.shape[1]
        index = torch.arange(padded + num_queries, device=self.content.device)
        group = index // (padded // self.num_groups)
        group = group.where(index < padded, -1)
        return (group != group[:, None]) & (group >= 0)


class DenoisingQueryGenerator(BaseModule):
    """Makes denoising queries from targets, labels and boxes with noise.

    As many groups as fit into ``num_queries`` when the fullest image of the
    batch is counted. No negatives, unlike DINO and mmdet's
    ``CdnQueryGenerator``.

    Source: "Mask DINO" (arXiv 2206.02777), section 3.4 and supplement B.2,
    and MaskDINO 3831d85, modeling/transformer_decoder/maskdino_decoder.py,
    prepare_for_dn.

    Args:
        num_classes: classes to draw wrong labels from.
        embed_dims: channels of the queries.
        num_queries: most queries of an image.
        label_noise: probability of replacing a label by a random one.
        flip_to_other: never draw the old label, as the paper has it; the
            published code may.
        box_noise: largest shift of a centre, in units of half the width or
            height, and largest change of width or height, relative.
        crowd_policy: what happens to images with more than ``num_queries``
            targets: 'cap' gives queries to a random choice of that many of
            the image; 'published' gives none to the whole batch.
        init_cfg: see mmengine's ``BaseModule``.

    Raises:
        ValueError: unknown crowd policy.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dims: int = 256,
        num_queries: int = 100,
        label_noise: float = 0.2,
        flip_to_other: bool = False,
        box_noise: float = 0.4,
        crowd_policy: str = 'cap',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if crowd_policy not in CROWD_POLICIES:
            raise ValueError(
                f'crowd_policy is one of {CROWD_POLICIES}, not '
                f'{crowd_policy!r}'
            )
        self.num_classes = num_classes
        self.num_queries = num_queries
        self.label_noise = label_noise
        # With one class there is no other.
        self.flip_to_other = flip_to_other and num_classes > 1
        self.box_noise = box_noise
        self.crowd_policy = crowd_policy
        self.label_embedding = nn.Embedding(num_classes, embed_dims)

    def forward(
        self, targets: list[Targets], draws: NoiseDraws | None = None
    ) -> DenoisingQueries | None:
        """Denoising queries of a batch.

        Args:
            targets: of each image, with boxes.
            draws: for all targets of all images, the first group first,
                instead of random ones.

        Returns:
            None if there is no target, or too many of them for the
            'published' policy.

        Raises:
            ValueError: targets without boxes.
        """
        if any(target.boxes is None for target in targets):
            raise ValueError('denoising queries need targets with boxes')
        chosen = self._without_crowd(targets)
        counts = [len(target.labels) for target in chosen]
        size = max(counts)
        if size == 0 or size > self.num_queries:
            return None
        groups = self.num_queries // size
        labels = torch.cat([target.labels for target in chosen])
        given = [target.boxes for target in chosen if target.boxes is not None]
        labels, boxes = labels.repeat(groups), torch.cat(given)
        boxes = boxes.repeat(groups, 1)
        if draws is None:
            draws = self.draw(labels)
        labels, boxes = self.add_noise(labels, boxes, draws)
        queries, places = _places(counts, groups, labels.device)
        # A label without a class is refused after matching, whose copy to
        # the host tells; until then it must not stop the device.
        content = self.label_embedding(labels.clamp(0, self.num_classes - 1))
        box_logits = inverse_sigmoid(boxes, eps=1e-5)
        content, box_logits = (
            part.new_zeros(
                len(counts), groups * size, part.shape[1]
            ).index_put(places, part)
            for part in (content, box_logits)
        )
        num_dropped = sum(len(target.labels) for target in targets)
        num_dropped -= sum(counts)
        return DenoisingQueries(
            content, box_logits, chosen, queries, groups, num_dropped
        )

    def _without_crowd(self, targets: list[Targets]) -> list[Targets]:
        """At most ``num_queries`` targets of each image."""
        if self.crowd_policy == 'published':
            return targets
        chosen = []
        for target in targets:
            count = len(target.labels)
            if count > self.num_queries:
                index = torch.randperm(count, device=target.labels.device)
                index = index[: self.num_queries]
                target = Targets(*(part[index] for part in target))
            chosen.append(target)
        return chosen

    def draw(self, labels: Tensor) -> NoiseDraws:
        """Random numbers for as many queries as there are labels."""
        flip, *boxes = torch.rand(5, len(labels), device=labels.device)
        if self.flip_to_other:
            steps = torch.randint_like(labels, 1, self.num_classes)
            new = (labels + steps) % self.num_classes
        else:
            new = torch.randint_like(labels, self.num_classes)
        return NoiseDraws(flip, new, torch.stack(boxes, 1))

    def add_noise(
        self, labels: Tensor, boxes: Tensor, draws: NoiseDraws
    ) -> tuple[Tensor, Tensor]:
        """Replaces labels, shifts and scales boxes.

        Args:
            labels: (N,).
            boxes: (N, 4), (cx, cy, w, h) in [0, 1].
            draws: random numbers.

        Returns:
            Labels and boxes, cut to [0, 1].
        """
        labels = torch.where(
            draws.flip < self.label_noise, draws.labels, labels
        )
        extent = boxes[:, 2:]
        reach = self.box_noise * torch.cat((extent / 2, extent), 1)
        noisy = boxes + (2 * draws.boxes - 1) * reach
        return labels, noisy.clamp(0, 1)


def _places(
    counts: list[int], groups: int, device: torch.device
) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
    """Where the targets' queries are.

    Args:
        counts: targets of each image, the largest of which is a group's size.
        groups: number of groups.
        device: of the indices.

    Returns:
        ``queries`` of :class:`DenoisingQueries`; image and query of all
        targets of all images, the first group first, int64 (N,) each.
    """
    first = torch.arange(groups, device=device) * max(counts)
    queries = [
        first + torch.arange(count, device=device)[:, None] for count in counts
    ]
    image = torch.arange(len(counts))
    image = image.repeat_interleave(torch.tensor(counts)).repeat(groups)
    return queries, (to_device(image, device), torch.cat(queries).T.flatten())

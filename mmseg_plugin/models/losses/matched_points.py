"""BCE and dice of matched masks at points, in closed form."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.models.losses.map_losses import Saved
from mmseg_plugin.structures import Matches, Targets
from mmseg_plugin.structures.sampling import sample_grid


def bce_and_overlap(logits: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """What the losses of rows are made of, and their probabilities.

    Args:
        logits: (N, K).
        values: (N, K) in [0, 1].

    Returns:
        (4, N): mean BCE, sum of p t, of p, and of t; and p (N, K).
    """
    prob = logits.sigmoid()
    bce = F.binary_cross_entropy_with_logits(logits, values, reduction='none')
    overlap = torch.bmm(prob[:, None], values[..., None])[:, 0, 0]
    parts = (bce.mean(1), overlap, prob.sum(1), values.sum(1))
    return torch.stack(parts), prob


def bce_and_overlap_grad(prob: Tensor, values: Tensor, grad: Tensor) -> Tensor:
    """Gradient (N, K) of the logits, given that of the four numbers.

    ``d bce / dx = (p - t) / K`` and ``d p / dx = p (1 - p)``.
    """
    of_bce, of_overlap, of_prob, _ = grad[..., None]
    of_bce = of_bce / prob.shape[1]
    slope = torch.addcmul(of_prob, of_overlap, values)
    slope *= torch.addcmul(prob, prob, prob, value=-1)
    return slope.addcmul_(of_bce, prob).addcmul_(of_bce, values, value=-1)


def bce_and_dice(parts: Tensor) -> Tensor:
    """BCE and dice loss (2, M) of the numbers of :func:`bce_and_overlap`."""
    bce, overlap, prob, values = parts
    dice = 1 - (2 * overlap + 1) / (prob + values + 1)
    return torch.stack((bce, dice))


class PointLosses:
    """Each matched mask at points of its own.

    A :class:`MapLoss` of the maps (N, h * w); its values are those of
    :func:`bce_and_overlap`.

    Args:
        targets: of each image.
        matches: pairs of queries and targets.
        size: height and width of the maps.
        draw: maps (N, h, w), their image and rows -> places (N, K, 2) in
            [-1, 1] and the logits there (N, K).
        budget: most values of masks made float at a time.
    """

    num_values = 4
    again = False

    def __init__(
        self,
        targets: list[Targets],
        matches: Matches,
        size: Sequence[int],
        draw: Callable[[Tensor, int, slice], tuple[Tensor, Tensor]],
        budget: int,
    ) -> None:
        self.masks = [target.masks for target in targets]
        self.size = size
        self.draw = draw
        pixels = max((masks[:1].numel() for masks in self.masks), default=1)
        self.most_masks = max(budget // max(pixels, 1), 1)
        # Target of each row; the device need not be asked.
        self.target = [
            index
            for repeats in matches.repeats
            for index, count in enumerate(repeats)
            for _ in range(count)
        ]

    def forward(
        self, maps: Tensor, image: int, rows: slice
    ) -> tuple[Tensor, Saved]:
        places, logits = self.draw(
            maps.unflatten(1, tuple(self.size)), image, rows
        )
        values = self.values(places, image, rows)
        parts, prob = bce_and_overlap(logits, values)
        return parts, (places, prob, values)

    def backward(
        self, saved: Saved, grad: Tensor, image: int, rows: slice
    ) -> Tensor:
        places, prob, values = saved
        grad = bce_and_overlap_grad(prob, values, grad)
        return scatter_to_maps(grad, places, self.size)

    def values(self, places: Tensor, image: int, rows: slice) -> Tensor:
        """Targets (N, K) of an image's rows at their places (N, K, 2)."""
        found, first = [], 0
        # One buffer: the system hands out fresh large ones slowly.
        most = min(self.most_masks, len(self.masks[image]))
        room = places.new_empty(most, *self.masks[image].shape[1:])
        for masks, repeat in self._runs(image, rows):
            end = first + len(masks) * repeat
            where = places[first:end].reshape(len(masks), -1, 2)
            some = sample_grid(room[: len(masks)].copy_(masks), where)
            found.append(some.view(end - first, -1))
            first = end
        return found[0] if len(found) == 1 else torch.cat(found)

    def _runs(self, image: int, rows: slice) -> Iterator[tuple[Tensor, int]]:
        """Neighbouring masks of equally many rows, and how many rows."""
        counted = [
            (index, len(list(same)))
            for index, same in groupby(self.target[rows])
        ]
        start = 0
        for end in range(1, len(counted) + 1):
            (first, repeat), last = counted[start], counted[end - 1][0]
            if (
                end == len(counted)
                or end - start == self.most_masks
                or counted[end] != (last + 1, repeat)
            ):
                yield self.masks[image][first : last + 1], repeat
                start = end


class SharedPointLosses:
    """Each matched mask at a choice of its image's points.

    A :class:`MapLoss` of logits at all P points (N, P); its values are those
    of :func:`bce_and_overlap`.

    Args:
        values: of each image, targets (G_i, P) at all points.
        matches: pairs of queries and targets.
        choose: logits (N, P) -> index of the uncertain ones (N, n).
        num_candidates: points among which is chosen, which come first; the
            others are kept whatever they are.
    """

    num_values = 4
    again = False

    def __init__(
        self,
        values: list[Tensor],
        matches: Matches,
        choose: Callable[[Tensor], Tensor],
        num_candidates: int,
    ) -> None:
        self.values = values
        self.target = matches.target
        self.choose = choose
        self.rest = slice(num_candidates, None)

    def forward(
        self, maps: Tensor, image: int, rows: slice
    ) -> tuple[Tensor, Saved]:
        chosen = self.choose(maps)
        targets, target = self.values[image], self.target[rows]
        # One index into all targets: no copy of each pair's.
        flat = torch.add(chosen, target[:, None], alpha=targets.shape[1])
        values = torch.cat(
            (targets.take(flat), targets[:, self.rest][target]), 1
        )
        logits = torch.cat((maps.gather(1, chosen), maps[:, self.rest]), 1)
        parts, prob = bce_and_overlap(logits, values)
        return parts, (chosen, prob, values)

    def backward(
        self, saved: Saved, grad: Tensor, image: int, rows: slice
    ) -> Tensor:
        chosen, prob, values = saved
        grad = bce_and_overlap_grad(prob, values, grad)
        uncertain = chosen.shape[1]
        grad_maps = grad.new_zeros(len(grad), self.values[image].shape[1])
        grad_maps[:, self.rest] = grad[:, uncertain:]
        return grad_maps.scatter_(1, chosen, grad[:, :uncertain])


def scatter_to_maps(
    grad: Tensor, places: Tensor, size: Sequence[int]
) -> Tensor:
    """Adjoint of :func:`sample_grid`: (N, K) -> (N, h * w)."""
    maps, _ = torch.ops.aten.grid_sampler_2d_backward(
        grad[:, None, None],
        grad.new_empty(len(grad), 1, *size),
        places[:, None],
        0,  # bilinear
        0,  # zeros outside
        False,  # align_corners
        [True, False],
    )
    return maps.flatten(1)

"""Intra-Batch Supervision: objects must not be found in other images."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_plugin.models.losses.map_losses import LossesOfMaps, Saved
from mmseg_plugin.models.losses.matched_points import scatter_to_maps
from mmseg_plugin.models.losses.point_sampler import PointSampler
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, Matches, Targets
from mmseg_plugin.structures.map_chunks import MapChunks
from mmseg_plugin.utils.host import to_device, to_host
from mmseg_plugin.utils.precision import at_least_float32, without_autocast

PAIRINGS = ('random', 'adjacent')


@MODELS.register_module()
class IntraBatchLoss(nn.Module):
    """Focal loss of thing masks on the features of another image.

    The embedding of each matched thing meets the pixel features of another
    image of the batch, where every pixel is negative. Works on anything that
    has :class:`MaskLogits` and :class:`Matches`. Class, size and source of
    the other image do not matter.

    Source: "Intra-Batch Supervision for Panoptic Segmentation on
    High-Resolution Images" (WACV 2023, arXiv 2304.08222); Mask2Former-IBS
    7a4bc20, criterion.py, and PanopticFCN-IBS 5b5e14e, loss.py.

    Args:
        thing_classes: labels of the things; heads fill in their own.
        loss_weight: lambda, the whole factor of the loss.
        num_points: points of each mask, chosen as those of the mask loss
            are, on the cross-image logits; None for all pixels.
        oversample_ratio: see :class:`PointSampler`.
        importance_sample_ratio: see :class:`PointSampler`.
        alpha: weight of positives, so negatives have ``1 - alpha``.
        gamma: power of the modulating factor.
        pairing: 'random', another image for each layer and image; or
            'adjacent', images 2k and 2k + 1 for each other.
        first_layer: number of the first prediction that it is applied to;
            None for the one after the first decoder layer, as the head
            counts them.
        skip_class_zero: leave out label 0 even if it is a thing, as the
            published Mask2Former code does by mistake.
        chunk_size: most values of dense maps that exist at a time; see
            :func:`map_budget`.

    Raises:
        ValueError: unknown pairing.
    """

    def __init__(
        self,
        thing_classes: Sequence[int],
        loss_weight: float = 1.0,
        num_points: int | None = 12544,
        oversample_ratio: float = 3.0,
        importance_sample_ratio: float = 0.75,
        alpha: float = 0.25,
        gamma: float = 2.0,
        pairing: str = 'random',
        first_layer: int | None = None,
        skip_class_zero: bool = False,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__()
        if pairing not in PAIRINGS:
            raise ValueError(f'pairing is one of {PAIRINGS}, not {pairing!r}')
        self.loss_weight = loss_weight
        self.sampler: PointSampler | None = None
        if num_points:
            self.sampler = PointSampler(
                num_points, oversample_ratio, importance_sample_ratio
            )
        self.alpha = alpha
        self.gamma = gamma
        self.pairing = pairing
        self.first_layer = first_layer
        self.chunk_size = chunk_size
        used = set(thing_classes) - ({0} if skip_class_zero else set())
        self.classes = sorted(used)

    def draw_partners(self, num_layers: int, batch_size: int) -> Tensor:
        """Another image for each image, from the CPU's generator.

        Returns:
            int64 (L, B) on the CPU.

        Raises:
            ValueError: fewer than two images, or an odd number of them where
                neighbours are paired.
        """
        if batch_size < 2:
            raise ValueError(
                'Intra-Batch Supervision needs at least 2 images on each '
                f'device, not {batch_size}: raise train_dataloader.batch_size '
                'or set loss_ibs=None'
            )
        images = torch.arange(batch_size)
        if self.pairing == 'random':
            steps = torch.randint(1, batch_size, (num_layers, batch_size))
            return (images + steps) % batch_size
        if batch_size % 2:
            raise ValueError(
                "pairing='adjacent' needs an even number of images on each "
                f'device, not {batch_size}'
            )
        return (images ^ 1).expand(num_layers, -1)

    def is_used(self, labels: Tensor) -> Tensor:
        """Which labels the loss is about: bool, of their shape; on the CPU."""
        return torch.isin(labels, torch.tensor(self.classes).long())

    @without_autocast
    def forward(
        self,
        masks: MaskLogits,
        targets: list[Targets],
        matches: Matches,
        weights: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        partners: Tensor | None = None,
        uniform: Tensor | None = None,
        num_initial: int = 0,
    ) -> Tensor:
        """Loss of every layer, weighted by ``loss_weight``.

        Args:
            masks: embeddings (..., B, Q, D) and features (B, D, h, w).
            targets: of each image, for their labels.
            matches: pairs of predictions and targets.
            weights: (M,), weight of each pair; ones if None.
            avg_factor: number by which the weighted sums are divided; the
                layer's thing pairs on this device if None.
            partners: int64 (L, B) on the CPU, the other image of each image,
                instead of drawing it.
            uniform: (N, P, 2) for each of the N pairs that are used, in
                their order, in [0, 1], see
                :meth:`PointSampler.draw`.
            num_initial: predictions before the first decoder layer, to
                which the loss is not applied.

        Returns:
            (L,), zero in layers that it is not applied to.

        Raises:
            ValueError: see :meth:`draw_partners`.
        """
        features = at_least_float32(masks.features)
        if partners is None:
            partners = self.draw_partners(masks.num_layers, len(features))
        first = num_initial if self.first_layer is None else self.first_layer
        used, order, counts = self._used_pairs(
            *(targets, matches, partners, first), features.device
        )
        embed = at_least_float32(masks.rows(matches))[used]
        size = (features.shape[2], features.shape[3])
        chunks = MapChunks(
            *(counts, size[0] * size[1], features.device, self.chunk_size)
        )
        given = None
        if uniform is not None:
            given = 2 * uniform[order].to(features.dtype) - 1
        (losses,) = LossesOfMaps.apply(
            *(embed, features, chunks),
            _NegativeLosses(size, self._draw(given), self.alpha, self.gamma),
        )
        if weights is not None:
            losses = losses * weights[used]
        none, layer = losses.new_zeros(masks.num_layers), matches.layer[used]
        if avg_factor is None:
            ones = torch.ones_like(losses)
            avg_factor = none.index_add(0, layer, ones).clamp(min=1)
        return self.loss_weight * none.index_add(0, layer, losses) / avg_factor

    def _used_pairs(
        self,
        targets: list[Targets],
        matches: Matches,
        partners: Tensor,
        first_layer: int,
        device: torch.device,
    ) -> tuple[Tensor, Tensor, list[int]]:
        """Pairs that the loss is about, sorted by the other image.

        Returns:
            Place of each of N pairs among all of them and among those that
            are used, int64 (N,); how many pairs each other image has.
        """
        layer, image, labels = _pairs_on_host(targets, matches)
        is_used = self.is_used(labels) & (layer >= first_layer)
        partner, order = partners[layer, image][is_used].sort(stable=True)
        used = is_used.nonzero()[order, 0]
        used, order = to_device(torch.stack((used, order)), device)
        return used, order, partner.bincount(minlength=len(targets)).tolist()

    def _draw(
        self, uniform: Tensor | None
    ) -> Callable[[Tensor, slice], tuple[Tensor, Tensor]] | None:
        """Chooses places on maps (N, h, w) of some rows."""
        if self.sampler is None:
            return None
        draw = self.sampler.draw

        def draw_rows(maps: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
            return draw(maps, None if uniform is None else uniform[rows])

        return draw_rows


def _pairs_on_host(targets: list[Targets], matches: Matches) -> Tensor:
    """Layer, image and class of each pair (3, M); copied if unknown."""
    if matches.on_host is not None:
        return matches.on_host
    parts = [matches.layer, *(target.labels for target in targets)]
    layer, labels = to_host(torch.cat(parts), 'ibs').tensor_split(
        [len(matches.layer)]
    )
    counts = [count for image in matches.repeats for count in image]
    image = torch.arange(len(matches.repeats))
    image = image.repeat_interleave(torch.tensor(matches.counts))
    labels = labels.repeat_interleave(torch.tensor(counts).long())
    return torch.stack((layer, image, labels))


class _NegativeLosses:
    """Focal losses of maps on which all is negative; a :class:`MapLoss`.

    Args:
        size: height and width of the maps.
        draw: maps (N, h, w) and their rows -> places (N, K, 2) in [-1, 1]
            and the logits there (N, K); None for all pixels.
        alpha: see :class:`IntraBatchLoss`.
        gamma: see :class:`IntraBatchLoss`.
    """

    num_values = 1

    def __init__(
        self,
        size: tuple[int, int],
        draw: Callable[[Tensor, slice], tuple[Tensor, Tensor]] | None,
        alpha: float,
        gamma: float,
    ) -> None:
        self.size = size
        self.draw = draw
        self.again = draw is None
        self.alpha = alpha
        self.gamma = gamma

    def forward(
        self, maps: Tensor, image: int, rows: slice
    ) -> tuple[Tensor, Saved]:
        if self.draw is None:
            loss, _, power = self._terms(maps)
            return self._mean(loss, power), ()
        places, logits = self.draw(maps.unflatten(1, self.size), rows)
        loss, prob, power = self._terms(logits)
        mean = self._mean(loss, power)
        return mean, (self._slope(loss, prob, power), places)

    def backward(
        self, saved: Saved, grad: Tensor, image: int, rows: slice
    ) -> Tensor:
        if self.draw is None:
            slope = self._slope(*self._terms(*saved))
            return slope.mul_(grad.T)
        slope, places = saved
        return scatter_to_maps(slope * grad.T, places, self.size)

    def _terms(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        prob = logits.sigmoid()
        return F.softplus(logits), prob, prob**self.gamma

    def _mean(self, loss: Tensor, power: Tensor) -> Tensor:
        """Mean of ``(1 - alpha) softplus(x) p^gamma`` of each row (1, N)."""
        total = torch.bmm(loss[:, None], power[..., None])[None, :, 0, 0]
        return total * ((1 - self.alpha) / loss.shape[1])

    def _slope(self, loss: Tensor, prob: Tensor, power: Tensor) -> Tensor:
        """Its derivative (N, K), in the memory of ``loss``."""
        # softplus' = p and p' = p (1 - p)
        slope = loss.addcmul_(loss, prob, value=-1)
        slope = slope.mul_(self.gamma).add_(prob).mul_(power)
        return slope.mul_((1 - self.alpha) / slope.shape[1])

"""Importance-sampled points of masks (PointRend, appendix B)."""

import numpy as np
import torch
from torch import Tensor

from mmseg_plugin.structures.sampling import sample_grid
from mmseg_plugin.utils import host


class PointSampler:
    """Draws the points of each mask.

    Places are those of ``F.grid_sample``, from -1 to 1.

    Args:
        num_points: K, points for each mask.
        oversample_ratio: candidates per point.
        importance_sample_ratio: share of the points that are the most
            uncertain candidates; the rest is uniform.

    Raises:
        ValueError: there are fewer candidates than points to choose, or the
            share is none.
    """

    def __init__(
        self,
        num_points: int,
        oversample_ratio: float = 3.0,
        importance_sample_ratio: float = 0.75,
    ) -> None:
        if not 0 <= importance_sample_ratio <= min(oversample_ratio, 1):
            raise ValueError(
                f'importance_sample_ratio={importance_sample_ratio} is not '
                f'within 0, 1 and oversample_ratio={oversample_ratio}'
            )
        self.num_points = num_points
        self.num_candidates = int(num_points * oversample_ratio)
        self.num_uncertain = int(num_points * importance_sample_ratio)

    @property
    def num_uniform(self) -> int:
        """P, candidates and those that are kept whatever they are."""
        return self.num_candidates + self.num_points - self.num_uncertain

    def uniform(self, sets: int, like: Tensor) -> Tensor:
        """Uniform places (sets, P, 2) on a tensor's device."""
        places = like.new_empty(sets, self.num_uniform, 2)
        if not host.on_host(places):
            return places.uniform_(-1, 1)
        return _fill_uniform(places)

    def draw(
        self, maps: Tensor, uniform: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draws the places of each mask.

        Args:
            maps: mask logits (N, h, w).
            uniform: uniform places to take them from, (N, P, 2) or (1, P, 2)
                for all masks; first the candidates, then those that are kept
                whatever they are. Drawn if None.

        Returns:
            Places (N, K, 2), those of the candidates nearest to logit zero,
            then the rest; and the logits there (N, K).
        """
        if uniform is None:
            uniform = self.uniform(len(maps), maps)
        uniform = uniform.expand(len(maps), -1, -1)
        logits = sample_grid(maps, uniform)
        chosen = self.choose(logits)
        # A pair of numbers is read as one: no index for each of them.
        places = torch.view_as_complex(uniform).gather(1, chosen)
        rest = slice(self.num_candidates, None)
        return (
            torch.cat((torch.view_as_real(places), uniform[:, rest]), 1),
            torch.cat((logits.gather(1, chosen), logits[:, rest]), 1),
        )

    def choose(self, logits: Tensor) -> Tensor:
        """Index of the uncertain candidates, given logits (N, P)."""
        candidates = logits[:, : self.num_candidates]
        return _nearest_zero(candidates, self.num_uncertain)


def _fill_uniform(places: Tensor) -> Tensor:
    """Uniform numbers from -1 to 1 in less than half of PyTorch's time.

    The seed is drawn by PyTorch's generator, so what sets or restores that
    one does the same here.
    """
    seed = torch.randint(2**63 - 1, (2,)).numpy()
    generator = np.random.Generator(np.random.SFC64(seed))
    numbers = places.numpy().reshape(-1)
    # Two whole numbers of 32 bits in each draw.
    drawn = generator.integers(
        *(-(2**63), 2**63 - 1, (len(numbers) + 1) // 2, np.int64, True)
    )
    numbers[:] = drawn.view(np.int32)[: len(numbers)]
    numbers *= 2.0**-31
    return places


def _nearest_zero(values: Tensor, count: int) -> Tensor:
    """Index (N, count) of the values (N, P) that are nearest to zero."""
    distance = values.abs()
    if values.device.type != 'cpu':
        return distance.topk(count, 1, largest=False, sorted=False)[1]
    # NumPy's selection is five times as fast as topk on a CPU.
    order = np.argpartition(distance.numpy(), count - 1, axis=1)
    return torch.from_numpy(order[:, :count])

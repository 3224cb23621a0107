import pytest
import torch

from mmseg_plugin.models.losses.map_losses import LossesOfMaps
from mmseg_plugin.structures import map_chunks
from mmseg_plugin.structures.map_chunks import FactorGradients, MapChunks

COUNTS = [5, 0, 1, 4]


@pytest.mark.parametrize('budget', [None, 20, 1])
@pytest.mark.parametrize('products', [1, 2, 3])
def test_maps_are_the_products_whatever_is_taken_together(
    monkeypatch, budget, products
):
    monkeypatch.setattr(map_chunks, 'CPU_BUDGET', 20)
    monkeypatch.setattr(map_chunks, 'CPU_PRODUCTS', products)
    generator = torch.Generator().manual_seed(0)
    embed = torch.randn(sum(COUNTS), 3, generator=generator)
    columns = torch.randn(len(COUNTS), 3, 10, generator=generator)
    chunks = MapChunks(COUNTS, 10, embed.device, budget)
    seen = []
    for image, rows, maps in chunks.maps(embed, columns):
        assert len(maps) <= max((budget or 20) // 10, 1)
        torch.testing.assert_close(maps, embed[rows] @ columns[image])
        # Their reader may overwrite them.
        maps.zero_()
        seen += [(image, row) for row in range(rows.start, rows.stop)]
    images = [i for i, count in enumerate(COUNTS) for _ in range(count)]
    assert seen == list(zip(images, range(sum(COUNTS)), strict=True))


def test_gradients_of_two_losses_add_up_in_place(monkeypatch):
    features = torch.rand(2, 3, 4, 5, requires_grad=True)
    embed = torch.rand(6, 3)
    chunks = MapChunks([3, 3], 20, features.device)

    class Sums:
        num_values, again = 1, False

        def forward(self, maps, image, rows):
            return maps.sum(1)[None], ()

        def backward(self, saved, grad, image, rows):
            return grad.T.expand(-1, 20)

    losses = [
        LossesOfMaps.apply(embed, features, chunks, Sums()).sum()
        for _ in range(2)
    ]
    collected, first = FactorGradients.collected, []

    def recorded(self):
        grads = collected(self)
        first.append(grads[1].data_ptr())
        return grads

    monkeypatch.setattr(FactorGradients, 'collected', recorded)
    (grad,) = torch.autograd.grad(sum(losses), features)
    assert grad.data_ptr() == first[0]
    want = 2 * embed.view(2, 3, 3).sum(1)[..., None, None]
    torch.testing.assert_close(grad, want.expand_as(grad))

"""The factored mask logits against the dense product."""

import pytest
import torch

from mmseg_plugin.structures import MaskLogits, Matches


def make(leading=(3,), batch=2, queries=5):
    torch.manual_seed(0)
    embed = torch.randn(*leading, batch, queries, 8)
    features = torch.randn(batch, 8, 6, 7)
    return MaskLogits(embed.requires_grad_(), features.requires_grad_())


@pytest.mark.parametrize('leading', [(), (3,), (2, 3)])
def test_rows_are_the_embeddings_of_the_chosen_triples(leading):
    masks = make(leading)
    layer = torch.tensor([masks.num_layers - 1, 0, 0])
    image, query = torch.tensor([0, 0, 1]), torch.tensor([4, 1, 0])
    pairs = Matches(layer, image, query, torch.zeros(3), ((1, 1), (1,)))
    flat = masks.embed.reshape(-1, 2, 5, 8)
    assert torch.equal(masks.rows(pairs), flat[layer, image, query])
    assert masks.size == (6, 7)


def test_features_of_another_image_give_its_logits():
    masks = make()
    crossed = MaskLogits(masks.embed, masks.features.flip(0))
    want = torch.einsum('lqd,dhw->lqhw', masks.embed[:, 0], masks.features[1])
    torch.testing.assert_close(crossed.dense()[:, 0], want)

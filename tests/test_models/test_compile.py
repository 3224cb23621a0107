"""Networks as one graph for torch.compile, with the same numbers."""

import copy

import pytest
import torch

from mmseg_plugin.utils.host import MOST_SIZES, constants, made_once
from tests.tiny_efpn import total
from tests.tiny_heads import (
    backbone_maps,
    point_losses,
    samples,
    tiny_mask2former,
)
from tests.tiny_mask_dino import tiny_mask_dino

HEADS = {
    'Mask2Former': lambda: tiny_mask2former(**point_losses()),
    'MaskDINO': tiny_mask_dino,
}
# Whether there are queries to denoise.
TRAINED = [('Mask2Former', False), ('MaskDINO', True)]
CASES = [*TRAINED, ('MaskDINO', False)]


@pytest.fixture(autouse=True)
def _from_the_start():
    torch.manual_seed(0)
    torch._dynamo.reset()


def leaves(predictions):
    return [
        part
        for part in torch.utils._pytree.tree_leaves(tuple(predictions))
        if isinstance(part, torch.Tensor)
    ]


def forward_inputs(head, denoise):
    """What :func:`forward` of a head is called with."""
    if not denoise:
        return backbone_maps(), None
    targets = head.get_targets(samples(2, 1))
    return backbone_maps(), head.denoising_queries(targets)


def forward(head):
    return lambda maps, noise: head(
        *(maps, None), *([] if noise is None else [noise])
    )


@pytest.mark.parametrize(('name', 'denoise'), CASES)
def test_forward_is_one_graph(name, denoise):
    head = HEADS[name]().train(denoise)
    inputs = forward_inputs(head, denoise)
    found = torch._dynamo.explain(forward(head))(*inputs)
    assert found.graph_break_count == 0, found.break_reasons
    assert found.graph_count == 1


@pytest.mark.parametrize(('name', 'denoise'), TRAINED)
def test_compiled_numbers_and_gradients(name, denoise):
    head = HEADS[name]().train()
    peer = copy.deepcopy(head)
    inputs = forward_inputs(head, denoise)
    predicted = forward(peer)(*inputs)
    assert not denoise or predicted.denoising is not None
    want = leaves(predicted)
    compiled = torch.compile(
        forward(head), backend='aot_eager', fullgraph=True
    )
    got = leaves(compiled(*inputs))
    for ours, plain in zip(got, want, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-5)
    for outputs in (got, want):
        sum(
            part.square().mean() for part in outputs if part.requires_grad
        ).backward(retain_graph=denoise)
    pairs = [
        (ours.grad, plain.grad)
        for ours, plain in zip(
            head.parameters(), peer.parameters(), strict=True
        )
        if plain.grad is not None
    ]
    largest = max(plain.abs().max().item() for _, plain in pairs)
    for ours, plain in pairs:
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5 * largest)


def test_losses_of_batches_of_any_size_need_few_graphs():
    """With denoising queries or without, and those of any number."""
    head = tiny_mask_dino().train()
    head.compile(backend='eager')
    torch._dynamo.utils.counters.clear()
    for counts in ((2, 1), (3, 5), (1, 0), (6, 2), (8, 1)):
        losses = head.loss(backbone_maps(), samples(*counts))
        assert losses['dn_loss_bbox'] > 0
    assert not torch._dynamo.utils.counters['graph_break']
    # One for the first size, one for all others.
    assert torch._dynamo.utils.counters['stats']['unique_graphs'] <= 3


def test_sizes_are_kept_and_bounded():
    made = []

    @made_once
    def ones(size, device):
        made.append(size)
        return torch.ones(size, device=device)

    cpu = torch.device('cpu')
    assert ones((2, 3), cpu) is ones([2, 3], cpu)
    for length in range(2 * MOST_SIZES):
        ones((length,), cpu)
    ones((2, 3), cpu)
    assert made.count((2, 3)) == 2


def test_what_inference_keeps_can_be_trained_with():
    with torch.inference_mode():
        kept = constants((3.0, 1.0), torch.device('cpu'), torch.float64)
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (weight * kept).sum().backward()
    assert weight.grad.tolist() == [3, 1]


def test_a_step_after_predictions():
    head = HEADS['MaskDINO']()
    x, batch = backbone_maps(), samples(2, 1)
    with torch.inference_mode():
        head.eval().predict(x, batch)
    total(head.train().loss(x, batch)).backward()

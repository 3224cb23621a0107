"""Every backward pass written by hand, for inputs of any memory layout."""

import importlib
import pkgutil

import pytest
import torch

import mmseg_plugin.models
from mmseg_plugin.models.layers.deformable_attention import (
    deformable_attention,
)
from mmseg_plugin.models.losses import (
    IntraBatchLoss,
    MapFocalLoss,
    PointMaskLoss,
    WeightedDiceLoss,
)
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    Targets,
    sample_features,
)

LAYERS, SIZE = 2, (6, 7)


def strided(tensor):
    """Every other number of each dimension of a larger tensor."""
    large = tensor.new_zeros([2 * length for length in tensor.shape])
    chosen = large[(slice(None, None, 2),) * tensor.dim()]
    return chosen.copy_(tensor)


def transposed(tensor):
    """The last two dimensions swapped in memory."""
    return tensor.mT.contiguous().mT


def channels_last(tensor):
    """The first dimension behind the batch last in memory."""
    return tensor.movedim(1, -1).contiguous().movedim(-1, 1)


LAYOUTS = (strided, transposed, channels_last)


def mask_case(loss_of):
    embed = torch.randn(LAYERS, 2, 9, 4, dtype=torch.float64)
    features = torch.randn(2, 4, *SIZE, dtype=torch.float64)
    labels = torch.zeros(3, dtype=torch.long)
    targets = [Targets(labels, torch.rand(3, 12, 14) > 0.5) for _ in range(2)]
    matches = Matches.fixed([torch.arange(3)[:, None]] * 2, LAYERS)

    def total(embed, features):
        torch.manual_seed(1)
        masks = MaskLogits(embed, features)
        return loss_of(masks, targets, matches)

    return (embed, features), total


def point_loss(**options):
    loss = PointMaskLoss(chunk_size=100, **options)
    return mask_case(
        lambda *given: sum(
            (weight * part).sum()
            for weight, part in zip((1, 2), loss(*given, 3.0), strict=True)
        )
    )


def negative_loss(num_points):
    loss = IntraBatchLoss([0], num_points=num_points, chunk_size=100)
    return mask_case(lambda *given: loss(*given).sum())


def dice():
    (embed, features), _ = mask_case(None)
    targets, weights = torch.rand(6, *SIZE), torch.rand(6, 2)
    queries = [torch.arange(6).view(3, 2)] * 2
    matches = Matches.fixed(queries, 1)

    def total(embed, features):
        masks = MaskLogits(embed[:1], features)
        loss = WeightedDiceLoss()
        return loss.in_chunks(masks, matches, targets, weights, 1.0, 100)

    return (embed, features), total


def focal():
    pred, target = torch.randn(2, 4, *SIZE), torch.rand(2, 4, *SIZE)
    return (pred,), lambda pred: MapFocalLoss()(pred, target, 1.0)


def attention():
    sizes = [(4, 5), (2, 3)]
    value = torch.randn(2, 26, 3, 4)
    locations = torch.rand(2, 5, 3, 2, 2, 2)
    weights = torch.rand(2, 5, 3, 2, 2)
    factor = torch.randn(2, 5, 12)

    def total(value, locations, weights):
        out = deformable_attention(value, sizes, locations, weights)
        return (factor * out).sum()

    return (value, locations, weights), total


def sampled_features():
    features, points = torch.randn(2, 4, *SIZE), torch.rand(2, 9, 2)
    factor = torch.randn(2, 9, 4)
    return (features,), lambda features: (
        factor * sample_features(features, points)
    ).sum()


# The autograd function that each case runs.
CASES = {
    'own points': ('LossesOfMaps', lambda: point_loss(num_points=20)),
    'shared points on maps': (
        'LossesOfMaps',
        lambda: point_loss(num_points=20, shared_points=True),
    ),
    'shared points': (
        'LossesOfMaps',
        lambda: point_loss(num_points=8, shared_points=True),
    ),
    'negatives at points': ('LossesOfMaps', lambda: negative_loss(20)),
    'negatives everywhere': ('LossesOfMaps', lambda: negative_loss(None)),
    'dice': ('LossesOfMaps', dice),
    'focal': ('_FocalSum', focal),
    'sampled features': ('PixelRows', sampled_features),
    # A node of graphs, as no such function is.
    'attention': (None, attention),
}


@pytest.mark.parametrize('layout', LAYOUTS, ids=lambda make: make.__name__)
@pytest.mark.parametrize('case', CASES)
def test_the_layout_of_the_inputs_changes_no_gradient(case, layout):
    torch.manual_seed(0)
    inputs, total = CASES[case][1]()

    def value_and_gradients(leaves):
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        value = total(*leaves)
        return value, *torch.autograd.grad(value, leaves)

    want = value_and_gradients(inputs)
    assert all(grad.any() for grad in want[1:])
    got = value_and_gradients([layout(part) for part in inputs])
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_every_function_of_the_package_is_among_the_cases():
    for module in pkgutil.walk_packages(
        mmseg_plugin.models.__path__, 'mmseg_plugin.models.'
    ):
        importlib.import_module(module.name)
    written = {
        kind.__name__
        for kind in torch.autograd.Function.__subclasses__()
        if kind.__module__.startswith('mmseg_plugin.')
        and 'backward' in vars(kind)
    }
    assert written == {name for name, _ in CASES.values()} - {None}

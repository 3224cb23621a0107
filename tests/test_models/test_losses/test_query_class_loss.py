"""Classification losses of queries."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.losses import QueryClassLoss, QueryFocalLoss
from mmseg_plugin.structures import Matches, Targets


def make(columns, counts=(2, 1), layers=3):
    torch.manual_seed(0)
    logits = torch.randn(layers, len(counts), 4, columns, requires_grad=True)
    targets = [
        Targets(torch.arange(count) + 1, torch.zeros(count, 1, 1).bool())
        for count in counts
    ]
    queries = [torch.randperm(4)[:count, None] for count in counts]
    return logits, targets, Matches.fixed(queries, layers)


def labels_of(logits, targets, matches, background):
    labels = torch.full(logits.shape[:3], background)
    for layer, image, query, target in torch.stack(matches[:4], 1).tolist():
        labels[layer, image, query] = targets[image].labels[target]
    return labels


@pytest.mark.parametrize(
    ('given', 'weights'),
    [
        ({}, [1, 1, 1, 0.1]),
        ({'no_object_weight': 0.4}, [1, 1, 1, 0.4]),
        ({'class_weight': [1, 2, 3]}, [1, 2, 3, 0.1]),
        (
            {'class_weight': [1, 2, 3], 'no_object_weight': 0.5},
            [1, 2, 3, 0.5],
        ),
        ({'class_weight': [1, 2, 3, 0.7]}, [1, 2, 3, 0.7]),
    ],
)
def test_each_layer_is_the_weighted_mean_of_torch(given, weights):
    logits, targets, matches = make(4)
    labels = labels_of(logits, targets, matches, 3)
    got = QueryClassLoss(3, loss_weight=2, **given)(logits, targets, matches)
    want = torch.stack(
        [
            F.cross_entropy(
                x.flatten(0, 1), y.flatten(), torch.tensor(weights)
            )
            for x, y in zip(logits, labels, strict=True)
        ]
    )
    torch.testing.assert_close(got, 2 * want)


def test_softmax_by_hand():
    # One matched query at probability 1/2, one free query at 1/4.
    logits = torch.tensor([[[[0.0, 0.0], [math.log(3), 0.0]]]])
    targets = [Targets(torch.tensor([0]), torch.zeros(1, 1, 1).bool())]
    matches = Matches.fixed([torch.tensor([[0]])], 1)
    loss = QueryClassLoss(1, no_object_weight=0.5)(logits, targets, matches)
    want = (math.log(2) + 0.5 * math.log(4)) / 1.5
    assert loss.item() == pytest.approx(want)


@pytest.mark.parametrize('length', [2, 5])
def test_class_weights_of_another_length_are_refused(length):
    with pytest.raises(ValueError, match=f'{length} values for 3 classes'):
        QueryClassLoss(3, class_weight=[1.0] * length)


def test_two_weights_of_no_object_are_refused():
    with pytest.raises(ValueError, match='contradicts'):
        QueryClassLoss(1, no_object_weight=0.2, class_weight=[1.0, 0.1])


def test_no_weight_at_all_is_no_loss():
    logits, targets, matches = make(4, (0, 0))
    loss = QueryClassLoss(3, no_object_weight=0.0)
    assert loss(logits, targets, matches).tolist() == [0, 0, 0]


def test_weights_are_no_part_of_the_checkpoint():
    assert not QueryClassLoss(3).state_dict()


def test_focal_loss_of_every_layer():
    logits, targets, matches = make(3)
    labels = labels_of(logits, targets, matches, 3)
    got = QueryFocalLoss(3, loss_weight=2)(logits, targets, matches, 2.5)
    positive = F.one_hot(labels, 4)[..., :3].bool()
    prob = logits.sigmoid()
    terms = torch.where(
        positive,
        -0.25 * (1 - prob) ** 2 * prob.log(),
        -0.75 * prob**2 * (1 - prob).log(),
    )
    torch.testing.assert_close(got, 2 * terms.sum((1, 2, 3)) / 2.5)


@pytest.mark.parametrize('loss', [QueryClassLoss(3), QueryFocalLoss(3)])
@pytest.mark.parametrize('counts', [(0, 0), (0, 2), (4, 1)])
def test_every_batch_gives_finite_losses_with_gradients(loss, counts):
    columns = 4 if isinstance(loss, QueryClassLoss) else 3
    logits, targets, matches = make(columns, counts)
    for target in targets:
        target.labels.clamp_(max=2)
    losses = loss(logits, targets, matches, 1.0)
    assert losses.shape == (3,)
    assert losses.isfinite().all()
    (grad,) = torch.autograd.grad(losses.sum(), logits)
    assert grad.isfinite().all()
    assert grad.any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_extreme_half_logits_are_summed_in_float32(dtype):
    logits, targets, matches = make(4)
    half = (logits.detach() * 30).to(dtype)
    with torch.autocast('cpu', dtype=dtype):
        got = QueryClassLoss(3)(half, targets, matches)
    want = QueryClassLoss(3)(half.float(), targets, matches)
    assert torch.equal(got, want)

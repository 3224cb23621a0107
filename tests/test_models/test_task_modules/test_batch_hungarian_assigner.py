"""The assigner of all layers and images against a plain loop."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment

from mmseg_plugin.models.task_modules import BatchHungarianAssigner
from mmseg_plugin.registry import TASK_UTILS
from mmseg_plugin.structures import (
    MaskLogits,
    QueryPredictions,
    Targets,
    sample_maps,
)
from mmseg_plugin.utils.host import host_copies
from tests.largest_tensor import LargestTensor

COSTS = [
    {'type': 'mmseg_plugin.SoftmaxClassCost', 'weight': 2.0},
    {'type': 'mmseg_plugin.MaskBCECost', 'weight': 5.0},
    {'type': 'mmseg_plugin.MaskDiceCost', 'weight': 5.0},
]
BOX_COSTS = [
    {'type': 'mmseg_plugin.FocalClassCost', 'weight': 4.0},
    {'type': 'mmseg_plugin.BoxL1Cost', 'weight': 5.0},
    {'type': 'mmseg_plugin.BoxGIoUCost', 'weight': 2.0},
]


def make(counts=(3, 5), queries=8, layers=3, scale=1.0):
    """Predictions and targets of ``len(counts)`` images."""
    torch.manual_seed(0)
    batch = len(counts)
    masks = MaskLogits(
        torch.randn(layers, batch, queries, 8) * scale,
        torch.randn(batch, 8, 12, 16),
    )
    predictions = QueryPredictions(
        torch.randn(layers, batch, queries, 6) * scale,
        masks,
        torch.rand(layers, batch, queries, 4),
    )
    targets = [
        Targets(
            torch.randint(0, 5, (count,)),
            torch.rand(count, 24, 32) > 0.6,
            torch.rand(count, 4) * 0.5 + 0.1,
        )
        for count in counts
    ]
    return predictions, targets


def as_lists(matches):
    return torch.stack(matches[:4], 1).tolist()


def plain_cost(predictions, target, layer, image, points):
    """Weighted cost (Q, G) by the published formulas."""
    logits = predictions.masks.dense()[layer, image]
    queries, count = len(logits), len(target.labels)
    x = sample_maps(logits, points.expand(queries, -1, -1))[:, None]
    t = sample_maps(target.masks.float(), points.expand(count, -1, -1))
    x, t = x.expand(-1, count, -1), t.expand(queries, -1, -1)
    bce = F.binary_cross_entropy_with_logits(x, t, reduction='none').mean(-1)
    prob = x.sigmoid()
    dice = 1 - (2 * (prob * t).sum(-1) + 1) / (prob.sum(-1) + t.sum(-1) + 1)
    classes = predictions.cls_logits[layer, image].softmax(-1)
    return 5 * bce + 5 * dice - 2 * classes[:, target.labels]


@pytest.mark.parametrize('per_layer', [False, True])
# 192 pixels: fewer points are sampled first, more points multiplied first.
@pytest.mark.parametrize('num_points', [40, 300])
@pytest.mark.parametrize('counts', [(3, 5), (0, 4), (11, 2), (0, 0), (1, 1)])
def test_assignment_is_that_of_a_plain_loop(per_layer, num_points, counts):
    predictions, targets = make(counts)
    shape = (3, 2, num_points, 2) if per_layer else (2, num_points, 2)
    points = torch.rand(shape)
    matches = BatchHungarianAssigner(COSTS).assign(
        predictions, targets, points
    )
    want = []
    for image, target in enumerate(targets):
        for layer in range(3):
            where = points[layer, image] if per_layer else points[image]
            cost = plain_cost(predictions, target, layer, image, where)
            pairs = zip(*linear_sum_assignment(cost.numpy()), strict=True)
            want += [[layer, image, int(q), int(t)] for q, t in pairs]
    assert sorted(as_lists(matches)) == sorted(want)


def test_one_query_takes_its_cheapest_target():
    predictions, targets = make((4, 0), queries=1, layers=1)
    assigner = BatchHungarianAssigner(COSTS)
    points = torch.rand(2, 30, 2)
    cost = assigner.cost_matrices(predictions, targets, points)[0]
    matches = assigner.assign(predictions, targets, points)
    assert matches.target.tolist() == [int(cost.argmin())]
    assert sum(matches.repeats[0]) == 1


def test_points_are_drawn_once_or_for_each_layer(monkeypatch):
    drawn = []
    rand = torch.rand

    def spy(*args, **kwargs):
        drawn.append(rand(*args, **kwargs))
        return drawn[-1]

    predictions, targets = make()
    monkeypatch.setattr(torch, 'rand', spy)
    BatchHungarianAssigner(COSTS, 10).assign(predictions, targets)
    BatchHungarianAssigner(COSTS, 10, points_per_layer=True).assign(
        predictions, targets
    )
    assert [len(points.shape) for points in drawn] == [3, 4]
    assert drawn[1].shape == (3, 2, 10, 2)


def test_chunks_change_nothing():
    predictions, targets = make((7, 5))
    points = torch.rand(2, 40, 2)
    whole = BatchHungarianAssigner(COSTS)
    pieces = BatchHungarianAssigner(COSTS, chunk_size=100)
    for first, second in zip(
        whole.cost_matrices(predictions, targets, points),
        pieces.cost_matrices(predictions, targets, points),
        strict=True,
    ):
        torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-6)
    assert as_lists(whole.assign(predictions, targets, points)) == as_lists(
        pieces.assign(predictions, targets, points)
    )


def test_dense_costs_see_targets_resized_to_nearest():
    predictions, targets = make((3, 0), layers=1)
    assigner = BatchHungarianAssigner(
        [{'type': 'mmseg_plugin.MaskDiceCost'}], num_points=None
    )
    got = assigner.cost_matrices(predictions, targets)
    prob = predictions.masks.dense()[0, 0].sigmoid().flatten(1)
    # Nearest from 24 x 32 to 12 x 16 takes every second row and column.
    values = targets[0].masks[:, ::2, ::2].flatten(1).float()
    total = prob.sum(1)[:, None] + values.sum(1)
    want = 1 - (2 * prob @ values.T + 1) / (total + 1)
    torch.testing.assert_close(got[0][0], want)
    assert got[1].shape == (1, 8, 0)


def test_boxes_without_masks():
    predictions, targets = make()
    targets = [t._replace(masks=t.masks[:, :0]) for t in targets]
    cost = BatchHungarianAssigner(BOX_COSTS).cost_matrices(
        predictions, targets
    )[1][2, 4, 1]
    prob = predictions.cls_logits[2, 1, 4].sigmoid()[targets[1].labels[1]]
    focal = -0.25 * (1 - prob) ** 2 * prob.log()
    focal += 0.75 * prob**2 * (1 - prob).log()
    first, second = predictions.boxes[2, 1, 4], targets[1].boxes[1]
    distance = (first - second).abs().sum()
    want = 4 * focal + 5 * distance - 2 * plain_giou(first, second)
    torch.testing.assert_close(cost, want, rtol=1e-4, atol=1e-4)


def plain_giou(first, second):
    """Generalized IoU of two (cx, cy, w, h) boxes, one axis at a time."""
    overlap, hull = 1.0, 1.0
    for axis in range(2):
        (a, b), (c, d) = (
            (box[axis] - box[axis + 2] / 2, box[axis] + box[axis + 2] / 2)
            for box in (first, second)
        )
        overlap *= max(min(b, d) - max(a, c), 0)
        hull *= max(b, d) - min(a, c)
    union = first[2] * first[3] + second[2] * second[3] - overlap
    return overlap / union - (hull - union) / hull


@pytest.mark.parametrize(('num_things', 'query'), [(None, 2), (1, 1)])
def test_boxes_of_stuff_may_tell_nothing(num_things, query):
    # A thing at 0.1; stuff, class 1, at 0.9. Queries at 0.1, 0.2 and 0.8,
    # the second one the surest of stuff, by less than the boxes tell.
    places = torch.tensor([0.1, 0.2, 0.8, 0.1, 0.9])
    boxes = torch.stack((places, *torch.full((3, 5), 0.1)), 1)
    logits = torch.tensor([[1.0, 0], [0, 1.5], [0, 1]])
    predictions = QueryPredictions(
        logits[None, None], None, boxes[None, None, :3]
    )
    target = Targets(
        torch.tensor([0, 1]), torch.ones(2, 1, 1).bool(), boxes[3:]
    )
    box_cost = {'type': 'mmseg_plugin.BoxL1Cost', 'num_things': num_things}
    matches = BatchHungarianAssigner([COSTS[0], box_cost]).assign(
        predictions, [target]
    )
    assert as_lists(matches) == [[0, 0, 0, 0], [0, 0, query, 1]]


@pytest.mark.parametrize('lacking', ['predicted', 'target'])
def test_box_costs_without_boxes_are_refused(lacking):
    predictions, targets = make()
    if lacking == 'predicted':
        predictions = predictions._replace(boxes=None)
    else:
        targets = [target._replace(boxes=None) for target in targets]
    with pytest.raises(ValueError, match='box costs need boxes'):
        BatchHungarianAssigner(BOX_COSTS).assign(predictions, targets)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_and_half_inputs_are_matched_in_float32(dtype):
    predictions, targets = make((6, 7), queries=20, scale=10.0)
    half = QueryPredictions(
        predictions.cls_logits.clamp(-30, 30).to(dtype),
        MaskLogits(*(part.to(dtype) for part in predictions.masks)),
    )
    full = QueryPredictions(
        half.cls_logits.float(),
        MaskLogits(*(part.float() for part in half.masks)),
    )
    assert full.masks.dense().abs().max() > 30
    points = torch.rand(2, 12544, 2)
    assigner = BatchHungarianAssigner(COSTS)
    want = assigner.cost_matrices(full, targets, points)
    with torch.autocast('cpu', dtype=dtype):
        got = assigner.cost_matrices(half, targets, points)
        matches = assigner.assign(half, targets, points)
    for first, second in zip(got, want, strict=True):
        assert first.isfinite().all()
        assert torch.equal(first, second)
    assert as_lists(matches) == as_lists(
        assigner.assign(full, targets, points)
    )


@pytest.mark.parametrize('value', [torch.nan, torch.inf, -torch.inf])
def test_bad_predictions_are_matched_and_named_once(value):
    predictions, targets = make()
    points = torch.rand(2, 40, 2)
    assigner = BatchHungarianAssigner(COSTS)
    want = as_lists(assigner.assign(predictions, targets, points))
    predictions.masks.embed[1, 1, 3] = value
    names = ['a.jpg', 'b.jpg']
    with pytest.warns(RuntimeWarning, match=r"\['b.jpg'\]"):
        matches = assigner.assign(predictions, targets, points, names)
    got = as_lists(matches)
    assert len(got) == 3 * (3 + 5)
    # Only the layer and image of the bad query may be matched otherwise.
    assert [p for p in got if p[:2] != [1, 1]] == [
        p for p in want if p[:2] != [1, 1]
    ]
    assert [1, 1, 3] not in [pair[:3] for pair in got]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assigner.assign(predictions, targets, points, names)


def test_nothing_finite_still_gives_every_target_a_query():
    predictions, targets = make()
    predictions.masks.features[:] = torch.nan
    with pytest.warns(RuntimeWarning, match=r'\[0, 1\]'):
        matches = BatchHungarianAssigner(COSTS).assign(predictions, targets)
    assert matches.repeats == ((3,) * 3, (3,) * 5)


def test_one_copy_to_the_host_for_the_whole_batch():
    predictions, targets = make((3, 5, 0, 2), layers=6)
    before = host_copies.total()
    BatchHungarianAssigner(COSTS).assign(predictions, targets)
    assert host_copies.total() - before == 1


def test_no_graph_is_built():
    predictions, targets = make()
    predictions.masks.embed.requires_grad_()
    costs = BatchHungarianAssigner(COSTS).cost_matrices(predictions, targets)
    assert not any(cost.requires_grad for cost in costs)


def test_costs_of_other_packages_are_refused():
    costs = [*COSTS, {'type': 'mmdet.BBoxL1Cost'}]
    with pytest.raises(TypeError, match='BBoxL1Cost is no match cost'):
        BatchHungarianAssigner(costs)


def test_unknown_solver_is_named():
    with pytest.raises(ValueError, match="'scipy', 'torch'.*'cuda'"):
        TASK_UTILS.build(
            {
                'type': 'mmseg_plugin.BatchHungarianAssigner',
                'costs': COSTS,
                'solver': 'cuda',
            }
        )


@pytest.mark.parametrize('num_points', [12544, None])
def test_a_thousand_targets_at_1024_are_never_made_float(num_points):
    # Untouched zeros cost no memory of their own.
    masks = torch.zeros(1000, 1024, 1024, dtype=torch.bool)
    predictions = QueryPredictions(
        torch.randn(1, 1, 100, 2),
        MaskLogits(torch.randn(1, 1, 100, 4), torch.randn(1, 4, 128, 128)),
    )
    target = Targets(torch.zeros(1000, dtype=torch.long), masks)
    assigner = BatchHungarianAssigner(COSTS, num_points)
    with LargestTensor(masks) as largest:
        matches = assigner.assign(predictions, [target])
    assert sum(matches.repeats[0]) == 100
    # 12544 values of each target, where a float copy takes 4000 MB.
    assert 10 < largest.megabytes < 64

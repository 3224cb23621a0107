import numpy as np
import pytest
import torch

from mmseg_plugin.ops import ext, nms_all_pairs, nms_near_pairs
from mmseg_plugin.utils import host


def make_boxes(count, seed, spread=100.0):
    torch.manual_seed(seed)
    centres = torch.rand(count, 2) * spread
    sizes = torch.rand(count, 2) * 30
    scores = torch.rand(count)
    # Equal scores and equal boxes.
    scores[count // 2 : count // 2 + 20] = 0.5
    boxes = torch.cat([centres - sizes / 2, centres + sizes / 2], 1)
    boxes[count // 3 : count // 3 + 5] = boxes[:1]
    return boxes, scores


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.1, 0.5, 0.7, 0.9])
@pytest.mark.parametrize('count', [0, 1, 7, 129, 1000])
def test_equals_the_compiled_one(compiled, count, threshold, offset):
    boxes, scores = make_boxes(count, seed=count)
    options = {'iou_threshold': threshold, 'offset': offset}
    ours = ext.nms(boxes, scores, **options)
    assert ours.equal(compiled.nms(boxes, scores, **options))


def test_at_the_threshold_a_box_stays(compiled):
    """Overlaps of exactly a half, and of what float32 makes of a tenth."""
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 1.0]])
    scores = torch.tensor([3.0, 2, 1])
    for threshold in (0.5, 0.1, 0.2):
        theirs = compiled.nms(boxes, scores, threshold, 0)
        assert ext.nms(boxes, scores, threshold, 0).equal(theirs)


def test_boxes_without_any_extent_stay(compiled):
    boxes, scores = torch.zeros(3, 4), torch.arange(3.0)
    ours = ext.nms(boxes, scores, 0.5, 0)
    assert ours.equal(compiled.nms(boxes, scores, 0.5, 0))


def scattered(count):
    return make_boxes(count, seed=0)[0]


def of_classes(count):
    """As batched suppression moves them apart."""
    return scattered(count) + 128 * torch.randint(0, 80, (count, 1))


def clustered(count):
    return scattered(count // 9).repeat(9, 1) + torch.rand(9 * (count // 9), 4)


def in_a_column(count):
    boxes = scattered(count)
    boxes[:, 0::2] = torch.tensor([3.0, 9])
    return boxes


def strange(count):
    """Points, lines, negative sides, and what is no number."""
    boxes = scattered(count)
    boxes[::5, 2] = boxes[::5, 0]
    boxes[1::5] = boxes[1::5, [2, 1, 0, 3]]
    boxes[2::25, 1] = torch.inf
    boxes[7::25, 0] = -torch.inf
    boxes[12::25, 3] = torch.nan
    boxes[17::25] = boxes[17::25, :1]
    return boxes


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0, 0.1, 0.5, 0.9, 1, 1.1])
@pytest.mark.parametrize(
    'make', [scattered, of_classes, clustered, in_a_column, strange]
)
def test_all_ways_keep_the_same(monkeypatch, make, threshold, offset):
    """All pairs on a host and on a device, and those that are near."""
    monkeypatch.setattr(nms_all_pairs, '_BLOCK', 300)
    monkeypatch.setattr(nms_all_pairs, '_PAIRS', 1000)
    monkeypatch.setattr(nms_near_pairs, '_PAIRS', 2000)
    torch.manual_seed(1)
    options = offset, threshold
    boxes = make(700).T.contiguous()
    on_host = nms_all_pairs.stays_of_all_pairs(boxes, *options)
    line = nms_near_pairs.nearest_line(boxes, *options)
    near = nms_near_pairs.stays_of_near_pairs(boxes, line, *options)
    monkeypatch.setattr(host, 'on_host', lambda tensor: False)
    kept = nms_all_pairs.stays_of_all_pairs(boxes, *options)
    assert on_host.equal(kept)
    assert near.equal(kept)
    if 0 < threshold < 1:
        assert 0 < len(kept) < boxes.shape[1]


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('min_score', [0.0, 0.05, 0.4])
def test_soft_equals_the_compiled_one(same, method, offset, min_score):
    boxes, scores = make_boxes(150, seed=3)

    def call(part):
        dets, index = part.soft_nms(
            boxes,
            scores,
            method=method,
            offset=offset,
            min_score=min_score,
        )
        return dets, index.float()

    same('nms', call)


def test_soft_takes_scores_that_are_no_numbers_in_turn(compiled, run_with):
    """Boxes without an area overlap each other by zero over zero."""
    point, square = [5.0, 5, 5, 5], [0.0, 0, 9, 9]
    boxes = torch.tensor([square, point, square, point, point])
    scores = torch.tensor([0.5, 0.9, 0.8, 0.7, 0.6])

    def call(part):
        return part.soft_nms(boxes, scores, method='gaussian')

    ours, theirs = (run_with('nms', e, call) for e in (ext, compiled))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, equal_nan=True)


def test_soft_of_no_boxes(run_with):
    def call(part):
        return part.soft_nms(torch.zeros(0, 4), torch.zeros(0))

    dets, index = run_with('nms', ext, call)
    assert dets.shape == (0, 5)
    assert index.shape == (0,)


@pytest.mark.parametrize('threshold', [0.1, 0.5, 0.8])
def test_match_equals_the_compiled_one(compiled, run_with, threshold):
    boxes, scores = make_boxes(120, seed=4)
    dets = torch.cat([boxes, scores[:, None]], 1)

    def call(part):
        return part.nms_match(dets, threshold)

    ours, theirs = (run_with('nms', e, call) for e in (ext, compiled))
    assert [x.tolist() for x in ours] == [x.tolist() for x in theirs]


def test_batched_and_numpy(compiled, run_with):
    boxes, scores = make_boxes(300, seed=5)
    labels = torch.arange(300) % 3

    def batched(part):
        return part.batched_nms(
            boxes, scores, labels, {'type': 'nms', 'iou_threshold': 0.5}
        )

    def from_numpy(part):
        return part.nms(boxes.numpy(), scores.numpy(), 0.5, max_num=7)

    for call in (batched, from_numpy):
        ours, theirs = (run_with('nms', e, call) for e in (ext, compiled))
        for our, their in zip(ours, theirs, strict=True):
            assert np.array_equal(our, their)


def test_lanes_beside_a_better_one_are_dropped():
    """Distances of columns, over the rows that two lanes share."""

    def lane(start, length, column):
        columns = torch.full((72,), float(column))
        return torch.cat([torch.tensor([0, 0, start, 0, length]), columns])

    lanes = torch.stack(
        [
            lane(0, 40, 100),
            lane(0, 72, 130),
            lane(0, 72, 109),
            lane(41 / 71, 20, 108),
            lane(0, 10, 139),
        ]
    )
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5])
    flipped = torch.arange(4, -1, -1)
    for order in (torch.arange(5), flipped):
        keep, count, parent = ext.line_nms_forward(
            lanes[order], scores[order], overlap=10, top_k=4
        )
        assert order[keep[:count]].tolist() == [0, 1, 3]
        assert parent[order].tolist() == [1, 2, 1, 3, 2]
    keep, count, parent = ext.line_nms_forward(lanes, scores, 10, 1)
    assert (count.item(), keep[0].item()) == (1, 0)
    assert parent.tolist() == [1, 0, 1, 0, 0]
    _, count, _ = ext.line_nms_forward(lanes[:0], scores[:0], 10, 4)
    assert count == 0

import torch

from mmseg_plugin.models.losses import QueryBoxLoss
from mmseg_plugin.structures import Matches, Targets

BOX = [0.5, 0.5, 0.2, 0.4]


def target(labels, boxes):
    labels = torch.tensor(labels, dtype=torch.long)
    boxes = torch.tensor(boxes).reshape(-1, 4)
    return Targets(labels, torch.zeros(len(labels), 1, 1), boxes)


def matches(*queries, num_layers=1):
    return Matches.fixed(
        [torch.tensor(q, dtype=torch.long).reshape(-1, 1) for q in queries],
        num_layers,
    )


def test_values_by_hand():
    boxes = torch.zeros(2, 1, 3, 4)
    boxes[0, 0, 1] = torch.tensor(BOX)
    # Half of it: shifted by its width to the right.
    boxes[1, 0, 1] = torch.tensor([0.7, 0.5, 0.2, 0.4])
    l1, iou = QueryBoxLoss(l1_weight=1, iou_weight=1)(
        boxes, [target([0], [BOX])], matches([1], num_layers=2), 2.0
    )
    torch.testing.assert_close(l1, torch.tensor([0.0, 0.1]))
    # They touch: IoU 0 and nothing wasted in the hull.
    torch.testing.assert_close(
        iou, torch.tensor([0.0, 0.5]), atol=1e-5, rtol=0
    )


def test_weights_and_stuff():
    boxes = torch.rand(1, 2, 2, 4)
    given = [target([0, 3], [BOX, BOX]), target([3], [BOX])]
    pairs = matches([1, 0], [0])
    plain = QueryBoxLoss(1, 1)(boxes, given, pairs, 1)
    heavy = QueryBoxLoss(5, 2)(boxes, given, pairs, 1)
    torch.testing.assert_close(heavy[0], 5 * plain[0])
    torch.testing.assert_close(heavy[1], 2 * plain[1])
    things = QueryBoxLoss(1, 1, num_things=3)(boxes, given, pairs, 1)
    only = QueryBoxLoss(1, 1)(
        boxes[:, :1], [target([0], [BOX])], matches([1]), 1
    )
    torch.testing.assert_close(things, only)


def test_nothing_matched_keeps_the_graph():
    boxes = torch.rand(2, 1, 3, 4, requires_grad=True)
    l1, iou = QueryBoxLoss()(
        boxes, [target([], [])], matches([], num_layers=2), 1
    )
    assert l1.tolist() == iou.tolist() == [0, 0]
    (l1 + iou).sum().backward()
    assert boxes.grad.abs().sum() == 0


def test_half_precision_is_computed_in_float32():
    boxes = torch.rand(1, 1, 1, 4)
    pair, given = matches([0]), [target([0], [BOX])]
    for dtype in (torch.float16, torch.bfloat16):
        got = QueryBoxLoss()(boxes.to(dtype), given, pair, 1)
        want = QueryBoxLoss()(boxes.to(dtype).float(), given, pair, 1)
        torch.testing.assert_close(got, want)

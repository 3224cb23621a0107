import pytest
import torch
from mmengine.structures import InstanceData

from mmseg_plugin.exporting.agreement import compare
from mmseg_plugin.exporting.session import empty_sample


def sample(*scores):
    """Instances side by side, with these scores."""
    result = empty_sample({}, 'mmdet')
    left = torch.arange(len(scores)) * 10.0
    result.pred_instances = InstanceData(
        scores=torch.tensor(scores),
        labels=torch.zeros(len(scores), dtype=torch.long),
        bboxes=torch.stack((left, left * 0, left + 8, left * 0 + 8), 1),
    )
    return result


@pytest.mark.parametrize(
    ('first', 'second', 'matched', 'compared'),
    [
        # As good as equal, on both sides of what is compared.
        ([0.9, 0.050001], [0.9, 0.049999], 2, 2),
        ([0.9, 0.049999], [0.9, 0.050001], 2, 2),
        # Nothing scores that much: the best is compared.
        ([0.0100001, 0.001], [0.01, 0.001], 1, 1),
        ([0.9, 0.3], [0.9], 1, 2),
        ([0.9], [0.9, 0.3, 0.2], 1, 3),
        # Below on both sides.
        ([0.9, 0.049], [0.9], 1, 1),
    ],
)
def test_instances_are_counted(first, second, matched, compared):
    found = compare(sample(*first), sample(*second))['scores']
    assert (found.matched, found.compared) == (matched, compared)


@pytest.mark.parametrize('matched', [1, 0])
def test_masks_without_a_pixel_are_matched_by_their_boxes(matched):
    samples = sample(0.9), sample(0.9)
    for result, label in zip(samples, (0, 1 - matched), strict=True):
        instances = result.pred_instances
        instances.masks = torch.zeros(1, 4, 4, dtype=torch.bool)
        instances.bboxes = torch.zeros(1, 4)
        instances.labels += label
    found = compare(*samples)['masks']
    assert found.matched == matched

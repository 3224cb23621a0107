import pytest
import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmengine.structures import InstanceData

from mmseg_plugin.models.task_modules import ChunkedIoUAssigner

RPN = {'pos_iou_thr': 0.7, 'neg_iou_thr': 0.3, 'min_pos_iou': 0.3}
HEAD = {'pos_iou_thr': 0.5, 'neg_iou_thr': 0.5, 'match_low_quality': False}


def boxes_of(count, size=64):
    # Whole numbers: many overlaps are equal.
    corner = torch.randint(0, size, (count, 2))
    return torch.cat((corner, corner + torch.randint(4, 24, (count, 2))), 1)


@pytest.mark.parametrize(
    'options',
    [
        RPN,
        HEAD,
        {**RPN, 'gt_max_assign_all': False},
        {**RPN, 'neg_iou_thr': (0.1, 0.3)},
        {**RPN, 'ignore_iof_thr': 0.5},
        {**RPN, 'ignore_iof_thr': 0.5, 'ignore_wrt_candidates': False},
    ],
)
def test_assigns_what_one_table_does(options):
    torch.manual_seed(0)
    found = InstanceData(priors=boxes_of(300).float())
    boxes = boxes_of(40).float()
    truth = InstanceData(
        # The last ones are there twice.
        bboxes=torch.cat((boxes, boxes[-5:])),
        labels=torch.arange(45) % 7,
    )
    ignore = InstanceData(bboxes=boxes_of(9).float() * 2)
    wanted = MaxIoUAssigner(**options).assign(found, truth, ignore)
    assert (wanted.gt_inds > 0).any()
    assert (wanted.gt_inds == 0).any()
    assert (wanted.gt_inds == -1).any() or options is HEAD
    for pairs in (1, 2000):
        given = ChunkedIoUAssigner(**options, chunk_size=pairs)
        got = given.assign(found, truth, ignore)
        assert got.num_gts == 45
        for name in ('gt_inds', 'max_overlaps', 'labels'):
            assert torch.equal(getattr(got, name), getattr(wanted, name))


def test_few_pairs_exist_at_a_time():
    seen = []
    given = ChunkedIoUAssigner(**RPN, chunk_size=1000)
    compare = given.iou_calculator

    def noted(*args, **kwargs):
        seen.append(compare(*args, **kwargs))
        return seen[-1]

    given.iou_calculator = noted
    given.assign(
        InstanceData(priors=boxes_of(300).float()),
        InstanceData(bboxes=boxes_of(50).float(), labels=torch.zeros(50)),
    )
    assert sum(len(part) for part in seen) == 50
    assert max(part.numel() for part in seen) <= 1000

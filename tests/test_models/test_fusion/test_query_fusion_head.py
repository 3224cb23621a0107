import pytest
import torch
from mmdet.evaluation.functional import INSTANCE_OFFSET as MMDET_OFFSET
from mmdet.structures import DetDataSample
from pycocotools import mask as coco_mask
from torch.utils._python_dispatch import TorchDispatchMode

from mmseg_plugin.models.fusion import QueryFusionHead, QueryMaps
from mmseg_plugin.models.fusion.panoptic import INSTANCE_OFFSET
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits
from tests.test_models.test_fusion import naive

PADDED, IMAGE, OUT = (96, 128), (90, 117), (131, 173)
NUM_THINGS, NUM_STUFF = 3, 2


def smooth_masks(num: int, seed: int = 0) -> torch.Tensor:
    """Blobs (num, 24, 32) of mixed size, logits mostly below 0."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(num, 2, generator=generator) * torch.tensor([24, 32])
    radius = 2 + 8 * torch.rand(num, generator=generator)
    rows, cols = torch.arange(24.0)[:, None], torch.arange(32.0)
    distance = torch.hypot(
        rows - centre[:, 0, None, None], cols - centre[:, 1, None, None]
    )
    noise = torch.randn(num, 24, 32, generator=generator)
    return radius[:, None, None] - distance + 0.3 * noise


def samples(num: int = 1) -> list[DetDataSample]:
    meta = {'batch_input_shape': PADDED, 'img_shape': IMAGE, 'ori_shape': OUT}
    return [DetDataSample(metainfo=meta) for _ in range(num)]


def head(use_sigmoid: bool = False, **test_cfg) -> QueryFusionHead:
    return QueryFusionHead(
        NUM_THINGS, NUM_STUFF, use_sigmoid=use_sigmoid, test_cfg=test_cfg
    )


def class_logits(num: int, sharp: float = 6.0, seed: int = 1) -> torch.Tensor:
    """Logits (num, 6); sharp ones reach high scores."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(num, NUM_THINGS + NUM_STUFF + 1, generator=generator)
    return logits * sharp


def predict_instances(logits, masks, **test_cfg):
    found = head(panoptic_on=False, instance_on=True, **test_cfg).predict(
        logits[None], masks[None], samples(), rescale=True
    )
    return found[0]['ins_results']


def predict_panoptic(logits, masks, **test_cfg):
    found = head(**test_cfg).predict(
        logits[None], masks[None], samples(), rescale=True
    )
    return found[0]['pan_results'].sem_seg[0]


def test_it_is_registered_and_takes_mmdets_arguments():
    built = MODELS.build(
        {
            'type': 'mmseg_plugin.QueryFusionHead',
            'num_things_classes': 80,
            'num_stuff_classes': 53,
            'loss_panoptic': None,
            'init_cfg': None,
            'test_cfg': {'panoptic_on': True},
        }
    )
    assert built.num_classes == 133
    assert INSTANCE_OFFSET == MMDET_OFFSET


@pytest.mark.parametrize('things', [[0, 1], [0, 0, 1], [0, 1, 9]])
def test_thing_classes_that_do_not_fit_are_refused(things):
    with pytest.raises(ValueError, match='thing_classes'):
        QueryFusionHead(3, 2, thing_classes=things)


def test_unknown_keys_of_test_cfg_are_refused():
    with pytest.raises(ValueError, match=r"\['iou_thresh'\].*'iou_thr'"):
        head(iou_thresh=0.5, panoptic_on=True)


@pytest.mark.parametrize('factors', [False, True])
def test_instances_equal_the_naive_path_bit_for_bit(factors):
    logits, masks = class_logits(20, sharp=2.0), smooth_masks(20)
    given = masks
    if factors:
        given = MaskLogits(torch.eye(20)[None], masks[None])
        found = head(panoptic_on=False, instance_on=True).predict(
            logits[None], given, samples(), rescale=True
        )[0]['ins_results']
    else:
        found = predict_instances(logits, masks)
    want = naive.instances(
        logits.softmax(-1)[:, :-1],
        naive.full_masks(masks, PADDED, IMAGE, OUT),
        100,
    )
    filled = want['masks'].flatten(1).any(1)
    assert filled.sum() > 50
    assert torch.equal(found.labels, want['labels'][filled])
    assert torch.equal(found.masks, want['masks'][filled])
    torch.testing.assert_close(
        found.scores, want['scores'][filled], rtol=1e-6, atol=1e-7
    )
    assert (found.scores.diff() <= 0).all()
    for box, mask in zip(found.bboxes, found.masks, strict=True):
        rows, cols = mask.nonzero(as_tuple=True)
        tight = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        assert box.tolist() == [int(v) for v in tight]


@pytest.mark.parametrize('filter_low_score', [False, True])
@pytest.mark.parametrize('chunk_size', [1, 3, 16])
def test_panoptic_equals_the_naive_path(filter_low_score, chunk_size):
    logits, masks = class_logits(24), smooth_masks(24)
    got = predict_panoptic(
        logits,
        masks,
        filter_low_score=filter_low_score,
        chunk_size=chunk_size,
        object_mask_thr=0.5,
        iou_thr=0.4,
    )
    scores, labels = logits.softmax(-1).max(-1)
    keep = (labels != 5) & (scores > 0.5)
    want = naive.panoptic(
        scores[keep],
        labels[keep],
        naive.full_masks(masks, PADDED, IMAGE, OUT)[keep],
        torch.arange(5) < NUM_THINGS,
        filter_low_score,
        iou_thr=0.4,
    )
    assert len(want.unique()) > 5
    assert got.dtype == torch.int32
    assert torch.equal(got, want)


@pytest.mark.parametrize('resize_masks', [False, True])
@pytest.mark.parametrize('mask_softmax', [False, True])
def test_semantic_equals_the_weighted_sum(resize_masks, mask_softmax):
    logits, masks = class_logits(20), smooth_masks(20)
    got = head(
        semantic_on=True,
        panoptic_on=False,
        resize_masks=resize_masks,
        mask_softmax=mask_softmax,
        chunk_size=7,
    ).predict(logits[None], masks[None], samples(), rescale=True)
    size = OUT if resize_masks else IMAGE
    maps = naive.full_masks(masks, PADDED, IMAGE, size)
    probs = maps.softmax(0) if mask_softmax else maps.sigmoid()
    total = torch.einsum('qc,qhw->chw', logits.softmax(-1)[:, :-1], probs)
    if not resize_masks:
        total = torch.nn.functional.interpolate(
            total[None], OUT, mode='bilinear'
        )[0]
    labels = got[0]['sem_results'].sem_seg[0]
    best = total.amax(0)
    chosen = total.gather(0, labels[None])[0]
    # Sums in another order may swap classes that tie up to rounding.
    torch.testing.assert_close(chosen, best, rtol=1e-5, atol=1e-5)


def test_results_stay_at_the_input_size_without_rescale():
    logits, masks = class_logits(6), smooth_masks(6)
    result = head(instance_on=True, semantic_on=True).predict(
        logits[None], masks[None], samples()
    )[0]
    assert result['pan_results'].sem_seg.shape == (1, *IMAGE)
    assert result['sem_results'].sem_seg.shape == (1, *IMAGE)
    assert result['ins_results'].masks.shape[1:] == IMAGE


@pytest.mark.parametrize('use_sigmoid', [False, True])
@pytest.mark.parametrize('rle', [False, True])
def test_nothing_survives(use_sigmoid, rle):
    logits = torch.full((4, 5 + (not use_sigmoid)), -20.0)
    logits[:, -1] = -20.0 if use_sigmoid else 20.0
    masks = torch.full((4, 24, 32), -5.0)
    result = head(use_sigmoid, instance_on=True, semantic_on=True, rle=rle)
    result = result.predict(logits[None], masks[None], samples(), True)[0]
    assert (result['pan_results'].sem_seg == 5).all()
    found = result['ins_results']
    assert len(found) == 0
    assert found.bboxes.shape == (0, 4)
    assert len(found.masks) == 0
    assert rle or found.masks.shape == (0, *OUT)
    assert result['sem_results'].sem_seg.shape == (1, *OUT)


def test_score_threshold_above_all_gives_no_instance():
    found = predict_instances(class_logits(4), smooth_masks(4), score_thr=1.1)
    assert len(found) == 0
    assert found.bboxes.shape == (0, 4)


@pytest.mark.parametrize(
    ('queries', 'top', 'most'), [(10, 300, 50), (10, 7, 7)]
)
def test_max_per_image(queries, top, most):
    found = predict_instances(
        class_logits(queries, 1.0), smooth_masks(queries), max_per_image=top
    )
    assert len(found) == most


def test_one_class_and_more_places_than_pairs():
    fusion = QueryFusionHead(
        1, 0, test_cfg={'panoptic_on': False, 'instance_on': True}
    )
    fusion.test_cfg['max_per_image'] = 300
    logits = torch.tensor([[[1.0, 0.0]] * 10])
    found = fusion.predict(logits, smooth_masks(10)[None], samples(), True)
    assert len(found[0]['ins_results']) == 10


def test_score_thr():
    logits, masks = class_logits(20, 2.0), smooth_masks(20)
    every = predict_instances(logits, masks)
    some = predict_instances(logits, masks, score_thr=0.3)
    above = every.scores >= 0.3
    assert 0 < above.sum() < len(every)
    assert torch.equal(some.scores, every.scores[above])
    assert torch.equal(some.masks, every.masks[above])


def test_mask_thr():
    logits, masks = class_logits(3), smooth_masks(3)
    loose = predict_instances(logits, masks, max_per_image=1)
    tight = predict_instances(logits, masks, max_per_image=1, mask_thr=0.9)
    probs = naive.full_masks(masks, PADDED, IMAGE, OUT).sigmoid()
    query = int(logits.softmax(-1)[:, :-1].amax(1).argmax())
    assert torch.equal(loose.masks[0], probs[query] > 0.5)
    assert torch.equal(tight.masks[0], probs[query] > 0.9)


def test_mask_score_off_leaves_the_class_score():
    logits, masks = class_logits(3), smooth_masks(3)
    found = predict_instances(logits, masks, mask_score=False, max_per_image=2)
    want = logits.softmax(-1)[:, :-1].flatten().topk(2).values
    assert torch.equal(found.scores, want)


def test_an_empty_mask_has_no_box():
    logits, masks = class_logits(3), smooth_masks(3)
    masks[1] = -4.0
    kept = predict_instances(logits, masks)
    assert kept.masks.flatten(1).any(1).all()
    every = predict_instances(logits, masks, drop_empty=False)
    assert len(every) == len(kept) + NUM_THINGS + NUM_STUFF
    empty = ~every.masks.flatten(1).any(1)
    assert (every.bboxes[empty] == 0).all()
    assert (every.scores[empty] == 0).all()


def test_only_things_beside_a_panoptic_result():
    logits, masks = class_logits(12, 2.0), smooth_masks(12)
    fusion = QueryFusionHead(
        2, 3, thing_classes=[1, 4], test_cfg={'instance_on': True}
    )
    fusion.test_cfg['max_per_image'] = 20
    found = fusion.predict(logits[None], masks[None], samples(), True)
    labels = found[0]['ins_results'].labels
    top = logits.softmax(-1)[:, :-1].flatten().topk(20).indices % 5
    assert set(labels.tolist()) == {1, 4}
    # Things are taken out of the best 20, not 20 things taken.
    assert len(labels) == int(((top == 1) | (top == 4)).sum()) < 20


def test_thing_classes_number_instances():
    masks = torch.full((3, 24, 32), -5.0)
    masks[0, :, :8] = masks[1, :, 8:16] = masks[2, :, 16:] = 5.0
    logits = torch.full((3, 6), -9.0)
    logits[0, 4] = logits[1, 4] = logits[2, 0] = 9.0
    fusion = QueryFusionHead(1, 4, thing_classes=[4])
    result = fusion.predict(logits[None], masks[None], samples())[0]
    found = result['pan_results'].sem_seg.unique()
    assert found.tolist() == [0, 1004, 2004]


def test_stuff_of_one_class_is_one_segment():
    masks = torch.full((2, 24, 32), -5.0)
    masks[0, :, :16] = masks[1, :, 16:] = 5.0
    logits = torch.full((2, 6), -9.0)
    logits[:, 3] = 9.0
    assert predict_panoptic(logits, masks).unique().tolist() == [3]


@pytest.mark.parametrize(('iou_thr', 'kept'), [(0.4, 2), (0.6, 1)])
def test_iou_thr(iou_thr, kept):
    masks = torch.full((2, 24, 32), -5.0)
    masks[0], masks[1, :, 16:] = 4.0, 9.0
    logits = torch.full((2, 6), -9.0)
    logits[:, 1] = 9.0
    found = predict_panoptic(logits, masks, iou_thr=iou_thr).unique()
    assert (found != 5).sum() == kept


class SyncCounter(TorchDispatchMode):
    """Counts the operations whose result the host has to wait for."""

    WAITS = ('_local_scalar_dense', 'nonzero', 'bincount')

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.count += name in self.WAITS
        return func(*args, **(kwargs or {}))


def test_panoptic_waits_for_the_device_no_more_with_more_segments():
    counts = []
    for num in (2, 12):
        masks = torch.full((num, 24, 32), -5.0)
        for i in range(num):
            masks[i, 2 * i : 2 * i + 2] = 5.0
        logits = torch.full((num, 6), -9.0)
        logits[:, 0] = 9.0
        with SyncCounter() as counter:
            found = predict_panoptic(logits, masks, filter_low_score=True)
        assert len(found.unique()) >= num
        counts.append(counter.count)
    assert counts[0] == counts[1] <= 3


def test_object_mask_thr():
    masks = smooth_masks(1).abs()
    logits = torch.tensor([[2.0, 0, 0, 0, 0, 0]])  # score 0.6
    assert (predict_panoptic(logits, masks) == 5).all()
    assert (predict_panoptic(logits, masks, object_mask_thr=0.5) != 5).any()


def test_temperature_sharpens_kept_scores_only():
    fusion = head(use_sigmoid=True, temperature=0.06)
    logits = torch.full((1, 5), -20.0)
    logits[0, 2] = 0.0
    # softmax of (0.5, 0, 0, 0, 0) / 0.06
    want = 1 / (1 + 4 * torch.tensor(-0.5 / 0.06).exp())
    assert fusion.class_scores(logits, sharp=True)[0, 2] == pytest.approx(
        float(want), abs=1e-6
    )
    assert fusion.class_scores(logits, sharp=False)[0, 2] == 0.5


def test_given_boxes_are_scaled_from_the_padded_input():
    logits, masks = class_logits(1), smooth_masks(1).abs()
    boxes = torch.tensor([[[0.5, 0.25, 0.5, 0.5]]])
    found = head(panoptic_on=False, instance_on=True).predict(
        logits[None], masks[None], samples(), True, bbox_results=boxes
    )[0]['ins_results']
    x, y = 128 / 117 * 173, 96 / 90 * 131
    want = torch.tensor([0.25 * x, 0.0, 0.75 * x, 0.5 * y])
    torch.testing.assert_close(found.bboxes[0], want)


def test_rle_equals_the_tensor():
    logits, masks = class_logits(20, 2.0), smooth_masks(20)
    dense = predict_instances(logits, masks)
    coded = predict_instances(logits, masks, rle=True)
    for rle, mask in zip(coded.masks, dense.masks, strict=True):
        want = coco_mask.encode(mask.numpy().astype('uint8', order='F'))
        assert rle == want


def test_half_precision_logits():
    logits, masks = class_logits(8), smooth_masks(8)
    found = predict_instances(logits.half(), masks.half())
    assert found.scores.dtype == torch.float32
    assert found.scores.isfinite().all()


def test_more_queries_than_a_chunk_hold_no_more_memory(monkeypatch):
    sizes = []
    full = QueryMaps.full

    def watched(maps, queries):
        sizes.append(len(queries))
        return full(maps, queries)

    monkeypatch.setattr(QueryMaps, 'full', watched)
    masks = smooth_masks(30)
    logits = class_logits(30)
    head(semantic_on=True, resize_masks=True, chunk_size=4).predict(
        logits[None], masks[None], samples(), True
    )
    assert len(sizes) >= 8
    assert max(sizes) <= 4

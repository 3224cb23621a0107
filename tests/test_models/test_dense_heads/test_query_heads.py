import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmseg_plugin.models.criterions import name_layers
from mmseg_plugin.models.dense_heads.mask2former_head import (
    attention_features,
)
from mmseg_plugin.structures import Targets
from mmseg_plugin.utils.host import host_copies
from tests.tiny_heads import (
    SIZE,
    backbone_maps,
    maskformer_losses,
    point_losses,
    samples,
    tiny_mask2former,
    tiny_maskformer,
)
from tests.tiny_mask_dino import tiny_mask_dino


def mask2former(**changes):
    torch.manual_seed(0)
    return tiny_mask2former(**point_losses() | changes)


def maskformer(**changes):
    torch.manual_seed(0)
    return tiny_maskformer(**maskformer_losses() | changes)


def maskformer_with_point_losses(**changes):
    return maskformer(**point_losses() | changes)


HEADS = [mask2former, maskformer, maskformer_with_point_losses]


@pytest.mark.parametrize('build', HEADS)
@pytest.mark.parametrize(
    'counts', [(2, 3), (0, 3), (0, 0), (9, 1)], ids=lambda c: f'{c[0]}+{c[1]}'
)
@pytest.mark.parametrize('stuff', [True, False])
def test_losses_are_finite_and_reach_every_parameter(build, counts, stuff):
    head = build()
    losses = head.loss(backbone_maps(), samples(*counts, stuff=stuff))
    kinds = ('loss_cls', 'loss_mask', 'loss_dice')
    # Mask2Former predicts from its learnable queries too.
    early = range(3 if build is mask2former else 2)
    assert losses.keys() == {
        *kinds,
        *(f'd{i}.{kind}' for i in early for kind in kinds),
    }
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert all(loss.isfinite() for loss in losses.values())
    if sum(counts) or stuff:
        assert all(loss > 0 for loss in losses.values())
    else:
        assert losses['loss_mask'] == losses['d0.loss_dice'] == 0


@pytest.mark.parametrize('build', HEADS)
def test_one_class_one_image_one_query(build):
    torch.manual_seed(0)
    one = {'num_things_classes': 1, 'num_stuff_classes': 0, 'num_queries': 1}
    base = maskformer_losses() if build is maskformer else point_losses()
    tiny = tiny_mask2former if build is mask2former else tiny_maskformer
    head = tiny(**base | one)
    batch = samples(1, stuff=False)
    batch[0].gt_instances.labels[:] = 0
    losses = head.loss(backbone_maps(1), batch)
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize('build', HEADS)
def test_bfloat16_autocast_stays_finite(build):
    head = build()
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss(backbone_maps(), samples(2, 3))
    total = sum(losses.values())
    assert total.dtype == torch.float32
    total.backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_mask2former_decodes_pixels_in_float32_under_autocast():
    head = mask2former()
    with torch.autocast('cpu', torch.bfloat16):
        x = [level.bfloat16() for level in backbone_maps()]
        got = head(x, None)
    assert got.masks.features.dtype == torch.float32
    assert got.masks.embed.dtype == torch.bfloat16


@pytest.mark.parametrize(
    'size', [(16, 24), (8, 12), (4, 6), (2, 3), (1, 1), (5, 7), (16, 6)]
)
def test_attention_features_are_resized_bilinearly(size):
    torch.manual_seed(0)
    features = torch.randn(2, 3, 32, 48, dtype=torch.float64)
    want = F.interpolate(features, size, mode='bilinear', align_corners=False)
    got = attention_features(features, size)
    torch.testing.assert_close(got, want.flatten(2), rtol=0, atol=1e-12)


class Shapes(TorchDispatchMode):
    """Collects the shape of every tensor that an operator returns."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **kwargs or {})
        self.seen |= {
            tuple(leaf.shape)
            for leaf in tree_leaves(out)
            if isinstance(leaf, torch.Tensor)
        }
        return out


def dense_shapes(shapes, queries):
    """Those that end in (queries, h, w) or (queries, h * w) at stride 4."""
    size = (SIZE[0] // 4, SIZE[1] // 4)
    ends = (queries, *size), (queries, size[0] * size[1])
    return [s for s in shapes if s[-3:] == ends[0] or s[-2:] == ends[1]]


@pytest.mark.parametrize('build', [mask2former, maskformer_with_point_losses])
def test_no_map_of_every_query_exists_in_training(build):
    head = build()
    with Shapes() as shapes:
        losses = head.loss(backbone_maps(), samples(2, 3))
        sum(losses.values()).backward()
    assert not dense_shapes(shapes.seen, head.num_queries)
    with Shapes() as shapes:
        head(backbone_maps(), None).masks.dense()
    assert dense_shapes(shapes.seen, head.num_queries)


@pytest.mark.parametrize('build', [mask2former, maskformer])
@torch.no_grad()
def test_predict_gives_the_last_layer_undivided(build):
    head = build().eval()
    x = backbone_maps()
    cls_logits, masks = head.predict(x, samples(0, 0))
    every = head(x, None)
    torch.testing.assert_close(cls_logits, every.cls_logits[-1])
    torch.testing.assert_close(masks.dense(), every.masks.dense()[-1])


def test_targets_are_things_and_the_stuff_that_is_there():
    head = mask2former()
    batch = samples(2, 0)
    batch[1].gt_sem_seg.sem_seg[:] = 4
    first, second = head.get_targets(batch)
    assert first.labels.tolist()[2:] == [3, 4]
    assert second.labels.tolist() == [4]
    assert second.masks.all()
    area = first.masks.flatten(1).sum(1).tolist()
    assert area == [9 * 14, 9 * 14, 59 * 50, 59 * 46]
    assert first.masks.dtype in (torch.bool, torch.uint8)


def test_stuff_reaches_the_host_in_one_copy():
    head = mask2former()
    host_copies.clear()
    head.get_targets(samples(2, 0, 1))
    assert host_copies.total() == 1


def test_instances_alone_need_no_semantic_map():
    head = mask2former(num_stuff_classes=0)
    (target,) = head.get_targets(samples(2))
    assert target.masks.shape == (2, *SIZE)


@pytest.mark.parametrize('build', [*HEADS, tiny_mask_dino])
def test_a_label_without_a_class_is_refused(build):
    head = build(num_things_classes=2, num_stuff_classes=0)
    batch = samples(1, 2, stuff=False)
    batch[0].gt_instances.labels = torch.tensor([1])
    batch[1].gt_instances.labels = torch.tensor([0, 1])
    assert head.loss(backbone_maps(), batch)
    # To a softmax, label 2 is no-object.
    batch[1].gt_instances.labels[1] = 2
    message = 'label 2 of image 1 is not below the 2 .*num_things_classes'
    with pytest.raises(ValueError, match=message):
        head.loss(backbone_maps(), batch)


@pytest.mark.parametrize('stuff', [True, False])
@pytest.mark.parametrize('build', [*HEADS, tiny_mask_dino])
def test_a_negative_label_is_refused(build, stuff):
    head = build(num_things_classes=3, num_stuff_classes=2 * stuff)
    batch = samples(1, 2, stuff=stuff)
    batch[1].gt_instances.labels[1] = -1
    with pytest.raises(ValueError, match='label -1 of image 1 is negative'):
        head.loss(backbone_maps(), batch)


@pytest.mark.parametrize('label', [9, -1])
@pytest.mark.parametrize('build', [*HEADS, tiny_mask_dino])
def test_a_label_is_checked_where_no_query_is_left_for_it(build, label):
    head = build(num_queries=2, num_stuff_classes=0)
    for place in range(5):
        batch = samples(2, 5, stuff=False)
        batch[1].gt_instances.labels[place] = label
        with pytest.raises(ValueError, match=f'label {label} of image 1'):
            head.loss(backbone_maps(), batch)


@pytest.mark.parametrize('build', [*HEADS, tiny_mask_dino])
def test_an_instance_with_the_label_of_stuff_is_refused(build):
    batch = samples(1, 1)
    batch[1].gt_instances.labels[0] = 3
    message = 'label 3 of image 1 is not below the 3 thing .*num_things'
    with pytest.raises(ValueError, match=message):
        build().loss(backbone_maps(), batch)


def test_given_points_fix_the_losses():
    head = mask2former().eval()
    predictions = head(backbone_maps(), None)
    targets = head.get_targets(samples(2, 1))
    points = torch.rand(2, 32, 2)
    matches = head.criterion.assigner.assign(predictions, targets, points)
    loss_points = torch.rand(len(matches.query), 16, 2)
    first, second = (
        head.criterion(predictions, targets, points, loss_points)
        for _ in range(2)
    )
    assert first == second
    other = head.criterion(predictions, targets, points, 1 - loss_points)
    assert other['loss_mask'] != first['loss_mask']
    assert other['loss_cls'] == first['loss_cls']


def test_normalizer_counts_targets_as_published_or_as_mmdet():
    masks = torch.zeros(3, *SIZE, dtype=torch.bool)
    none = Targets(torch.zeros(0, dtype=torch.long), masks[:0])
    some = Targets(torch.zeros(3, dtype=torch.long), masks)
    points = torch.rand(2, 32, 2)
    loss_points = torch.rand(4 * 3, 16, 2)
    x = backbone_maps()
    losses = {}
    for normalizer in ('published', 'mmdet'):
        head = mask2former(normalizer=normalizer).eval()
        losses[normalizer] = head.criterion(
            head(x, None), [none, some], points, loss_points
        )
    for key in ('loss_mask', 'd1.loss_dice'):
        ratio = losses['published'][key] / losses['mmdet'][key]
        # 3 targets against max(0, 1) + 3.
        torch.testing.assert_close(ratio, torch.tensor(4 / 3))


def test_layers_are_named_as_mmdet_names_them():
    named = name_layers({'loss_cls': torch.tensor([1.0, 2.0, 3.0])})
    assert named == {'loss_cls': 3, 'd0.loss_cls': 1, 'd1.loss_cls': 2}


def test_a_separate_dice_loss_is_refused():
    with pytest.raises(ValueError, match='loss_dice must be None'):
        mask2former(loss_dice={'type': 'mmdet.DiceLoss'})

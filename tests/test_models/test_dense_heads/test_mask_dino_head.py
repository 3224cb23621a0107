import pytest
import torch
from mmengine.structures import InstanceData

from tests.tiny_heads import SIZE, backbone_maps, samples
from tests.tiny_mask_dino import assigner, tiny_mask_dino, without_masks

KINDS = ('loss_cls', 'loss_mask', 'loss_dice', 'loss_bbox', 'loss_iou')


def single_stage():
    """As for semantic segmentation: learnable queries, softmax classes."""
    return tiny_mask_dino(
        two_stage=False,
        use_sigmoid=False,
        loss_cls={'type': 'mmseg_plugin.QueryClassLoss'},
    )


def losses_of(head, *counts, seed=1, **options):
    torch.manual_seed(seed)
    return head.loss(backbone_maps(len(counts)), samples(*counts, **options))


def loss_names(layers, kinds, prefix=''):
    return {
        ('' if i == layers[-1] else f'd{i}.') + prefix + kind
        for i in layers
        for kind in kinds
    }


@pytest.mark.parametrize(
    'counts', [(2, 3), (0, 3), (0, 0), (9, 1)], ids=lambda c: f'{c[0]}+{c[1]}'
)
@pytest.mark.parametrize('stuff', [True, False])
@pytest.mark.parametrize('build', [tiny_mask_dino, single_stage])
def test_losses_are_finite_and_reach_every_parameter(build, counts, stuff):
    head = build()
    losses = losses_of(head, *counts, stuff=stuff)
    names = loss_names(range(3), KINDS)
    if head.two_stage:
        names |= {f'enc_{kind}' for kind in KINDS}
        names |= loss_names(range(3), KINDS, 'dn_')
    else:
        # As published, nothing is denoised before the first layer.
        names |= loss_names(range(1, 3), KINDS, 'dn_')
    assert losses.keys() == names | {'dn_dropped'}
    total = sum(loss for name, loss in losses.items() if 'loss' in name)
    assert total.isfinite()
    total.backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_published_numbers_of_losses():
    deep = {'num_layers': 9, 'num_heads': 4, 'feedforward_channels': 8}
    two_stage = tiny_mask_dino(transformer_decoder=deep)
    semantic = tiny_mask_dino(
        transformer_decoder=deep,
        two_stage=False,
        use_sigmoid=False,
        loss_cls={'type': 'mmseg_plugin.QueryClassLoss'},
    )
    for head, count in ((two_stage, 105), (semantic, 95)):
        losses = losses_of(head, 1, stuff=False)
        assert sum('loss' in name for name in losses) == count


def test_detector_without_masks_trains_and_predicts():
    head = without_masks()
    assert not any('mask' in name for name, _ in head.named_parameters())
    batch = samples(2, 0, stuff=False)
    boxes = torch.tensor([[4.0, 4, 20, 30], [30, 10, 90, 60]])
    for sample, given in zip(batch, (boxes, boxes[:0]), strict=True):
        del sample.gt_instances.masks
        sample.gt_instances.bboxes = given
    losses = head.loss(backbone_maps(), batch)
    kinds = ('loss_cls', 'loss_bbox', 'loss_iou')
    assert losses.keys() == (
        loss_names(range(3), kinds)
        | loss_names(range(3), kinds, 'dn_')
        | {f'enc_{kind}' for kind in kinds}
        | {'dn_dropped'}
    )
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
    cls_logits, masks, found = head.eval().predict(backbone_maps(), None)
    assert masks is None
    assert cls_logits.shape == (2, 7, 3)
    assert found.shape == (2, 7, 4)


def test_without_denoising():
    losses = losses_of(tiny_mask_dino(denoising=None), 2, 3)
    assert not any('dn_' in name for name in losses)


def test_denoising_boxes_but_not_masks():
    losses = losses_of(tiny_mask_dino(denoise_masks=False), 2, 3)
    assert 'dn_loss_bbox' in losses
    assert 'dn_loss_mask' not in losses


@pytest.mark.parametrize('build', [tiny_mask_dino, single_stage])
def test_matching_queries_do_not_see_denoising_ones(build):
    torch.manual_seed(0)
    head = build()
    maps, batch = backbone_maps(), samples(2, 3)
    targets = head.get_targets(batch)
    plain = head(maps, None).matching
    for _ in range(2):
        seen = head(maps, None, head.denoising_queries(targets))
        assert seen.noise.num_groups == 2
        for got, want in zip(
            (seen.matching.cls_logits, seen.matching.boxes),
            (plain.cls_logits, plain.boxes),
            strict=True,
        ):
            torch.testing.assert_close(got, want)


def test_denoising_groups_do_not_see_each_other():
    torch.manual_seed(0)
    head = tiny_mask_dino()
    maps = backbone_maps(1)
    (target,) = head.get_targets(samples(3, stuff=False))
    labels = target.labels.repeat(4)
    draws = head.dn_query_generator.draw(labels)
    noise = head.denoising_queries([target], draws)
    first = head(maps, None, noise).denoising.cls_logits
    # Other noise in the last of the four groups.
    changed = draws._replace(boxes=draws.boxes.clone())
    changed.boxes[9:] = torch.rand(3, 4)
    noise = head.denoising_queries([target], changed)
    second = head(maps, None, noise).denoising.cls_logits
    torch.testing.assert_close(first[:, :, :9], second[:, :, :9])
    assert not torch.allclose(first[1:, :, 9:], second[1:, :, 9:])


def test_denoising_queries_see_matching_ones():
    """As published; it carries gradient from denoising into matching."""
    torch.manual_seed(0)
    head = single_stage()
    targets = head.get_targets(samples(2, stuff=False))
    noise = head.denoising_queries(targets)
    denoised = head(backbone_maps(1), None, noise).denoising
    denoised.cls_logits[-1].sum().backward()
    assert head.query_feat.weight.grad.abs().sum() > 0


def test_crowded_image_is_denoised_in_part_and_counted():
    head = tiny_mask_dino(num_stuff_classes=0, denoising={'num_queries': 4})
    losses = losses_of(head, 6, 1, stuff=False)
    assert losses['dn_dropped'] == 2
    assert losses['dn_loss_bbox'] > 0
    off = {'num_queries': 4, 'crowd_policy': 'published'}
    head = tiny_mask_dino(num_stuff_classes=0, denoising=off)
    losses = losses_of(head, 6, 1, stuff=False)
    assert losses['dn_dropped'] == 7
    assert losses['dn_loss_bbox'] == losses['d0.dn_loss_cls'] == 0


def test_300_targets_of_which_100_are_denoised():
    denoising = {'num_queries': 100}
    head = tiny_mask_dino(num_queries=20, denoising=denoising)
    losses = losses_of(head, 300, 1, stuff=False)
    assert losses['dn_dropped'] == 200
    assert all(loss.isfinite() for loss in losses.values())
    sum(loss for name, loss in losses.items() if 'loss' in name).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad.isfinite().all(), name


def test_crowd_does_not_weaken_denoising_losses():
    """They are means over the denoising queries, whoever has one."""

    def loss(limit):
        options = {'num_queries': limit, 'label_noise': 0.0, 'box_noise': 0.0}
        head = tiny_mask_dino(num_stuff_classes=0, denoising=options)
        for parameter in head.cls_embed.parameters():
            torch.nn.init.zeros_(parameter)
        # All the same, so that it does not matter which are kept.
        batch = samples(6, stuff=False)
        batch[0].gt_instances.labels[:] = 1
        return head.loss(backbone_maps(1), batch)['dn_loss_cls']

    torch.testing.assert_close(loss(3), loss(6))


def test_one_class_one_image_one_query():
    one = {'num_things_classes': 1, 'num_stuff_classes': 0, 'num_queries': 1}
    head = tiny_mask_dino(**one)
    batch = samples(3, stuff=False)
    batch[0].gt_instances.labels[:] = 0
    losses = head.loss(backbone_maps(1), batch)
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_stays_finite(dtype):
    torch.manual_seed(0)
    head = tiny_mask_dino()
    with torch.autocast('cpu', dtype):
        losses = losses_of(head, 2, 3)
    total = sum(losses.values())
    assert total.isfinite()
    total.backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize('kind', ['bitmask', 'mask2box'])
def test_first_boxes_are_those_of_the_masks(kind):
    torch.manual_seed(0)
    head = tiny_mask_dino(initialize_box_type=kind)
    predictions = head(backbone_maps(1), None).matching
    # Layer 0 is the encoder's, layer 1 the first queries'.
    masks = predictions.masks.dense()[0, 0] > 0
    for mask, box in zip(masks, predictions.boxes[1, 0], strict=True):
        ys, xs = mask.nonzero().T
        if not len(ys):
            continue
        end = 1 if kind == 'bitmask' else 0
        width = (xs.max() + end - xs.min()) / mask.shape[1]
        centre = (xs.max() + end + xs.min()) / 2 / mask.shape[1]
        assert box[0].item() == pytest.approx(centre.item(), abs=1e-4)
        assert box[2].item() == pytest.approx(width.item(), abs=1e-4)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        ({'initialize_box_type': 'box'}, 'is one of'),
        ({'initialize_box_type': 'bitmask', 'two_stage': False}, 'needs'),
        ({'initialize_box_type': 'bitmask', 'out_channels': None}, 'needs'),
    ],
)
def test_impossible_box_initialisations(options, match):
    with pytest.raises(ValueError, match=match):
        tiny_mask_dino(**options)


def test_targets_take_boxes_where_given_else_from_masks():
    head = tiny_mask_dino(unpadded_boxes=True)
    (sample,) = samples(1)
    sample.set_metainfo({'img_shape': (32, 48)})
    mask = torch.zeros(1, *SIZE, dtype=torch.uint8)
    mask[0, 8:16, 12:24] = 1
    sample.gt_instances = InstanceData(labels=torch.tensor([1]), masks=mask)
    (target,) = head.get_targets([sample])
    assert target.labels.tolist() == [1, 3, 4]
    # Relative to the image without padding.
    assert target.boxes[0].tolist() == [18 / 48, 12 / 32, 12 / 48, 8 / 32]
    assert target.boxes[2, 0] == pytest.approx((50 + 96) / 2 / 48)
    sample.gt_instances.bboxes = torch.tensor([[0.0, 0, 48, 32]])
    (target,) = head.get_targets([sample])
    assert target.boxes[0].tolist() == [0.5, 0.5, 1, 1]
    assert target.boxes[2, 0] == pytest.approx((50 + 96) / 2 / 48)


def test_boxes_are_relative_to_the_padded_batch_like_the_masks():
    (sample,) = samples(1)
    sample.set_metainfo({'img_shape': (32, 48)})
    sample.gt_instances.bboxes = torch.tensor([[0.0, 0, 48, 32]])
    sample.gt_instances = sample.gt_instances[:1]
    (target,) = tiny_mask_dino().get_targets([sample])
    height, width = SIZE
    assert target.boxes[0].tolist() == pytest.approx(
        [24 / width, 16 / height, 48 / width, 32 / height]
    )


def test_box_losses_of_things_only():
    stuff = {'type': 'mmseg_plugin.QueryBoxLoss', 'num_things': 3}
    losses = losses_of(tiny_mask_dino(loss_bbox=stuff), 0, 0)
    assert losses['loss_bbox'] == losses['dn_loss_iou'] == 0
    assert losses['loss_mask'] > 0


def test_new_first_boxes_move_nowhere():
    head = tiny_mask_dino()
    head.init_weights()
    boxes = head(backbone_maps(1), None).matching.boxes
    torch.testing.assert_close(boxes[2:], boxes[1:2].expand_as(boxes[2:]))


def test_nan_in_one_prediction_does_not_stop_matching():
    head = tiny_mask_dino(train_cfg={'assigner': assigner()})
    with torch.no_grad():
        head.cls_embed.bias[0] = torch.nan
    with pytest.warns(RuntimeWarning, match='NaN'):
        losses = losses_of(head, 2, 3)
    assert losses['loss_bbox'].isfinite()


@pytest.mark.parametrize('learn_query_feat', [True, False])
def test_fewer_pixels_than_queries(learn_query_feat):
    head = tiny_mask_dino(num_queries=200, learn_query_feat=learn_query_feat)
    # 8 x 12, 4 x 6, 2 x 3 and 1 x 2 pixels.
    assert head(backbone_maps(1), None).matching.boxes.shape[2] == 128
    losses = losses_of(head, 2)
    assert all(loss.isfinite() for loss in losses.values())

"""Panoptic FCN as a whole, small."""

import pytest
import torch
from mmengine.config import Config

from mmseg_plugin.registry import MODELS
from tests.tiny_panoptic_fcn import (
    BOXES,
    SIZE,
    TINY,
    build,
    images,
    losses,
    sample,
)

KEYS = {'loss_pos_th', 'loss_pos_st', 'loss_seg_th', 'loss_seg_st'}


@pytest.mark.parametrize('kind', ['stuff', 'stuff_and_thing', 'all'])
def test_every_parameter_learns(kind):
    model = build(region_classes=kind).train()
    values = losses(model, [sample(), sample(BOXES[:1], 7)])
    sum(values.values()).backward()
    assert values.keys() == KEYS
    lazy = [
        name
        for name, p in model.named_parameters()
        if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not lazy
    # A ResNet starts with blocks that give nothing.
    parts = (model.neck, model.panoptic_head)
    still = [
        name
        for part in parts
        for name, p in part.named_parameters()
        if not p.grad.any()
    ]
    assert not still


@pytest.mark.parametrize(
    'samples',
    [
        [sample(()), sample(())],
        [sample(), sample((), 255)],
        [sample((), 255), sample((), 255)],
        [sample([(4, 4, 5, 5)])],
    ],
    ids=['no things', 'one void image', 'all void', 'one tiny thing'],
)
def test_keys_and_gradients_whatever_the_batch_holds(samples):
    model = build().train()
    values = losses(model, samples)
    assert values.keys() == KEYS
    assert all(value.isfinite() for value in values.values())
    sum(values.values()).backward()
    # Each rank of a distributed run has to give every gradient.
    assert all(p.grad is not None for p in model.parameters())


def test_loss_ibs_is_one_more_key_and_needs_two_images():
    ibs = {
        'type': 'mmseg_plugin.IntraBatchLoss',
        'num_points': None,
        'first_layer': 0,
    }
    model = build(loss_ibs=ibs).train()
    values = losses(model, [sample(), sample(())])
    assert values.keys() == KEYS | {'loss_ibs'}
    assert values['loss_ibs'] > 0
    with pytest.raises(ValueError, match='at least 2 images'):
        losses(model, [sample()])


def test_needs_a_semantic_map():
    data = sample()
    del data.gt_sem_seg
    with pytest.raises(ValueError, match='gt_sem_seg'):
        losses(build().train(), [data])


def test_a_label_that_is_no_thing_is_refused():
    batch = [sample(), sample()]
    batch[1].gt_instances.labels[2] = 6
    message = 'label 6 of image 1 of the batch is not below the 6 thing'
    with pytest.raises(ValueError, match=message):
        losses(build().train(), batch)


def test_unknown_keys_of_test_cfg_are_refused():
    head = Config.fromfile(TINY).model.panoptic_head
    head.test_cfg = {'thr': 0.5, 'stuff_area': 16}
    with pytest.raises(ValueError, match=r"\['thr'\].*'center_thr'"):
        MODELS.build(head)


def sensitive():
    """A model that finds things and stuff although it has not learnt."""
    model = build().eval()
    head = model.panoptic_head
    for module in (head.conv_things, head.conv_regions):
        torch.nn.init.normal_(module.weight, std=0.05)
        torch.nn.init.zeros_(module.bias)
    for module in (head.conv_kernels, head.thing_embed, head.region_embed):
        torch.nn.init.normal_(module.weight, std=0.2)
    model.panoptic_fusion_head.test_cfg.update(stuff_area=16, instance_thr=0)
    return model


def predict(model, inputs, samples):
    data = {'inputs': inputs, 'data_samples': samples}
    with torch.no_grad():
        return model(**model.data_preprocessor(data, False), mode='predict')


def test_batch_gives_what_single_images_give():
    model = sensitive()
    inputs = [image.byte() for image in images(3)]
    together = predict(model, inputs, [sample() for _ in inputs])
    for image, result in zip(inputs, together, strict=True):
        alone = predict(model, [image], [sample()])[0]
        found = alone.pred_instances
        assert len(found) > 1
        assert torch.equal(found.labels, result.pred_instances.labels)
        assert torch.equal(found.masks, result.pred_instances.masks)
        torch.testing.assert_close(found.scores, result.pred_instances.scores)
        assert torch.equal(
            alone.pred_panoptic_seg.sem_seg, result.pred_panoptic_seg.sem_seg
        )


def test_results_have_the_original_size_and_agree():
    data = sample()
    data.set_metainfo({'img_shape': SIZE, 'ori_shape': (70, 90)})
    result = predict(sensitive(), [images(1)[0].byte()], [data])[0]
    panoptic = result.pred_panoptic_seg.sem_seg
    assert panoptic.shape == (1, 70, 90)
    assert result.pred_instances.masks.shape[1:] == (70, 90)
    labels = panoptic % 1000
    numbers = panoptic // 1000
    assert (labels <= 9).all()
    # Things have an instance number, stuff and void (9) have none.
    assert torch.equal(numbers > 0, labels < 6)


def test_nothing_found_is_all_void():
    model = build().eval()
    head = model.panoptic_head
    for module in (head.conv_things, head.conv_regions):
        torch.nn.init.constant_(module.bias, -20)
    result = predict(model, [images(1)[0].byte()], [sample()])[0]
    assert len(result.pred_instances) == 0
    assert (result.pred_panoptic_seg.sem_seg == 9).all()


def test_losses_are_fp32_under_autocast():
    model = build().train()
    with torch.autocast('cpu', torch.bfloat16):
        values = losses(model, [sample()])
    assert all(value.dtype == torch.float32 for value in values.values())
    assert all(value.isfinite() for value in values.values())

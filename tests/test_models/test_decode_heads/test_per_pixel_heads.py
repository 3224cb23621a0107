"""Per-pixel baselines, and what becomes of them with the head swapped."""

import pytest
import torch
import torch.nn.functional as F

from tests.tiny_heads import CHANNELS, DIMS
from tests.tiny_segmentors import (
    NUM_CLASSES,
    images,
    maskformer_config,
    query_decode_head,
    run,
    segmentor,
    semantic_samples,
)

BASELINE = {
    'type': 'mmseg_plugin.PerPixelBaselineHead',
    'in_channels': CHANNELS,
    'pixel_decoder': {'type': 'mmdet.PixelDecoder'},
    'feat_channels': DIMS,
    'out_channels': DIMS,
    'num_classes': NUM_CLASSES,
}
PLUS = {
    'type': 'mmseg_plugin.PerPixelBaselinePlusHead',
    'head': maskformer_config(loss_cls=None, loss_mask=None, train_cfg=None),
    'num_classes': NUM_CLASSES,
}
FPN_HEAD = {
    'type': 'mmseg.FPNHead',
    'in_channels': [DIMS] * 4,
    'in_index': [0, 1, 2, 3],
    'feature_strides': [4, 8, 16, 32],
    'channels': 16,
    'norm_cfg': {'type': 'BN'},
    'loss_decode': {'type': 'mmseg.CrossEntropyLoss'},
}
FPN = {
    'type': 'mmseg.FPN',
    'in_channels': list(CHANNELS),
    'out_channels': DIMS,
    'num_outs': 4,
}
BOTH = [
    pytest.param(BASELINE, 1, id='baseline'),
    pytest.param(PLUS, 3, id='plus'),
]


def labelled():
    labels = torch.randint(0, NUM_CLASSES, (64, 96))
    labels[:30] = 255
    return labels


@pytest.mark.parametrize(('head', 'num_layers'), BOTH)
def test_loss_of_each_layer(head, num_layers):
    """Cross entropy at full size, mean over the labelled pixels."""
    model = segmentor(head)
    inputs, labels = images((64, 96), (64, 96)), [labelled(), labelled()]
    samples = semantic_samples(*labels)
    losses = run(model, inputs, samples, training=True)
    layers = model.decode_head.all_layers(model.backbone(torch.stack(inputs)))
    assert len(layers) == num_layers
    names = [f'd{i}.' for i in range(num_layers - 1)] + ['']
    assert set(losses) == {f'decode.{name}loss_ce' for name in names}
    for name, logits in zip(names, layers, strict=True):
        assert logits.shape == (2, NUM_CLASSES, 16, 24)
        logits = F.interpolate(
            logits, (64, 96), mode='bilinear', align_corners=False
        )
        want = F.cross_entropy(logits, torch.stack(labels), ignore_index=255)
        torch.testing.assert_close(losses[f'decode.{name}loss_ce'], want)
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(('head', 'num_layers'), BOTH)
def test_logits_of_a_padded_image(head, num_layers):
    model = segmentor(head)
    (image,) = images((50, 70))
    samples = semantic_samples(torch.zeros(50, 70).long())
    with torch.no_grad():
        (result,) = run(model, [image], samples)
        padded = F.pad(image, (0, 96 - 70, 0, 64 - 50))[None]
        logits = model.decode_head(model.backbone(padded))
    want = F.interpolate(
        logits, (64, 96), mode='bilinear', align_corners=False
    )[0, :, :50, :70]
    torch.testing.assert_close(result.seg_logits.data, want)


@pytest.mark.parametrize(('head', 'num_layers'), BOTH)
def test_batch_without_labels(head, num_layers):
    model = segmentor(head)
    samples = semantic_samples(torch.full((64, 96), 255))
    losses = run(model, images((64, 96)), samples, training=True)
    assert all(loss == 0 for loss in losses.values())


def test_plus_classifies_with_its_masks():
    """The mask logits of query c are the class logits of class c."""
    model = segmentor(PLUS)
    head = model.decode_head
    maps = model.backbone(torch.stack(images((64, 96))))
    masks = head.head(maps, None).masks.dense()
    assert masks.shape == (3, 1, NUM_CLASSES, 16, 24)
    for got, want in zip(head.all_layers(maps), masks, strict=True):
        torch.testing.assert_close(got, want)
    torch.testing.assert_close(head(maps), masks[-1])


@pytest.mark.parametrize('head', [BASELINE, PLUS])
def test_one_class_is_refused(head):
    with pytest.raises(ValueError, match='num_classes must be at least 2'):
        segmentor({**head, 'num_classes': 1})


# ---- swapping the head ----


def per_pixel_model():
    return segmentor({**FPN_HEAD, 'num_classes': NUM_CLASSES}, neck=FPN)


def mask_model():
    decoder = {
        'type': 'mmseg_plugin.SegmentorPixelDecoder',
        'decode_head': {**FPN_HEAD, 'num_classes': NUM_CLASSES},
    }
    head = maskformer_config(pixel_decoder=decoder, in_channels=[DIMS] * 4)
    return segmentor(query_decode_head(head), neck=FPN)


def test_swapped_head_keeps_everything_but_the_classifier():
    before = per_pixel_model().decode_head
    after = mask_model().decode_head.head.pixel_decoder.decode_head
    shapes = [
        {name: value.shape for name, value in head.state_dict().items()}
        for head in (before, after)
    ]
    classifier = {'conv_seg.weight', 'conv_seg.bias'}
    assert classifier <= shapes[0].keys()
    assert shapes[1]['conv_seg.bias'] == (DIMS,)
    for each in shapes:
        for name in classifier:
            del each[name]
    assert shapes[0] == shapes[1]


def test_mask_features_are_the_heads_last_layer():
    decoder = mask_model().decode_head.head.pixel_decoder
    maps = [torch.randn(2, DIMS, 64 // s, 96 // s) for s in (4, 8, 16, 32)]
    features, memory = decoder(maps, [])
    assert features.shape == (2, DIMS, 16, 24)
    assert torch.equal(features, decoder.decode_head(maps))
    assert memory is maps[-1]


def test_swapped_model_trains_and_predicts():
    model = mask_model().train()
    inputs = images((64, 96), (64, 96))
    samples = semantic_samples(labelled(), labelled())
    loss, _ = model.parse_losses(run(model, inputs, samples, training=True))
    loss.backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all()
        for p in model.parameters()
    )
    model.eval()
    with torch.no_grad():
        results = run(model, inputs, samples)
    for result in results:
        assert result.seg_logits.data.shape == (NUM_CLASSES, 64, 96)
        assert (result.seg_logits.data >= 0).all()

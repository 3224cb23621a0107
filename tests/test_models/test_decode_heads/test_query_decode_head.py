"""Query heads inside mmseg's segmentor."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from tests.tiny_heads import CHANNELS, DIMS, backbone_maps
from tests.tiny_segmentors import (
    NUM_CLASSES,
    images,
    mask2former_config,
    mask_dino_config,
    maskformer_config,
    query_decode_head,
    run,
    segmentor,
    semantic_samples,
)

HEADS = [
    pytest.param(mask2former_config, id='Mask2Former'),
    pytest.param(maskformer_config, id='MaskFormer'),
    pytest.param(mask_dino_config, id='MaskDINO'),
]


def build(**changes):
    return segmentor(query_decode_head(**changes))


@torch.no_grad()
def plain_scores(model, image):
    """Class scores (C, H, W) of one input, as the paper writes them."""
    head = model.decode_head
    maps = model.backbone(image[None])
    cls_logits, masks, *_ = head.head.predict(maps, None)
    logits = F.interpolate(
        masks.dense(), image.shape[-2:], mode='bilinear', align_corners=False
    )
    probs = logits.softmax(1) if head.mask_softmax else logits.sigmoid()
    classes = cls_logits.softmax(-1)[..., :-1]
    return torch.einsum('bqc,bqhw->bchw', classes, probs)[0]


def resized(scores, size):
    return F.interpolate(
        scores[None], size, mode='bilinear', align_corners=False
    )[0]


# ---- targets and losses ----


def test_targets_are_the_classes_present():
    labels = torch.tensor([[3, 3, 255, 1], [0, 3, 255, 255]])
    nothing = torch.full((2, 4), 255)
    head = build().decode_head
    first, second = head.get_targets(semantic_samples(labels, nothing))
    assert first.labels.tolist() == [0, 1, 3]
    assert first.masks.dtype == torch.bool
    assert first.masks.int().tolist() == [
        [[0, 0, 0, 0], [1, 0, 0, 0]],
        [[0, 0, 0, 1], [0, 0, 0, 0]],
        [[1, 1, 0, 0], [0, 1, 0, 0]],
    ]
    assert second.labels.shape == (0,)
    assert second.masks.shape == (0, 2, 4)
    assert first.boxes is None


def test_boxes_are_made_for_heads_that_have_them():
    labels = torch.tensor([[3, 3, 255, 1], [0, 3, 255, 255]])
    nothing = torch.full((2, 4), 255)
    head = build(head=mask_dino_config()).decode_head
    first, second = head.get_targets(semantic_samples(labels, nothing))
    # (cx, cy, w, h): the first class's pixel is the first of the second row.
    assert first.boxes[0].tolist() == [0.125, 0.75, 0.25, 0.5]
    assert second.boxes.shape == (0, 4)


def test_ignored_value_may_be_a_class_number():
    head = build(ignore_index=1).decode_head
    (target,) = head.get_targets(
        semantic_samples(torch.tensor([[0, 1], [2, 1]]))
    )
    assert target.labels.tolist() == [0, 2]


def test_a_label_without_a_class_is_refused():
    images = semantic_samples(
        torch.tensor([[0, 3], [255, 1]]), torch.tensor([[0, 4], [255, 1]])
    )
    images[1].set_metainfo({'img_path': 'b.png'})
    with pytest.raises(ValueError, match='label 4 of image b.png .*num_cl'):
        build().decode_head.get_targets(images)


@pytest.mark.parametrize(
    ('config', 'early_layers'),
    [(mask2former_config, 3), (maskformer_config, 2)],
)
def test_one_step_of_a_padded_batch(config, early_layers):
    model = build(head=config()).train()
    labels = torch.randint(0, NUM_CLASSES, (50, 70))
    labels[:20] = 255
    nothing = torch.full((50, 70), 255)
    losses = run(
        model,
        images((50, 70), (50, 70)),
        semantic_samples(labels, nothing),
        training=True,
    )
    assert set(losses) == {
        f'decode.{layer}{name}'
        for layer in ['', *(f'd{i}.' for i in range(early_layers))]
        for name in ('loss_cls', 'loss_mask', 'loss_dice')
    }
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all()
        for p in model.parameters()
    )


def test_one_step_of_mask_dino():
    """Also boxes, drawn around the masks, and denoising."""
    model = build(head=mask_dino_config()).train()
    labels = torch.randint(0, NUM_CLASSES, (50, 70))
    losses = run(
        model, images((50, 70)), semantic_samples(labels), training=True
    )
    parts = ('loss_cls', 'loss_mask', 'loss_dice', 'loss_bbox', 'loss_iou')
    matching = [f'{d}{part}' for d in ('', 'd0.', 'd1.') for part in parts]
    # Nothing is denoised before the first layer.
    denoising = [f'{d}dn_{part}' for d in ('', 'd1.') for part in parts]
    assert set(losses) == {
        f'decode.{name}' for name in (*matching, *denoising, 'dn_dropped')
    }
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all()
        for p in model.parameters()
    )


def test_one_class_is_refused():
    with pytest.raises(ValueError, match='num_classes must be at least 2'):
        build(num_classes=1)


def test_classes_by_sigmoid_are_refused():
    with pytest.raises(ValueError, match='set use_sigmoid=False'):
        build(head=mask2former_config(use_sigmoid=True))


# ---- inference ----


@pytest.mark.parametrize('mask_softmax', [False, True])
@pytest.mark.parametrize('config', HEADS)
def test_whole_images_padded_by_the_preprocessor(config, mask_softmax):
    model = build(head=config(), mask_softmax=mask_softmax)
    inputs = images((50, 70), (50, 70))
    samples = semantic_samples(
        *torch.zeros(2, 50, 70, dtype=torch.long), ori_shape=(80, 100)
    )
    with torch.no_grad():
        results = run(model, inputs, samples)
    for image, result in zip(inputs, results, strict=True):
        padded = F.pad(image, (0, 96 - 70, 0, 64 - 50))
        scores = plain_scores(model, padded)[:, :50, :70]
        want = resized(scores, (80, 100))
        torch.testing.assert_close(result.seg_logits.data, want)
        assert torch.equal(result.pred_sem_seg.data[0], want.argmax(0))
    assert want.std() > 0.01


def test_images_of_different_sizes_in_a_batch():
    """mmseg's preprocessor refuses them; the segmentor itself does not."""
    model = build()
    small, large = images((40, 80), (64, 96))
    batch = torch.stack([F.pad(small, (0, 16, 0, 24)), large])
    samples = semantic_samples(
        *(torch.zeros(*i.shape[1:], dtype=torch.long) for i in (small, large))
    )
    samples[0].set_metainfo({'padding_size': [0, 16, 0, 24]})
    for sample in samples:
        sample.set_metainfo({'pad_shape': (64, 96)})
    with torch.no_grad():
        results = model.predict(batch, samples)
    for i, (height, width) in enumerate([(40, 80), (64, 96)]):
        want = plain_scores(model, batch[i])[:, :height, :width]
        torch.testing.assert_close(results[i].seg_logits.data, want)


def test_images_without_pad_shape():
    model = build()
    (image,) = images((62, 94))
    with torch.no_grad():
        (result,) = model.predict(image[None], None)
        (same,) = model.predict(
            image[None], semantic_samples(torch.zeros(62, 94).long())
        )
    want = plain_scores(model, image)
    torch.testing.assert_close(result.seg_logits.data, want)
    torch.testing.assert_close(same.seg_logits.data, want)


@pytest.mark.parametrize('size', [(50, 90), (20, 40)])
def test_slide_over_padded_images(size):
    """The mean of the scores of all crops that cover a pixel."""
    crop, stride = (48, 64), (24, 32)
    slide = {'mode': 'slide', 'crop_size': crop, 'stride': stride}
    model = segmentor(query_decode_head(), test_cfg=slide)
    inputs = images(size, size)
    samples = semantic_samples(*torch.zeros(2, *size, dtype=torch.long))
    with torch.no_grad():
        results = run(model, inputs, samples)
    full = [-(-length // 32) * 32 for length in size]
    tops, lefts = (
        {min(at, max(length - edge, 0)) for at in range(0, length, step)}
        for length, edge, step in zip(full, crop, stride, strict=True)
    )
    for image, result in zip(inputs, results, strict=True):
        padded = F.pad(image, (0, full[1] - size[1], 0, full[0] - size[0]))
        total, count = torch.zeros(NUM_CLASSES, *full), torch.zeros(full)
        for top in tops:
            for left in lefts:
                window = (
                    ...,
                    slice(top, top + crop[0]),
                    slice(left, left + crop[1]),
                )
                total[window] += plain_scores(model, padded[window])
                count[window] += 1
        want = (total / count)[:, : size[0], : size[1]]
        torch.testing.assert_close(result.seg_logits.data, want)


# ---- weights ----


def mmseg_head(config):
    """mmseg's own decode head of the same name and size."""
    ours = config()
    pixel_decoder = ours['pixel_decoder']
    if 'encoder' in pixel_decoder:
        pixel_decoder = {
            **pixel_decoder,
            'type': 'mmdet.MSDeformAttnPixelDecoder',
            'num_outs': 3,
            'norm_cfg': {'type': 'GN', 'num_groups': 32},
            'act_cfg': {'type': 'ReLU'},
        }
    peer = {
        'type': ours['type'].replace('mmseg_plugin.', 'mmseg.'),
        'in_channels': list(CHANNELS),
        'feat_channels': DIMS,
        'out_channels': DIMS,
        'num_classes': NUM_CLASSES,
        'num_queries': ours['num_queries'],
        'pixel_decoder': pixel_decoder,
        'positional_encoding': {'num_feats': DIMS // 2, 'normalize': True},
        'transformer_decoder': ours['transformer_decoder'],
        'loss_cls': {
            'type': 'mmdet.CrossEntropyLoss',
            'class_weight': [1.0] * NUM_CLASSES + [0.1],
        },
        'loss_mask': {'type': 'mmdet.FocalLoss'},
        'loss_dice': {'type': 'mmdet.DiceLoss'},
    }
    with DefaultScope.overwrite_default_scope('mmseg'):
        head = MODELS.build(Config(peer))
    for parameter in head.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 9
        parameter.data.normal_(std=1.5 / fan_in**0.5)
    return head.eval()


@pytest.mark.parametrize('config', [mask2former_config, maskformer_config])
@torch.no_grad()
def test_weights_and_outputs_are_those_of_mmseg(config):
    torch.manual_seed(0)
    peer = mmseg_head(config)
    model = build(head=config())
    state = {f'decode_head.{k}': v for k, v in peer.state_dict().items()}
    state |= {
        f'backbone.{k}': v for k, v in model.backbone.state_dict().items()
    }
    model.load_state_dict(state, strict=True)
    maps = backbone_maps()
    metas = [{'img_shape': (64, 96)} for _ in maps[0]]
    got = model.decode_head.predict(maps, metas, {'mode': 'whole'})
    want = peer.predict(maps, metas, None)
    assert want.std() > 0.01
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)


def test_own_weights_load():
    source, target = build(), build()
    state = source.state_dict()
    for parameter in target.parameters():
        parameter.data.zero_()
    target.load_state_dict(state, strict=True)
    for name, value in target.state_dict().items():
        assert torch.equal(value, state[name]), name


# ---- padding ----

ENCODER = {
    'type': 'mmdet.TransformerEncoderPixelDecoder',
    'encoder': {
        'num_layers': 1,
        'layer_cfg': {
            'self_attn_cfg': {
                'embed_dims': DIMS,
                'num_heads': 4,
                'batch_first': True,
            },
            'ffn_cfg': {'embed_dims': DIMS, 'feedforward_channels': 24},
        },
    },
    'positional_encoding': {'num_feats': DIMS // 2, 'normalize': True},
}
PIXEL_DECODERS = pytest.mark.parametrize(
    'changes',
    [{}, {'pixel_decoder': ENCODER}],
    ids=['PixelDecoder', 'TransformerEncoderPixelDecoder'],
)


def maskformer(padding_mask, **changes):
    config = maskformer_config(padding_mask=padding_mask, **changes)
    return build(head=config)


@PIXEL_DECODERS
def test_padding_mask_trains(changes):
    model = maskformer(True, **changes).train()
    sizes = (50, 70), (64, 30)
    labels = [torch.randint(0, NUM_CLASSES, size) for size in sizes]
    losses = run(
        model, images(*sizes), semantic_samples(*labels), training=True
    )
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert loss.isfinite()


@PIXEL_DECODERS
@pytest.mark.parametrize('masked', [True, False])
def test_padding_mask_keeps_padding_out_of_attention(changes, masked):
    model = maskformer(masked, **changes)
    outputs = []
    model.decode_head.head.register_forward_hook(
        lambda _, args, outs: outputs.append(outs.cls_logits)
    )
    metas = [{'img_shape': (64, 60), 'pad_shape': (64, 96)}]
    maps = backbone_maps(1)
    for value in (0.0, 5.0):
        # Of stride 32: the last pixel is padding.
        maps[-1] = maps[-1] + value * (torch.arange(3) == 2)
        sums = model.decode_head.predict(maps, metas)
        assert sums.shape == (1, NUM_CLASSES, 64, 96)
    same = torch.allclose(*outputs, rtol=1e-5, atol=1e-6)
    assert same == masked


def test_padding_of_a_slide_is_not_known():
    model = segmentor(
        query_decode_head(head=maskformer_config(padding_mask=True)),
        {'mode': 'slide', 'crop_size': (48, 64), 'stride': (32, 32)},
    )
    labels = torch.zeros(64, 80).long()
    (result,) = run(model, images((64, 80)), semantic_samples(labels))
    assert result.seg_logits.data.isfinite().all()


def test_padding_mask_without_samples():
    maps = backbone_maps()
    got, want = (
        maskformer(masked).decode_head(maps).cls_logits
        for masked in (True, False)
    )
    assert torch.equal(got, want)

"""Semantic segmentation by detectors of mmdet: every class is stuff."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, METRICS, DefaultScope

from mmseg_plugin.registry import MODELS
from tests.test_configs import CONFIGS
from tests.tiny_heads import samples
from tests.tiny_mask_dino import tiny_mask_dino

# Where images and their labels lie, and the value of unlabelled pixels.
LAYOUTS = {
    'ade20k-semantic-512x512': (
        *('images/{}ing/a.jpg', 'annotations/{}ing/a.png'),
        *('images/validation/a.jpg', 'annotations/validation/a.png'),
        0,
    ),
    'cityscapes-semantic-512x1024': (
        'leftImg8bit/train/aachen/a_leftImg8bit.png',
        'gtFine/train/aachen/a_gtFine_labelTrainIds.png',
        'leftImg8bit/val/aachen/a_leftImg8bit.png',
        'gtFine/val/aachen/a_gtFine_labelTrainIds.png',
        255,
    ),
}
# Width and height of a crop, in mmdet's order.
SIZES = {
    'ade20k-semantic-512x512': (512, 512),
    'cityscapes-semantic-512x1024': (1024, 512),
}


def config(data):
    (path,) = CONFIGS.glob(f'maskdino/maskdino_r50_*_{data}.py')
    return Config.fromfile(path)


def write(root, data):
    """An image for training and one for validation: labels 3, 7 and none."""
    *files, nothing = LAYOUTS[data]
    labels = np.full((96, 160), nothing, np.uint8)
    labels[:, 40:100], labels[:, 100:] = 3, 7
    image = cv2.merge([labels * 30] * 3)
    for file, values in zip(files, [image, labels] * 2, strict=True):
        path = root / file.format('train')
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), values)


def load(cfg, part, root):
    dataset = cfg[f'{part}_dataloader'].dataset
    dataset.data_root = str(root)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return DATASETS.build(dataset)


def small(cfg):
    """The config's model, with the backbone and widths of the demo."""
    demo = Config.fromfile(CONFIGS / 'maskdino/maskdino_tiny_demo_scenes.py')
    tiny = demo.model.panoptic_head
    model = cfg.model
    model.backbone = demo.model.backbone
    model.train_cfg = demo.model.train_cfg
    for key in ('in_channels', 'feat_channels', 'out_channels'):
        model.panoptic_head[key] = tiny[key]
    for key in ('pixel_decoder', 'transformer_decoder', 'loss_mask'):
        model.panoptic_head[key] = tiny[key]
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(model)


@pytest.mark.parametrize('data', LAYOUTS)
def test_trains_and_is_evaluated_on_files_in_their_layout(data, tmp_path):
    write(tmp_path, data)
    cfg = config(data)
    _, _, resize, crop, *_ = cfg.train_dataloader.dataset.pipeline
    assert crop.crop_size == SIZES[data]
    resize.scales, crop.crop_size = [96], (128, 96)
    train, val = (load(cfg, part, tmp_path) for part in ('train', 'val'))
    # In ADE20K's files the first class is 1.
    labels = [2, 6] if data.startswith('ade20k') else [3, 7]
    model = small(cfg)
    batch = model.data_preprocessor(pseudo_collate([train[0]]), True)
    semantic = batch['data_samples'][0].gt_sem_seg.sem_seg
    assert semantic.shape == (1, 96, 128)
    assert semantic.unique().tolist() == [*labels, 255]
    (target,) = model.panoptic_head.get_targets(batch['data_samples'])
    assert target.labels.tolist() == labels
    losses = model(**batch, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite()

    model.eval()
    batch = model.data_preprocessor(pseudo_collate([val[0]]), False)
    (result,) = model(**batch, mode='predict')
    truth = result.gt_sem_seg.sem_seg
    assert truth.shape == result.pred_sem_seg.sem_seg.shape == (1, 96, 160)
    assert truth.unique().tolist() == [*labels, 255]
    with DefaultScope.overwrite_default_scope('mmdet'):
        metric = METRICS.build(cfg.val_evaluator)
    metric.dataset_meta = val.metainfo
    metric.process({}, [result.to_dict()])
    assert 0 <= metric.evaluate(1)['mIoU'] <= 100


def test_instances_are_no_targets():
    """Some data sets have both; the classes are those of the map."""
    head = tiny_mask_dino(num_things_classes=0, num_stuff_classes=5)
    (sample,) = samples(1)
    sample.gt_instances.bboxes = torch.tensor([[0.0, 0, 48, 32]])
    (target,) = head.get_targets([sample])
    present = sample.gt_sem_seg.sem_seg.unique()
    assert target.labels.tolist() == present[present < 255].tolist()
    assert len(target.boxes) == len(target.labels) == len(target.masks)

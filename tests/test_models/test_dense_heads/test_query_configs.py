"""The shipped Mask2Former and MaskFormer configs."""

from pathlib import Path

import mmdet
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseg_plugin.models.dense_heads import Mask2FormerHead, MaskFormerHead
from mmseg_plugin.models.fusion import QueryFusionHead
from mmseg_plugin.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'
TASKS = ('coco', 'coco-panoptic', 'scenes-panoptic')
FILES = sorted(
    path
    for method in ('mask2former', 'maskformer')
    for task in TASKS
    for path in (CONFIGS / method).glob(f'*_{task}.py')
    # Kept to compare ours with.
    if '-mmdet_' not in path.stem
)


def types_in(value):
    """Every ``type`` in nested dicts and lists."""
    if isinstance(value, dict):
        if 'type' in value:
            yield value['type']
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from types_in(item)


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_model_and_data_are_ours(path):
    config = Config.fromfile(path)
    head = config.model.panoptic_head
    heads = {'mask2former': 'Mask2FormerHead', 'maskformer': 'MaskFormerHead'}
    assert head.type == f'mmseg_plugin.{heads[path.parent.name]}'
    assert config.model.panoptic_fusion_head.type.startswith('mmseg_plugin.')
    used = {
        name
        for key in ('train_dataloader', 'val_dataloader', 'test_dataloader')
        for name in types_in(config[key])
    } | {*types_in([config.val_evaluator, config.test_evaluator])}
    # Both of mmdet's need panopticapi.
    for name in ('LoadPanopticAnnotations', 'CocoPanopticMetric'):
        assert not used & {name, f'mmdet.{name}'}
    large = 'swin-l' in path.stem and path.parent.name == 'mask2former'
    if large:
        assert config.train_cfg.max_iters == 737500
        assert head.num_queries == 200
    elif 'lsj' in path.stem:
        assert config.train_cfg.max_iters == 368750
        assert head.num_queries == 100


@pytest.mark.parametrize(
    ('stem', 'millions', 'head'),
    [
        (
            'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic',
            44.0,
            Mask2FormerHead,
        ),
        (
            'maskformer/maskformer_r50_ms-16xb1-75e_coco-panoptic',
            45.1,
            MaskFormerHead,
        ),
        (
            'mask2former/mask2former_tiny_demo_scenes-panoptic',
            1.1,
            Mask2FormerHead,
        ),
    ],
)
def test_models_build_as_large_as_published(stem, millions, head):
    model = Config.fromfile(CONFIGS / f'{stem}.py').model
    model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmdet'):
        built = MODELS.build(model)
    size = sum(p.numel() for p in built.parameters()) / 1e6
    assert size == pytest.approx(millions, abs=0.05)
    assert type(built.panoptic_head) is head
    assert type(built.panoptic_fusion_head) is QueryFusionHead
    classes = built.panoptic_head.criterion.loss_cls.num_classes
    assert classes == built.panoptic_fusion_head.num_classes


@pytest.mark.parametrize(
    'path', [f for f in FILES if '_coco' in f.stem], ids=lambda path: path.stem
)
def test_the_head_has_the_names_and_shapes_of_mmdets(path):
    # The first base is mmdet's config of the same model; where mmdet has
    # none, of a smaller one.
    base = Config._get_base_files(str(path))[0].removeprefix('mmdet::')
    if Path(base).stem.split('_')[1] != path.stem.split('_')[1]:
        pytest.skip('mmdet has no such config')
    theirs = Config.fromfile(f'{mmdet.__path__[0]}/.mim/configs/{base}')
    shapes = []
    for config in (theirs, Config.fromfile(path)):
        scope = DefaultScope.overwrite_default_scope('mmdet')
        with scope, torch.device('meta'):
            head = config.model.panoptic_head
            head.train_cfg = config.model.train_cfg
            state = MODELS.build(head).state_dict()
        shapes.append({key: value.shape for key, value in state.items()})
    assert shapes[0] == shapes[1]

import pytest
from mmengine.config import Config

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import shipped_configs
from mmseg_plugin.cli.preflight import check_classes, check_files

CONFIGS = shipped_configs()
WITHOUT_MAP = 'maskdino_tiny_demo_scenes-panoptic'


def changed(name, **options):
    config = Config.fromfile(CONFIGS[name])
    config.merge_from_dict(
        {key.replace('__', '.'): value for key, value in options.items()}
    )
    return config


@pytest.mark.parametrize(
    ('name', 'options', 'said'),
    [
        (
            'mask-rcnn_tiny_fpn_demo_scenes',
            {'model__roi_head__mask_head__num_classes': 7},
            'has 6 classes, model.roi_head.mask_head.num_classes says 7',
        ),
        (
            WITHOUT_MAP,
            {'model__panoptic_head__num_things_classes': 7},
            'has 9 classes, model.panoptic_head.num_things_classes',
        ),
        (
            WITHOUT_MAP,
            {
                'model__panoptic_fusion_head__num_things_classes': 5,
                'model__panoptic_fusion_head__num_stuff_classes': 4,
            },
            'panoptic_head.num_things_classes is 6, .* is 5',
        ),
        (
            'mask-rcnn_tiny_fpn_demo_scenes',
            {'val_dataloader__dataset__metainfo__classes': ('disc', 'box')},
            'train_dataloader has 6 classes, val_dataloader has 2',
        ),
        (
            'mask-rcnn_tiny_fpn_demo_scenes',
            {
                'val_dataloader__dataset__metainfo__classes': (
                    *('disc', 'triangle', 'box', 'star', 'ring', 'cross'),
                )
            },
            "class 1 of train_dataloader is 'box', of val_dataloader 'tri",
        ),
        (
            'mask2former_tiny_demo_scenes-semantic',
            {'model__decode_head__num_classes': 3},
            'has 9 classes, model.decode_head.num_classes says 3',
        ),
    ],
)
def test_classes_that_do_not_agree_are_named(name, options, said):
    with pytest.raises(UserError, match=said):
        check_classes(changed(name, **options))


def test_train_refuses_before_it_reads_data(run_tool):
    done = run_tool(
        *('train', 'mask-rcnn_tiny_fpn_demo_scenes', '--cfg-options'),
        'model.roi_head.bbox_head.num_classes=3',
    )
    assert done.returncode == 2
    assert 'bbox_head.num_classes says 3' in done.stderr
    assert 'Traceback' not in done.stderr


def test_files_that_are_not_there_are_named(tmp_path):
    config = changed('mask-rcnn_tiny_fpn_demo_scenes')
    config.train_dataloader.dataset.data_root = str(tmp_path)
    with pytest.raises(UserError, match=r'train\.json cannot be found; set'):
        check_files(config)
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'instances_train.json').touch()
    with pytest.raises(UserError, match=r'or data_prefix.img of'):
        check_files(config)


def test_files_of_every_joined_data_set_are_looked_for(tmp_path):
    config = changed('mask-rcnn_tiny_fpn_demo_scenes')
    here = {'ann_file': 'a.json', 'data_root': str(tmp_path)}
    (tmp_path / 'a.json').touch()
    parts = [here, {**here, 'ann_file': 'b.json'}]
    joined = {'type': 'ConcatDataset', 'datasets': parts}
    config.train_dataloader.dataset = joined
    with pytest.raises(UserError, match=r'b\.json cannot be found; set'):
        check_files(config)
    (tmp_path / 'b.json').touch()
    check_files(config)

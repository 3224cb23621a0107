import pytest

from mmseg_plugin.benchmark.zoo_configs import find_any_config, published
from mmseg_plugin.cli.cli import UserError

MASK_RCNN = 'mask-rcnn_r50_fpn_1x_coco'


@pytest.mark.parametrize(
    'name', [f'mmdet::mask_rcnn/{MASK_RCNN}.py', f'mmdet::{MASK_RCNN}']
)
def test_finds_configs_of_a_zoo(name):
    path = find_any_config(name)
    assert path.is_file()
    assert path.parts[-2:] == ('mask_rcnn', f'{MASK_RCNN}.py')


def test_finds_configs_of_mmseg_and_ours():
    name = 'fcn_r50-d8_4xb2-40k_cityscapes-512x1024'
    assert find_any_config(f'mmseg::{name}').stem == name
    demo = 'mask2former_tiny_demo_scenes-semantic'
    assert find_any_config(demo).stem == demo


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('mmdet::nothing', 'is not a config of mmdet'),
        # Part of a file name.
        ('mmdet::r50_fpn_1x_coco', 'is not a config of mmdet'),
        ('mmpose::nothing', 'there are: mmdet, mmseg'),
        ('nothing', 'neither there nor the name of a shipped config'),
    ],
)
def test_unknown_configs(name, message):
    with pytest.raises(UserError, match=message):
        find_any_config(name)


def test_published_numbers_of_mmdet():
    facts = published(find_any_config(f'mmdet::{MASK_RCNN}'))
    assert [result['metrics'] for result in facts['results']] == [
        {'box AP': 38.2},
        {'mask AP': 34.7},
    ]
    assert facts['memory_gb'] == 4.4
    assert facts['inference'] == [{'value': 62.11, 'hardware': 'V100'}]
    assert facts['weights'].endswith('.pth')


def test_published_numbers_of_mmseg():
    name = 'mask2former_r50_8xb2-90k_cityscapes-512x1024'
    for config in (f'mmseg::{name}', name):
        facts = published(find_any_config(config))
        (result,) = facts['results']
        assert result['dataset'] == 'Cityscapes'
        assert result['metrics']['mIoU'] == 80.44


def test_nothing_is_published_about_the_demo():
    demo = find_any_config('mask2former_tiny_demo_scenes-semantic')
    assert published(demo) is None


def test_metafile_beside_the_config_comes_first(tmp_path):
    config = tmp_path / 'mask_rcnn' / f'{MASK_RCNN}.py'
    config.parent.mkdir()
    config.write_text('')
    assert published(config)['memory_gb'] == 4.4
    (config.parent / 'metafile.yml').write_text(
        f'Models: [{{Name: x, Config: a/{MASK_RCNN}.py, '
        'Results: {Task: t, Dataset: d, Metrics: {AP: 1.5}}}]'
    )
    facts = published(config)
    assert facts == {
        'results': [{'task': 't', 'dataset': 'd', 'metrics': {'AP': 1.5}}],
        'memory_gb': None,
        'inference': [],
        'weights': None,
    }

"""Label maps of more classes than 8 bits hold, up to a trained model."""

import copy

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from PIL import Image

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.preflight import check_classes
from mmseg_plugin.datasets import SemanticDataset
from mmseg_plugin.datasets.transforms import LoadSemanticAnnotations
from tests.small_models import shrink
from tests.test_configs import CONFIGS, LEAVES, by_name

VOID = 65535
ADE_FULL = [path for path in LEAVES if 'ade20k-full' in path.stem]
NAMES = [f'thing {i}' for i in range(847)]
# Four columns of a map. By 8 bits 256 would be 0, 846 78, void 255.
LABELS = [255, 256, 846, VOID]
LOAD = {'type': 'mmseg_plugin.LoadSemanticAnnotations'}


def write_map(path, labels, dtype=np.uint16):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.repeat(np.array(labels, dtype), 16)[None].repeat(64, 0)
    Image.fromarray(rows).save(path)
    return path


@pytest.fixture
def ade_full(tmp_path, monkeypatch):
    """Two images of each split, as the published script writes them."""
    monkeypatch.setenv('ADE20K_FULL_ROOT', f'{tmp_path}/')
    names = '\n'.join(NAMES) + '\n'
    # As editors of Windows do.
    (tmp_path / 'classes.txt').write_text(names, encoding='utf-8-sig')
    draw = np.random.default_rng(0)
    for split in ('training', 'validation'):
        for name in 'ab':
            path = tmp_path / 'images_detectron2' / split / f'{name}.jpg'
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = draw.integers(0, 255, (64, 64, 3), np.uint8)
            assert cv2.imwrite(str(path), pixels)
            folder = tmp_path / 'annotations_detectron2' / split
            write_map(folder / f'{name}.tif', LABELS)
    return tmp_path


def small(path):
    """A shipped config, with images of 64 pixels, for two iterations."""
    config = Config.fromfile(path)
    config.model = shrink(config.model)
    config.model.data_preprocessor.size = (64, 64)
    config.train_dataloader.num_workers = 0
    config.train_dataloader.persistent_workers = False
    for part in ('val', 'test'):
        config[f'{part}_dataloader'].num_workers = 0
        config[f'{part}_dataloader'].persistent_workers = False
        steps = config[f'{part}_dataloader'].dataset.pipeline
        steps[1].scale = (64, 64)
    train = config.train_dataloader.dataset.pipeline
    train[2].scales = [64]
    train[3].crop_size = (64, 64)
    config.train_cfg.max_iters = config.train_cfg.val_interval = 2
    # A ResNet-50 and its optimizer, for nothing.
    config.default_hooks.checkpoint.save_last = False
    return config


@pytest.mark.slow
@pytest.mark.parametrize('path', by_name(ADE_FULL))
def test_ade20k_full_trains(path, ade_full):
    config = small(path)
    config.work_dir = str(ade_full / 'run')
    check_classes(config)
    runner = Runner.from_cfg(config)
    seen = set()

    def watch(criterion, args):
        seen.update(label for t in args[1] for label in t.labels.tolist())

    criterion = runner.model.decode_head.head.criterion
    criterion.register_forward_pre_hook(watch)
    runner.train()
    assert seen == {255, 256, 846}
    scalars = runner.message_hub.log_scalars
    assert 0 <= scalars['val/mIoU'].current() <= 100


def test_a_perfect_map_is_perfect(ade_full):
    """Void is left out, and 255 and 846 are classes."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    config = small(ADE_FULL[0])
    with DefaultScope.overwrite_default_scope('mmseg'):
        data = Runner.build_dataloader(config.val_dataloader)
        metric = Runner.build_evaluator(None, config.val_evaluator)
    metric.dataset_meta = data.dataset.metainfo
    for batch in data:
        (truth,) = batch['data_samples']
        labels = truth.gt_sem_seg.data
        assert labels.unique().tolist() == LABELS
        found = SegDataSample(gt_sem_seg=truth.gt_sem_seg)
        found.pred_sem_seg = PixelData(data=labels.where(labels < VOID, 255))
        metric.process([found], batch)
    assert metric.evaluate(2)['mIoU'] == 100


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_16_bits_are_kept(tmp_path, suffix):
    path = write_map(tmp_path / f'map{suffix}', [0, 255, 256, 846])
    results = {'seg_map_path': str(path), 'label_map': {0: 300, 300: 1}}
    results = LoadSemanticAnnotations()(results)
    assert results['gt_seg_map'][0, ::16].tolist() == [300, 255, 256, 846]
    assert results['seg_fields'] == ['gt_seg_map']
    results = LoadSemanticAnnotations(reduce_zero_label=True)(
        {'seg_map_path': str(path)}
    )
    assert results['gt_seg_map'][0, ::16].tolist() == [VOID, 254, 255, 845]
    assert results['ignore_index'] == VOID


def test_a_set_of_maps_without_images_is_named(ade_full):
    (ade_full / 'empty').mkdir()
    training = ade_full / 'images_detectron2/training'
    for folder, indices, says in (
        (ade_full / 'empty', None, 'empty lists no image'),
        (training, 0, 'indices=0 leaves none of the 2 images of .*training'),
    ):
        with pytest.raises(ValueError, match=says):
            SemanticDataset(
                data_prefix={'img_path': str(folder)},
                metainfo={'classes': NAMES},
                indices=indices,
            )


def test_images_without_a_map_pass():
    assert LoadSemanticAnnotations()({'img_path': 'a'}) == {'img_path': 'a'}


def test_palettes_are_labels(tmp_path):
    path = tmp_path / 'map.png'
    image = Image.fromarray(np.full((4, 4), 7, np.uint8))
    image.putpalette([i % 256 for i in range(768)])
    image.save(path)
    loaded = LoadSemanticAnnotations()({'seg_map_path': str(path)})
    assert (loaded['gt_seg_map'] == 7).all()


def test_what_is_no_label_map_is_refused(tmp_path):
    path = tmp_path / 'map.png'
    for content in (b'', b'nothing'):
        path.write_bytes(content)
        with pytest.raises(ValueError, match='map.png is not an image that'):
            LoadSemanticAnnotations()({'seg_map_path': str(path)})
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(path)
    with pytest.raises(ValueError, match='map.png is no label map'):
        LoadSemanticAnnotations()({'seg_map_path': str(path)})
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(path)
    size = {'ori_shape': (5, 4), 'img_path': 'photo.jpg'}
    with pytest.raises(ValueError, match=r'4 x 5 .* photo.jpg of 5 x 4'):
        LoadSemanticAnnotations()({'seg_map_path': str(path), **size})


@pytest.mark.parametrize(
    'load',
    [
        {'type': 'mmseg.LoadAnnotations'},
        {'type': 'mmdet.LoadAnnotations', 'with_seg': True},
        {**LOAD, 'ignore_index': 255},
    ],
)
def test_void_among_the_classes_is_refused(load):
    build = {'pipeline': [load], 'lazy_init': True}
    with pytest.raises(ValueError, match='255 is one of 256 classes'):
        SemanticDataset(metainfo={'classes': NAMES[:256]}, **build)
    SemanticDataset(metainfo={'classes': NAMES[:255]}, **build)
    build['pipeline'] = [LOAD]
    SemanticDataset(metainfo={'classes': NAMES}, **build)


def test_the_file_of_names_is_asked_for(tmp_path):
    missing = str(tmp_path / 'classes.txt')
    with pytest.raises(FileNotFoundError, match='classes.txt, .*not there'):
        SemanticDataset(metainfo={'classes': missing}, lazy_init=True)


def test_train_refuses_8_bits(ade_full):
    config = small(ADE_FULL[0])
    steps = config.val_dataloader.dataset.pipeline
    steps[2] = {'type': 'LoadAnnotations'}
    with pytest.raises(UserError, match='LoadAnnotations of val_dataloader'):
        check_classes(config)
    # The second of two data sets that are joined, too.
    part = config.val_dataloader.dataset
    right = copy.deepcopy(config.train_dataloader.dataset)
    joined = {'type': 'ConcatDataset', 'datasets': [right, part]}
    config.val_dataloader.dataset = joined
    with pytest.raises(UserError, match='LoadAnnotations of val_dataloader'):
        check_classes(config)
    config.model.decode_head.num_classes = 150
    with pytest.raises(UserError, match='has 847 classes, .* says 150'):
        check_classes(config)
    assert CONFIGS in ADE_FULL[0].parents

"""Every shipped config: new ones are covered without new code."""

import ast
import copy
import re
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from statistics import median
from unittest.mock import patch

import mmcv.ops
import mmengine.registry
import pytest
import torch
from mmcv.cnn.bricks.transformer import MultiheadAttention
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope, Registry
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmseg_plugin.cli.preflight import check_classes
from mmseg_plugin.exporting.recipe import read_recipe
from mmseg_plugin.models.dense_heads.mask_query_head import MaskQueryHead
from mmseg_plugin.models.detectors import QueryDetector
from tests.small_models import (
    batch,
    dicts,
    first,
    shrink,
    thing_and_stuff_counts,
)
from tests.torchvision_operators import declare
from tests.toy_run import Noise, Toy

CONFIGS = Path(__file__).parents[1] / 'configs'
FILES = sorted(CONFIGS.glob('**/*.py'))
LEAVES = [f for f in FILES if '_base_' not in f.parts]
PREFIXES = ('mmdet.', 'mmseg.', 'mmseg_plugin.')
MMENGINE_REGISTRIES = [
    r for r in vars(mmengine.registry).values() if isinstance(r, Registry)
]
# Files of ours to open to understand a leaf, the leaf included.
MOST_FILES, MEDIAN_FILES = 8, 4
FOREIGN_DROPOUT = 0.37


def by_name(files):
    return [pytest.param(f, id=str(f.relative_to(CONFIGS))) for f in files]


load = cache(Config.fromfile)
# The first leaf with something: many leaves share it.
FIRST = {}


# ---- text ----


def code_lines(path):
    """Numbers of the lines that hold more than comment or docstring."""
    tree = ast.parse(path.read_text())
    body = tree.body[1:] if ast.get_docstring(tree) else tree.body
    spans = {n for s in body for n in range(s.lineno, s.end_lineno + 1)}
    lines = path.read_text().splitlines()
    return [n for n in spans if not lines[n - 1].strip().startswith('#')]


@cache
def bases(path):
    """All files of ours that a config inherits from."""
    found = set()
    for base in Config._get_base_files(str(path)):
        if '::' not in base:
            near = (path.parent / base).resolve()
            found |= {near} | bases(near)
    return found


def has_data(path):
    return 'pipeline' in path.read_text()


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_leaf_is_short(path):
    served = Counter(base for leaf in LEAVES for base in bases(leaf))
    parts = [path]
    parts += [b for b in bases(path) if '_base_' in b.parts and served[b] == 1]
    lines = sum(len(code_lines(part)) for part in parts)
    assert lines <= (20 if any(map(has_data, parts)) else 12), parts


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_few_files_explain_a_leaf(path):
    files = {path} | bases(path)
    assert len(files) <= MOST_FILES, sorted(map(str, files))


def test_leaves_are_explained_by_four_files():
    files = [1 + len(bases(path)) for path in LEAVES]
    assert median(files) <= MEDIAN_FILES


@pytest.mark.parametrize(
    'path', by_name(f for f in FILES if f.parent.name == 'datasets')
)
def test_data_set_says_nothing_of_the_model(path):
    """Not even how many classes it has: that is stated with the model."""
    text = path.read_text()
    assert 'num_classes' not in text
    assert 'num_things_classes' not in text
    assert '_head' not in text


def type_names(path):
    """Every string given as ``type`` in one file."""
    for node in ast.walk(ast.parse(path.read_text())):
        pairs = []
        if isinstance(node, ast.Call):
            pairs = [(k.arg, k.value) for k in node.keywords]
        elif isinstance(node, ast.Dict):
            pairs = [
                (getattr(k, 'value', None), v)
                for k, v in zip(node.keys, node.values, strict=True)
            ]
        for key, value in pairs:
            if key == 'type' and isinstance(value, ast.Constant):
                yield value.value


def means_the_same_everywhere(name):
    return (
        name is None
        or name.startswith(PREFIXES)
        or any(
            name in registry.module_dict for registry in MMENGINE_REGISTRIES
        )
        or hasattr(mmcv.ops, name)
    )


@pytest.mark.parametrize('path', by_name(FILES))
def test_types_are_prefixed(path):
    names = set(type_names(path))
    assert not {n for n in names if not means_the_same_everywhere(n)}


# ---- what is built ----


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_pipelines_build(path):
    cfg = load(path)
    loaders = [cfg[f'{part}_dataloader'] for part in ('train', 'val', 'test')]
    pipelines = [d.pipeline for d in dicts(loaders) if 'pipeline' in d]
    assert len(pipelines) >= 3
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for pipeline in pipelines:
            assert len(Compose(pipeline).transforms) == len(pipeline)


def images_of_a_gpu(loader):
    """How many images a step takes from one loader."""
    pairs = loader.dataset.type == 'mmseg_plugin.CategoryCropPairs'
    return loader.batch_size * (2 if pairs else 1)


@pytest.mark.parametrize(
    'path', by_name(f for f in LEAVES if '-lsj-' in f.stem)
)
def test_jittered_data_are_loaded_by_pinning_workers(path, monkeypatch):
    # Kept for other tests: loaded before the variable says something else.
    assert load(path).train_dataloader.num_workers == 4
    monkeypatch.setenv('NUM_WORKERS', '3')
    loader = Config.fromfile(path).train_dataloader
    assert loader.num_workers == 3
    assert loader.pin_memory
    assert loader.persistent_workers
    types = [step.type for step in loader.dataset.pipeline]
    assert types[1:] == [
        'mmseg_plugin.LargeScaleJitter',
        'mmseg_plugin.PackMaskInputs',
    ]


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_batch_is_that_of_the_name(path):
    named = re.search(r'[_-](\d+)xb(\d+)[_-]', path.stem)
    if named:
        gpus, images = map(int, named.groups())
        assert images_of_a_gpu(load(path).train_dataloader) == images
        assert load(path).auto_scale_lr.base_batch_size == gpus * images


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_intra_batch_supervision_never_gets_one_image(path):
    loader = load(path).train_dataloader
    if first(load(path).model, 'loss_ibs'):
        assert images_of_a_gpu(loader) >= 2
        if loader.sampler.type != 'InfiniteSampler':
            assert loader.batch_sampler.drop_last


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_products_are_as_exact_as_published(path):
    """TF32 on GPUs that have it, whatever schedule a leaf has."""
    cfg = load(path)
    hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
    types = {hook['type'] for hook in hooks if hook}
    assert 'mmseg_plugin.MatmulPrecisionHook' in types


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_query_models_have_the_detector_of_all(path):
    """That which gives instances, panoptic and semantic maps at once."""
    model = load(path).model
    head = model.get('panoptic_head')
    if head and issubclass(MODELS.get(head.type), MaskQueryHead):
        assert issubclass(MODELS.get(model.type), QueryDetector)


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_classes_agree_everywhere(path):
    """What `train` looks at before it reads data."""
    check_classes(load(path))


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_images_can_be_prepared_outside(path):
    """What `export` writes down of the test pipeline."""
    recipe = read_recipe(load(path), None)
    assert recipe.rounded != first(
        load(path).test_dataloader.dataset, 'to_float32', False
    )


ROOTS = {
    'coco': ('COCO_ROOT', 'data/coco'),
    'cityscapes': ('CITYSCAPES_ROOT', 'data/cityscapes'),
    'mapillary': ('MAPILLARY_ROOT', 'data/mapillary'),
    'ade20k-full': ('ADE20K_FULL_ROOT', 'data/ade/ADE20K_'),
    'ade20k': ('ADE20K_ROOT', 'data/ade'),
}


def one_of_each_data():
    """Of the leaves with the same bases of data sets, one."""
    found = {}
    for path in LEAVES:
        if any(name in path.stem for name in ROOTS):
            files = {
                b for b in {path} | bases(path) if 'ROOT' in b.read_text()
            }
            found.setdefault(frozenset(files), path)
    return found.values()


@pytest.mark.parametrize('path', by_name(one_of_each_data()))
def test_data_are_where_their_variable_says(path, monkeypatch):
    variable, folder = next(ROOTS[name] for name in ROOTS if name in path.stem)
    monkeypatch.setenv(variable, '/elsewhere/')
    cfg = Config.fromfile(path).to_dict()
    assert folder not in repr(cfg)
    for part in ('train', 'val', 'test'):
        loader = cfg[f'{part}_dataloader']
        roots = [d['data_root'] for d in dicts(loader) if 'data_root' in d]
        assert set(roots) == {'/elsewhere/'}
        evaluator = repr(cfg.get(f'{part}_evaluator'))
        assert 'ann_file' not in evaluator or "'/elsewhere/" in evaluator


TRAINING = (
    'optim_wrapper',
    'param_scheduler',
    'default_hooks',
    'custom_hooks',
)


@cache
def train_once(path, folder):
    """Two iterations, or an epoch, of what a config does to any model."""
    cfg = copy.deepcopy(load(path))
    # Layers of a decay are those of one kind of backbone, which this is not.
    cfg.optim_wrapper.get('paramwise_cfg', {}).pop('layer_decay', None)
    length = 'max_iters' if 'max_iters' in cfg.train_cfg else 'max_epochs'
    cfg.train_cfg[length] = 2 if length == 'max_iters' else 1
    model = Toy()
    before = [weight.clone() for weight in model.parameters()]
    Runner(
        model,
        work_dir=str(folder / path.stem),
        train_dataloader=DataLoader(
            Noise(), batch_size=25, collate_fn=pseudo_collate
        ),
        train_cfg=cfg.train_cfg,
        default_scope=cfg.default_scope,
        experiment_name=path.stem,
        log_level='ERROR',
        **{key: cfg.get(key) for key in TRAINING},
    ).train()
    assert not all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_training_starts(path, tmp_path_factory):
    cfg = load(path)
    if 'paramwise_cfg' in cfg.optim_wrapper:
        constructor = 'mmseg_plugin.MergedOptimWrapperConstructor'
        assert cfg.optim_wrapper.constructor == constructor
    key = repr([cfg.get(key) for key in (*TRAINING, 'train_cfg')])
    folder = tmp_path_factory.getbasetemp()
    train_once(FIRST.setdefault(key, path), folder)


def skip_without_timm(path):
    """timm wants torchvision, which the tests do without."""
    if 'mmseg_plugin.TimmBackbone' in str(load(path).model.backbone):
        declare()
        pytest.importorskip('timm', reason='run by make test-timm')


def build(path, scope):
    skip_without_timm(path)
    # mmcv keeps what one attention is given as the default of the next.
    MultiheadAttention(2, 1, dropout=FOREIGN_DROPOUT)
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(shrink(load(path).model))
    for module in model.modules():
        assert getattr(module, 'p', 0) != FOREIGN_DROPOUT
    return model


@contextmanager
def not_initialised():
    """Layers are built with whatever is in memory; drawing takes longest."""
    with ExitStack() as patches:
        for name in vars(nn.init):
            if name.endswith('_') and not name.startswith('_'):
                patches.enter_context(
                    patch.object(
                        nn.init, name, lambda tensor, *_, **__: tensor
                    )
                )
        yield


@cache
def run_once(path):
    cfg = load(path).model
    torch.manual_seed(0)
    model = build(path, 'mmdet')
    with not_initialised():
        other = build(path, 'mmseg')
    types = [[type(m) for m in each.modules()] for each in (model, other)]
    assert types[0] == types[1], 'the default scope changes the model'

    model.train()
    data = model.data_preprocessor(batch(cfg), True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert loss.isfinite()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads
    assert all(grad.isfinite().all() for grad in grads)

    model.eval()
    data = model.data_preprocessor(batch(cfg), False)
    with torch.no_grad():
        results = model(**data, mode='predict')
    assert len(results) == 2
    for result in results:
        assert any(key.startswith('pred_') for key in result.keys())  # noqa: SIM118


def same_model(path):
    """The first leaf with this model: many differ in data only."""
    return FIRST.setdefault(repr(shrink(load(path).model)), path)


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_loss_and_predict(path):
    run_once(same_model(path))


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_classes_agree_with_the_data(path):
    """The model has as many classes as the data set has names."""
    cfg = load(path)
    dataset = next(d for d in dicts(cfg.train_dataloader) if 'pipeline' in d)
    with DATASETS.switch_scope_and_registry(cfg.default_scope) as registry:
        named = dataset.get('metainfo') or registry.get(dataset.type).METAINFO
    if isinstance(named['classes'], str):
        pytest.skip('the names are in a file of the data set')
    assert sum(thing_and_stuff_counts(cfg.model)) == len(named['classes'])

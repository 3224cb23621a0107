import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from tests.test_apis.test_new_data import new
from tests.test_datasets.test_formats import writers


@pytest.fixture(scope='session')
def small_run(tmp_path_factory):
    """Two iterations of a tiny Mask DINO with one evaluation."""
    root = tmp_path_factory.mktemp('report')
    writers.write_panoptic(root / 'data')
    config = Config.fromfile(new(root / 'data', root / 'x.py'))
    config.work_dir = str(root / 'run')
    for name in ('train', 'val', 'test'):
        config[f'{name}_dataloader'].num_workers = 0
        config[f'{name}_dataloader'].persistent_workers = False
    config.default_hooks.logger.interval = 1
    config.model.panoptic_head.num_queries = 10
    config.model.test_cfg.max_per_image = 5
    config.experiment_name = str(root).replace('/', '_')
    # Another test of this process may have one of the usual name.
    config.visualizer.name = config.experiment_name
    Runner.from_cfg(config).train()
    return root / 'run'

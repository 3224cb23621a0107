"""What a validation pass keeps of predictions."""

import weakref

from mmengine.config import Config
from mmengine.runner import Runner

import tests.toy_run  # noqa: F401
from tests.test_configs import CONFIGS


def test_masks_of_one_batch_are_held(run_tool, tmp_path, monkeypatch):
    """Through MMEngine's loop, its hooks and both metrics."""
    done = run_tool(
        *('make_scenes', 'data/scenes', '--train', 1, '--val', 4),
        *('--size', 96, 96),
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    name = 'mask2former/mask2former_tiny_demo_scenes-panoptic.py'
    cfg = Config.fromfile(CONFIGS / name)
    cfg.merge_from_dict(
        {
            'work_dir': 'runs',
            # It names the best of a training, and there is none.
            'default_hooks': {'checkpoint': None},
            'val_dataloader': {'num_workers': 0, 'persistent_workers': False},
            'model': {'test_cfg': {'instance_on': True, 'rle': False}},
        }
    )
    runner = Runner.from_cfg(cfg)
    predict, given = runner.model.predict, []

    def recorded(*args):
        assert not [mask for mask in given if mask() is not None]
        samples = predict(*args)
        given.extend(
            weakref.ref(part)
            for sample in samples
            for part in (
                sample.pred_instances.masks,
                sample.pred_panoptic_seg.sem_seg,
            )
        )
        return samples

    monkeypatch.setattr(runner.model, 'predict', recorded)
    runner.val()
    assert len(given) == 8

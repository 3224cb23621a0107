"""Every example trains a step and predicts, as its README says."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.test_tools.colour_model import write_data, write_model

EXAMPLES = Path(__file__).parents[1] / 'examples'
CONFIGS = sorted(EXAMPLES.glob('*_config.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_trains_and_predicts(path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    config = Config.fromfile(path)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    batch = demo_mm_inputs(
        2,
        image_shapes=[(3, 64, 96), (3, 64, 64)],
        num_classes=2,
        num_items=[2, 1],
        with_mask=True,
        with_semantic='rcnn' not in str(config.model.type).lower()
        and 'loss' not in path.stem,
        use_box_type=True,
    )
    data = model.data_preprocessor(batch, True)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    before = [p.detach().clone() for p in model.parameters()]
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    assert not all(map(torch.equal, before, model.parameters()))
    model.eval()
    with torch.no_grad():
        results = model.test_step(batch)
    assert [r.ori_shape for r in results] == [(64, 96), (64, 64)]
    assert all('pred_' in ' '.join(r.keys()) for r in results)


def test_every_module_has_a_config_and_a_line():
    readme = (EXAMPLES / 'README.md').read_text()
    for path in EXAMPLES.glob('*.py'):
        assert f'({path.name})' in readme
    for path in EXAMPLES.glob('own_*.py'):
        stem = path.stem.removesuffix('_config')
        assert (EXAMPLES / f'{stem}_config.py').is_file()


def test_the_greedy_assigner_by_hand(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from own_assigner import _greedy

    cost = torch.tensor([[1.0, 2.0], [1.5, 9.0], [8.0, torch.nan]]).numpy()
    # Optimal would be (0, 1) and (1, 0); greedy takes (0, 0) first.
    assert _greedy(cost) == [(0, 0), (1, 1)]


def test_predictions_from_python(tmp_path, monkeypatch, capsys):
    write_data(tmp_path)
    config, checkpoint = write_model(tmp_path)
    run = tmp_path / 'run'
    (run / '1' / 'vis_data').mkdir(parents=True)
    Config.fromfile(config).dump(run / '1' / 'vis_data' / 'config.py')
    (run / 'iter_1.pth').write_bytes(checkpoint.read_bytes())
    (run / 'last_checkpoint').write_text(str(run / 'iter_1.pth'))
    out = tmp_path / 'out.png'
    image = tmp_path / 'images' / 'a.png'
    monkeypatch.setattr(
        sys, 'argv', ['predict.py', *map(str, (run, image, out))]
    )
    runpy.run_path(str(EXAMPLES / 'predict.py'), run_name='__main__')
    assert 'red 0.88 at [5.0, 5.0, 15.0, 25.0]' in capsys.readouterr().out
    assert out.is_file()

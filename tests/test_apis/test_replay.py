"""A step that was captured runs again, and names what went wrong."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.registry import init_default_scope

from mmseg_plugin.apis.replay import replay
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.engine.captures import (
    as_plain,
    from_plain,
    random_states,
    read_capture,
    set_random_states,
    write_capture,
)
from tests.test_tools.colour_model import call
from tools import replay as tool

CONFIGS = [
    'mask2former_tiny_demo_scenes-panoptic',
    'mask-rcnn_tiny_fpn_demo_scenes',
]


def batch_of(config):
    init_default_scope('mmdet')
    torch.manual_seed(0)
    shapes = [(3, 64, 96), (3, 64, 64)]
    return demo_mm_inputs(
        2,
        image_shapes=shapes,
        num_classes=2,
        num_items=[2, 1],
        with_mask=True,
        with_semantic='panoptic' in config,
        use_box_type=True,
    )


@pytest.fixture(params=CONFIGS)
def capture(request, tmp_path):
    """Path of a captured step, and its losses."""
    config = read_model_config(request.param)
    batch = batch_of(request.param)
    torch.manual_seed(1)
    model = MODELS.build(config.model)
    model.init_weights()
    path = tmp_path / 'deep' / 'capture.pth'
    states = random_states()
    state = model.state_dict()

    def write(change=None):
        if change:
            change(state)
        write_capture(path, config.to_dict(), 7, batch, state, states)
        return path

    model.train()
    data = model.data_preprocessor(batch, True)
    losses = model.parse_losses(model._run_forward(data, 'loss'))[1]
    return write, {name: float(value) for name, value in losses.items()}


def test_a_step_runs_again_as_it_ran(capture):
    write, losses = capture
    found = replay(read_capture(write()))
    assert found.finite
    assert found.losses == losses
    for bad in (None, *list(losses)[:2]):
        changed = losses | ({bad: float('nan')} if bad else {})
        lines = tool.lines_of(found._replace(losses=changed))
        said = [line.split()[1] for line in lines if 'loss: ' in line]
        assert said == [bad] * bool(bad)


def test_the_first_bad_output_is_named(capture, monkeypatch, capsys):
    write, _ = capture

    def overflow(state):
        name = next(n for n in state if 'neck' in n or 'pixel_decoder' in n)
        state[name].fill_(3e38)
        overflow.name = name.rpartition('.')[0]

    path = write(overflow)
    found = replay(read_capture(path))
    assert found.module.startswith(overflow.name.partition('.')[0])
    assert found.inputs_finite
    assert not found.finite
    call(tool.main, monkeypatch, str(path))
    printed = capsys.readouterr().out
    assert 'iteration 8' in printed
    assert f'not finite: {found.module}; its inputs are finite' in printed


def test_bad_weights_are_named_first(capture, monkeypatch, capsys):
    write, _ = capture

    def spoil(state):
        spoil.name = next(n for n in state if n.endswith('weight'))
        state[spoil.name].view(-1)[0] = torch.nan

    call(tool.main, monkeypatch, str(write(spoil)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith(spoil.name)


def test_random_states_come_back():
    states = random_states()
    first = torch.rand(3)
    set_random_states(states)
    assert torch.equal(first, torch.rand(3))


def test_batches_are_data():
    batch = batch_of('panoptic')
    plain = as_plain(batch)
    again = from_plain(plain)
    for one, two in zip(
        batch['data_samples'], again['data_samples'], strict=True
    ):
        assert type(one) is type(two)
        assert one.img_shape == tuple(two.img_shape)
        assert torch.equal(
            one.gt_instances.bboxes.tensor, two.gt_instances.bboxes.tensor
        )
        assert (
            one.gt_instances.masks.masks == two.gt_instances.masks.masks
        ).all()
        assert torch.equal(
            one.gt_sem_seg.sem_seg, torch.as_tensor(two.gt_sem_seg.sem_seg)
        )


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'cannot be found'),
        ({'state_dict': {}}, 'is no capture of NonFiniteGuard'),
        (b'text', 'cannot be read'),
    ],
)
def test_bad_files(tmp_path, monkeypatch, content, message):
    path = tmp_path / 'x.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save(content, path)
    with pytest.raises(UserError, match=message):
        call(tool.main, monkeypatch, str(path))

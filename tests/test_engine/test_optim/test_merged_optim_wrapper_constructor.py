import copy
from functools import partial

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.optim import (
    CosineAnnealingLR,
    LinearLR,
    PolyLR,
    build_optim_wrapper,
)
from torch import nn

from mmseg_plugin.registry import MODELS
from tests.test_configs import LEAVES

MERGED = 'mmseg_plugin.MergedOptimWrapperConstructor'
DEFAULT = 'DefaultOptimWrapperConstructor'
ADAMW = {'type': 'AdamW', 'lr': 0.01, 'weight_decay': 0.05}
SGD = {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9, 'weight_decay': 0.05}
PARAMWISE = {
    'custom_keys': {
        'backbone': {'lr_mult': 0.1},
        'query': {'decay_mult': 0.0},
    },
    'norm_decay_mult': 0.0,
    'bias_lr_mult': 2.0,
}
COSINE = partial(CosineAnnealingLR, T_max=60, eta_min=1e-5)
SCHEDULES = (partial(LinearLR, start_factor=0.1, end=10), COSINE)


class Toy(nn.Module):
    """Interleaved settings, a frozen and a shared parameter."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8))
        self.query = nn.Embedding(5, 8)
        self.frozen = nn.Linear(8, 8)
        self.frozen.requires_grad_(False)
        self.neck = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))
        self.shared = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.frozen(self.backbone(x)) + self.query.weight.mean(0)
        return self.shared(
            self.head(self.shared(self.neck(x))) @ torch.ones(3, 8)
        )


class Shares(Toy):
    def __init__(self):
        super().__init__()
        self.alias = self.shared


def build(model, constructor=MERGED, optimizer=ADAMW, **changes):
    config = {
        'type': 'OptimWrapper',
        'constructor': constructor,
        'optimizer': dict(optimizer),
        'paramwise_cfg': copy.deepcopy(PARAMWISE),
        'clip_grad': {'max_norm': 0.3},
    }
    return build_optim_wrapper(model, Config(config | changes)._cfg_dict)


def train(model, wrapper, start, stop, makes=SCHEDULES, saved=None):
    """Steps with schedules; their states and every rate."""
    schedules = [make(wrapper, by_epoch=False) for make in makes]
    if saved:
        # In the order of MMEngine's runner.
        wrapper.load_state_dict(saved[0])
        for schedule, state in zip(schedules, saved[1], strict=True):
            schedule.load_state_dict(state)
    rates = []
    for step in range(start, stop):
        generator = torch.Generator().manual_seed(step)
        with wrapper.optim_context(model):
            loss = model(torch.randn(6, 4, generator=generator)).pow(2).mean()
        wrapper.update_params(loss)
        for schedule in schedules:
            schedule.step()
        rates.append({k: v[0] for k, v in wrapper.get_lr().items()})
    return [s.state_dict() for s in schedules], rates


def assert_equal(one, two, tolerance=0.0):
    for (name, a), b in zip(
        one.named_parameters(), two.parameters(), strict=True
    ):
        torch.testing.assert_close(
            a, b, rtol=tolerance, atol=tolerance, msg=name
        )


OPTIMIZERS = pytest.mark.parametrize('optimizer', [ADAMW, SGD])


@OPTIMIZERS
@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'accumulative_counts': 3},
        {'clip_grad': {'type': 'value', 'clip_value': 0.01}},
        {'type': 'AmpOptimWrapper', 'dtype': 'bfloat16'},
    ],
    ids=str,
)
@pytest.mark.parametrize('fused', [False, None])
def test_trains_as_without_merging(optimizer, changes, fused):
    one, two = Toy(), Toy()
    plain = build(one, DEFAULT, optimizer, **changes)
    own = optimizer if fused is None else {**optimizer, 'fused': fused}
    merged = build(two, MERGED, own, **changes)
    assert len(plain.optimizer.param_groups) == 13
    assert len(merged.optimizer.param_groups) <= 5
    assert bool(merged.optimizer.param_groups[0]['fused']) is (fused is None)
    _, rates = train(one, plain, 0, 50)
    _, merged_rates = train(two, merged, 0, 50)
    assert rates == merged_rates
    assert_equal(one, two, 1e-6 if fused is None else 0.0)


@OPTIMIZERS
@pytest.mark.parametrize(
    ('first', 'second'), [(DEFAULT, MERGED), (MERGED, DEFAULT), (MERGED,) * 2]
)
@pytest.mark.parametrize('fused', [False, None])
@pytest.mark.parametrize('makes', [SCHEDULES, (partial(PolyLR, end=50),)])
def test_files_resume_with_and_without(
    optimizer, first, second, fused, makes, tmp_path
):
    own = optimizer if fused is None else {**optimizer, 'fused': fused}
    whole = Toy()
    train(whole, build(whole, DEFAULT, optimizer), 0, 50, makes)

    model = Toy()
    wrapper = build(model, first, own)
    states, _ = train(model, wrapper, 0, 20, makes)
    saved = [model.state_dict(), wrapper.state_dict(), states]
    torch.save(saved, tmp_path / 'state.pth')
    weights, optimizer_state, states = torch.load(tmp_path / 'state.pth')

    model = Toy()
    model.load_state_dict(weights)
    wrapper = build(model, second, own)
    saved = optimizer_state, states
    train(model, wrapper, 20, 50, makes, saved)
    if second == MERGED:
        groups = wrapper.optimizer.param_groups
        assert all(bool(g['fused']) is (fused is None) for g in groups)
    assert_equal(whole, model, 1e-6 if fused is None else 0.0)


def test_files_are_those_of_a_run_without_merging():
    saved = []
    for constructor in (DEFAULT, MERGED):
        model = Toy()
        wrapper = build(model, constructor, {**ADAMW, 'fused': False})
        train(model, wrapper, 0, 3)
        saved.append(wrapper.state_dict())
    plain, merged = saved
    assert plain['param_groups'] == merged['param_groups']
    assert list(plain['state']) == list(merged['state'])
    for number, state in plain['state'].items():
        for key, value in state.items():
            assert torch.equal(value, merged['state'][number][key])


def test_a_shared_parameter_steps_once():
    model = Shares()
    wrapper = build(model)
    groups = wrapper.optimizer.param_groups
    numbers = [id(p) for group in groups for p in group['params']]
    assert len(numbers) == len(set(numbers)) == 13
    assert id(model.shared.weight) in numbers
    plain = Toy()
    train(plain, build(plain), 0, 5)
    train(model, wrapper, 0, 5)
    assert_equal(plain, model)


def test_frozen_parameters_are_left_out():
    model = Toy()
    wrapper = build(model)
    params = [p for g in wrapper.optimizer.param_groups for p in g['params']]
    assert all(p.requires_grad for p in params)


def test_without_paramwise_cfg():
    one, two = Toy(), Toy()
    plain = build(one, DEFAULT, paramwise_cfg=None)
    merged = build(two, paramwise_cfg=None)
    train(one, plain, 0, 20)
    train(two, merged, 0, 20)
    assert set(plain.get_lr()) == set(merged.get_lr()) == {'lr'}
    assert_equal(one, two, 1e-6)


def test_other_models_are_refused_by_what_differs():
    saved = build(Toy()).state_dict()
    model = Toy()
    model.query.requires_grad_(False)
    with pytest.raises(ValueError, match='has 13 groups with 13 .* 12 with'):
        build(model).load_state_dict(saved)
    saved['param_groups'][3]['lr'] = 7.0
    with pytest.raises(ValueError, match='the paramwise_cfg that wrote it'):
        build(Toy()).load_state_dict(saved)


@pytest.mark.parametrize('name', ['foreach', 'fused'])
def test_the_config_decides_on_kernels(name):
    wrapper = build(Toy(), optimizer={**ADAMW, name: False})
    assert not wrapper.optimizer.defaults['fused']


def test_the_norm_is_logged():
    hub = MessageHub.get_current_instance()
    hub.log_scalars.pop('train/grad_norm', None)
    model = Toy()
    train(model, build(model), 0, 2)
    assert hub.get_scalar('train/grad_norm').current() > 0


def test_mask_dino_has_few_groups():
    path = next(
        p for p in LEAVES if p.name == 'maskdino_r50_8xb2-lsj-50e_coco.py'
    )
    config = Config.fromfile(path)
    config.model.backbone.init_cfg = None
    wrapper = build_optim_wrapper(
        MODELS.build(config.model), config.optim_wrapper
    )
    assert len(wrapper.param_groups) > 300
    assert len(wrapper.optimizer.param_groups) <= 8

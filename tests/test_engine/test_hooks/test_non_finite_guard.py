import copy
import math
from functools import partial

import pytest
import torch
from mmengine.hooks import Hook
from torch.nn.parallel import DistributedDataParallel

from mmseg_plugin.engine.captures import read_capture
from mmseg_plugin.engine.hooks import NonFiniteGuard
from tests.toy_run import Toy, toy_runner
from tests.two_ranks import on_two_ranks

GUARD = {'type': 'mmseg_plugin.NonFiniteGuard'}


class _BadGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss):
        return loss.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * torch.nan


class Breaks(Toy):
    """Its loss, or the gradient of it, is NaN in some steps."""

    def __init__(self, kind, steps):
        super().__init__()
        self.kind, self.steps = kind, steps

    def forward(self, *inputs, mode='tensor'):
        loss = super().forward(*inputs, mode=mode)['loss']
        if len(self.losses) - 1 in self.steps:
            if self.kind == 'loss':
                self.layers[1].running_mean.data.add_(torch.nan)
                loss = loss + torch.inf
            else:
                loss = _BadGradient.apply(loss)
        return {'loss_bad': loss, 'loss_fine': torch.ones(())}


class States(Hook):
    """State of model and optimizer after each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, *args, **kwargs):
        state = runner.model.state_dict(), runner.optim_wrapper.state_dict()
        self.seen.append(copy.deepcopy(state))


def run(folder, kind, steps, guard=GUARD, iters=5, wrapper=None):
    runner = toy_runner(
        folder,
        iters,
        hooks=[*([guard] if guard else []), States()],
        optim_wrapper=wrapper or {},
    )
    runner.model.__class__ = Breaks
    runner.model.kind, runner.model.steps = kind, steps
    runner.train()
    return runner, next(h.seen for h in runner.hooks if isinstance(h, States))


def tensors(state):
    """All floats of a state but the running number of batches."""
    if isinstance(state, torch.Tensor):
        return [state] if state.is_floating_point() else []
    if isinstance(state, (dict, list, tuple)):
        values = state.values() if isinstance(state, dict) else state
        return [tensor for value in values for tensor in tensors(value)]
    return []


@pytest.mark.parametrize('clip', [{'max_norm': 1.0}, None])
@pytest.mark.parametrize('kind', ['loss', 'gradient'])
def test_a_bad_step_changes_nothing(tmp_path, kind, clip):
    runner, seen = run(tmp_path, kind, {2}, wrapper={'clip_grad': clip})
    before, after = tensors(seen[1][0]), tensors(seen[2][0])
    assert all(map(torch.equal, before, after))
    states = [tensors(seen[step][1]['state']) for step in (1, 2)]
    assert all(map(torch.equal, *states))
    assert not any(map(torch.equal, tensors(seen[3][0])[:2], after[:2]))
    assert all(t.isfinite().all() for t in tensors(seen[4]))
    assert runner.message_hub.get_info('non_finite_steps') == 1

    (file,) = (tmp_path / 'non_finite').iterdir()
    assert file.name == 'iter_3_rank_0.pth'
    capture = read_capture(file)
    assert capture['iteration'] == 2
    for name, value in capture['weights'].items():
        if value.is_floating_point():
            assert torch.equal(value, seen[1][0][name])
    assert [t.shape for t in capture['batch']] == [(4,), (4,)]


def test_it_does_not_change_a_good_run(tmp_path):
    guarded, _ = run(tmp_path / 'with', 'loss', set())
    bare, _ = run(tmp_path / 'without', 'loss', set(), guard=None)
    assert guarded.model.losses == bare.model.losses
    for one, two in zip(
        guarded.model.parameters(), bare.model.parameters(), strict=True
    ):
        assert torch.equal(one, two)
    assert not (tmp_path / 'with' / 'non_finite').exists()


def test_without_it_the_weights_are_lost(tmp_path):
    runner, _ = run(tmp_path, 'gradient', {2}, guard=None)
    assert not all(p.isfinite().all() for p in runner.model.parameters())


def test_steps_in_a_row_end_the_run(tmp_path):
    guard = {**GUARD, 'stop_after': 3, 'captures': 2}
    with pytest.raises(SystemExit, match='3 in a row, so the run ends'):
        run(tmp_path, 'loss', {0, 2, 3, 4}, guard, iters=9)
    assert len(list((tmp_path / 'non_finite').iterdir())) == 2


def test_the_message_names_losses(tmp_path, caplog):
    with caplog.at_level('WARNING', 'mmengine'):
        guard = {**GUARD, 'stop_after': 1}
        with pytest.raises(SystemExit) as stop:
            run(tmp_path, 'loss', {1}, guard)
    assert 'loss, loss_bad not finite at iteration 2, images unk' in str(
        stop.value
    )
    assert 'replay' in str(stop.value)


def test_accumulated_losses_count(tmp_path):
    wrapper = {'accumulative_counts': 2}
    _, seen = run(tmp_path, 'loss', {2}, wrapper=wrapper, iters=6)
    weights = [tensors(state[0])[:2] for state in seen]
    assert all(map(torch.equal, weights[1], weights[3]))
    assert not all(map(torch.equal, weights[3], weights[5]))


def test_a_read_only_folder_is_said(tmp_path):
    (tmp_path / 'file').write_text('')
    guard = {**GUARD, 'out_dir': str(tmp_path / 'file' / 'x')}
    runner, _ = run(tmp_path, 'loss', {2}, guard)
    assert runner.iter == 5


def test_several_optimizers_are_refused():
    class Runner:
        optim_wrapper = {}

    with pytest.raises(ValueError, match='one optimizer; optim_wrapper is'):
        NonFiniteGuard().before_train(Runner())


class _Wrapped(DistributedDataParallel):
    def train_step(self, data, optim_wrapper):
        losses = self(*data)
        loss, log = self.module.parse_losses(losses)
        optim_wrapper.update_params(loss)
        return log


def _rank(rank, folder):
    runner = toy_runner(folder / str(rank), 4, hooks=[GUARD])
    model = Breaks('loss', {1} if rank else set())
    runner.model = _Wrapped(model)
    runner.train()
    weights = [p.tolist() for p in model.parameters()]
    files = sorted(p.name for p in folder.glob(f'{rank}/non_finite/*'))
    count = runner.message_hub.get_info('non_finite_steps')
    finite = all(p.isfinite().all() for p in model.parameters())
    return [weights, files, count, bool(finite)]


def test_all_processes_skip_the_same_step(tmp_path):
    first, second = on_two_ranks(partial(_rank, folder=tmp_path), tmp_path)
    assert first[0] == second[0]
    assert first[2:] == second[2:] == [1, True]
    assert first[1] == []
    assert second[1] == ['iter_2_rank_1.pth']


def test_norms_of_nothing():
    guard = NonFiniteGuard()

    class Wrapper:
        clip_grad_kwargs = None
        grad_name = 'grad_norm'
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))])

        class message_hub:  # noqa: N801
            log_scalars = {}

    assert guard._norm(Wrapper()) == 0
    guard._poison = torch.tensor(torch.nan)
    assert math.isnan(guard._norm(Wrapper()))

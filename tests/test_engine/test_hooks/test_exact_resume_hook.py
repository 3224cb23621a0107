import os
import signal
import time

import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader

from mmseg_plugin.engine.hooks import ExactResumeHook
from mmseg_plugin.engine.placed_data import PlacedLoader
from tests.test_engine.test_hooks.test_safe_checkpoint_hook import Raises
from tests.toy_run import Noise, toy_runner

EXACT = {'type': 'mmseg_plugin.ExactResumeHook'}


def result(runner):
    state = runner.model.state_dict()
    (ema,) = [h for h in runner.hooks if hasattr(h, 'ema_model')]
    return state, ema.ema_model.state_dict()


def assert_same(one, two):
    assert two.model.losses == one.model.losses[-len(two.model.losses) :]
    for mine, theirs in zip(result(one), result(two), strict=True):
        for name, value in mine.items():
            assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize(
    ('before', 'after', 'sampler'),
    [
        (0, 0, InfiniteSampler),
        (2, 2, InfiniteSampler),
        (0, 2, InfiniteSampler),
        (0, 2, DefaultSampler),
    ],
)
def test_resumed_runs_equal_whole_ones(
    tmp_path, before, after, sampler, monkeypatch
):
    # Several rounds of five batches.
    monkeypatch.setattr(Noise, '__len__', lambda data: 10)
    options = {'hooks': [EXACT], 'sampler': sampler}
    whole = toy_runner(tmp_path / 'whole', 16, **options)
    whole.train()
    assert len(set(whole.model.losses)) == 16

    parts = tmp_path / 'parts'
    child = os.fork()
    if child == 0:
        kill = Raises(signal.SIGKILL, 10)
        killed = {**options, 'hooks': [EXACT, kill], 'num_workers': before}
        toy_runner(parts, 16, **killed).train()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    options['num_workers'] = after
    second = toy_runner(parts, 16, resume=True, **options)
    second.train()
    assert len(second.model.losses) == 7
    assert_same(whole, second)


def test_a_run_over_epochs_goes_on_within_one(tmp_path):
    whole = toy_runner(tmp_path / 'whole', 3, hooks=[EXACT], by_epoch=True)
    whole.train()
    parts = tmp_path / 'parts'
    hooks = [EXACT, Raises(signal.SIGTERM, 30)]
    with pytest.raises(SystemExit):
        toy_runner(parts, 3, hooks=hooks, by_epoch=True).train()
    second = toy_runner(parts, 3, resume=True, hooks=[EXACT], by_epoch=True)
    second.train()
    assert second.iter == 75
    assert len(second.model.losses) == 75 - 31
    assert_same(whole, second)


@pytest.mark.parametrize('length', [20, 100])
def test_epochs_of_another_length_begin_anew(tmp_path, length, monkeypatch):
    """As with another number of processes."""
    options = {'hooks': [EXACT], 'by_epoch': True}
    toy_runner(tmp_path, 3, **options).train()
    monkeypatch.setattr(Noise, '__len__', lambda data: length)
    second = toy_runner(tmp_path, 4, resume=True, **options)
    second.train()
    assert len(second.model.losses) == length // 2


@pytest.mark.parametrize('shuffle', [True, False])
def test_the_order_is_that_of_mmengine(shuffle):
    data = Noise()
    sampler = InfiniteSampler(data, shuffle=shuffle, seed=3)
    loader = DataLoader(data, sampler=sampler, batch_size=4)
    opened = [[], []]
    for reader, own in zip(
        (PlacedLoader(loader, 0), loader), opened, strict=True
    ):
        data.opened = own
        batches = iter(reader)
        for _ in range(60):
            next(batches)
    assert opened[0] == opened[1]

    placed = PlacedLoader(loader, 0)
    placed.start_at(37)
    data.opened = late = []
    next(iter(placed))
    assert late == opened[0][37 * 4 : 38 * 4]


def test_batch_samplers_of_any_kind():
    data = Noise()

    class Pairs(BatchSampler):
        pass

    batches = Pairs(DefaultSampler(data, seed=3), 5, False)
    loader = DataLoader(data, batch_sampler=batches)
    values = list(PlacedLoader(loader, 0))
    late = PlacedLoader(loader, 0)
    late.start_at(4)
    assert len(late) == 10
    for one, two in zip(values[4:], late, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize('images', [50, 118_287])
def test_a_million_iterations_are_skipped_without_data(
    tmp_path, images, monkeypatch
):
    monkeypatch.setattr(Noise, '__len__', lambda data: images)
    spent = []
    for past in (0, 1_000_000):
        data = Noise()
        options = {'hooks': [EXACT], 'data': data}
        runner = toy_runner(tmp_path / str(past), past + 1, **options)
        loop = runner.build_train_loop(runner._train_loop)
        runner._train_loop = loop
        loop._iter = past
        (hook,) = [h for h in runner.hooks if isinstance(h, ExactResumeHook)]
        data.opened.clear()
        start = time.process_time()
        hook.before_train(runner)
        for _ in range(past):
            next(loop.dataloader_iterator)
        assert data.opened == []
        assert next(loop.dataloader_iterator) is not None
        assert len(data.opened) == 2
        spent.append(time.process_time() - start)
    print(f'{images} images: {spent[1] - spent[0]:.2f} s more')
    assert spent[1] - spent[0] < 1

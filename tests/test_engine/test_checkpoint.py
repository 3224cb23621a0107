import builtins
import functools
import http.server
import os
import pickle
import threading

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch.utils.data import DataLoader

import mmseg_plugin.registry  # noqa: F401  (puts the loaders in place)
from mmseg_plugin.engine import checkpoint


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def malicious(tmp_path):
    trace = tmp_path / 'executed'
    path = tmp_path / 'malicious.pth'
    attack = Call(os.mkdir, str(trace))
    torch.save({'state_dict': {}, 'meta': attack}, path)
    return path, trace


def test_a_file_with_code_is_refused_and_not_executed(malicious):
    path, trace = malicious
    torch.load(path, weights_only=False)
    assert trace.exists(), 'the attack of this test does not work'
    trace.rmdir()

    for load in (
        CheckpointLoader.load_checkpoint,
        functools.partial(load_checkpoint, torch.nn.Linear(1, 1)),
    ):
        with pytest.raises(pickle.UnpicklingError) as caught:
            load(str(path))
        message = str(caught.value)
        assert 'malicious.pth was refused' in message
        assert 'posix.mkdir' in message
        # As torch recommends it.
        assert 'weights_only' not in message
    assert not trace.exists()


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__reduce__'),
        (torch.nn.Linear, 'forward'),
        (np.ndarray, 'mean'),
        (OneCycleParamScheduler, '__init__'),
        (OneCycleParamScheduler, 'build_iter_from_epoch'),
    ],
)
def test_getattr_is_limited_to_history_statistics(tmp_path, owner, name):
    path = tmp_path / 'getattr.pth'
    torch.save({'x': Call(builtins.getattr, owner, name)}, path)
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(str(path))


def test_history_and_numpy_values_survive(tmp_path):
    path = tmp_path / 'state.pth'
    buffer = HistoryBuffer()
    buffer.update(3.0)
    values = {
        'buffer': buffer,
        'scalars': [np.float32(1.5), np.int64(2), np.bool_(True)],
        'array': np.arange(3, dtype=np.uint16),
    }
    torch.save(values, path)
    got = CheckpointLoader.load_checkpoint(str(path))
    assert got['buffer'].current() == 3.0
    assert got['buffer'].statistics('mean') == 3.0
    assert got['scalars'] == values['scalars']
    assert np.array_equal(got['array'], values['array'])


@pytest.mark.parametrize(
    'content',
    [b'', b'hello', b'<html>not found</html>', b'PK\x03\x04 cut off'],
)
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / 'damaged.pth'
    path.write_bytes(content)
    with pytest.raises(
        pickle.UnpicklingError, match=r'damaged.pth cannot be read \(.*\);'
    ) as caught:
        CheckpointLoader.load_checkpoint(str(path))
    assert 'weights_only' not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent.pth'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'absent.pth'))


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / 'served'
    folder.mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(folder)
    )
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as http_:
        threading.Thread(target=http_.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{http_.server_port}'
        http_.shutdown()


def test_http_files_are_data_too(server, malicious, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    folder, url = server
    torch.save({'state_dict': {'weight': torch.ones(2)}}, folder / 'good.pth')
    got = CheckpointLoader.load_checkpoint(f'{url}/good.pth')
    assert got['state_dict']['weight'].tolist() == [1, 1]

    path, trace = malicious
    path.rename(folder / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(f'{url}/bad.pth')
    assert not trace.exists()


@pytest.mark.parametrize('rank', [0, 1])
def test_every_machine_downloads_a_file_once(
    server, tmp_path, monkeypatch, rank
):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    folder, url = server
    torch.save({'weight': torch.ones(2)}, folder / 'good.pth')
    # Rank 1 on a disk of its own finds nothing after the barrier.
    monkeypatch.setattr(checkpoint, 'get_dist_info', lambda: (rank, 2))
    CheckpointLoader.load_checkpoint(f'{url}/good.pth')
    (folder / 'good.pth').unlink()
    got = CheckpointLoader.load_checkpoint(f'{url}/good.pth')
    assert got['weight'].tolist() == [1, 1]


class Toy(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor'):
        return {'loss': self.linear(torch.ones(1, 1)).pow(2).sum()}


def toy_runner(work_dir, max_epochs, resume=False, scheduler=None):
    model = Toy()
    return Runner(
        model,
        work_dir=str(work_dir),
        train_dataloader=DataLoader([0, 1, 2], collate_fn=lambda x: [x]),
        train_cfg={'by_epoch': True, 'max_epochs': max_epochs},
        optim_wrapper=OptimWrapper(
            torch.optim.AdamW(model.parameters(), lr=0.1)
        ),
        param_scheduler=scheduler,
        resume=resume,
        experiment_name=f'toy{work_dir}{max_epochs}{resume}'.replace('/', '_'),
    )


def test_training_resumes_to_the_uninterrupted_result(tmp_path):
    torch.manual_seed(0)
    whole = toy_runner(tmp_path / 'whole', 4)
    start = {k: v.clone() for k, v in whole.model.state_dict().items()}
    whole.train()

    first = toy_runner(tmp_path / 'parts', 2)
    first.model.load_state_dict(start)
    first.train()
    second = toy_runner(tmp_path / 'parts', 4, resume=True)
    second.train()
    assert second.iter == 12
    for name, value in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value)


def test_checkpoints_of_one_cycle_schedules_load(tmp_path):
    # MMEngine pickles a function of this scheduler.
    schedule = {'type': 'OneCycleLR', 'eta_max': 0.1, 'total_steps': 4}
    toy_runner(tmp_path / 'run', 1, scheduler=schedule).train()
    path = tmp_path / 'run' / 'epoch_1.pth'
    (state,) = CheckpointLoader.load_checkpoint(str(path))['param_schedulers']
    assert state['anneal_func'](0.0, 1.0, 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ('content', 'names'),
    [
        ({'meta': {'dataset_meta': {'classes': ('a', 'b')}}}, ('a', 'b')),
        ({'meta': {'CLASSES': ['a']}}, ('a',)),
        ({'meta': {'dataset_meta': 'x', 'classes': ['a']}}, ('a',)),
        *(({'meta': {'dataset_meta': {'classes': c}}}, None) for c in 'x5'),
        *(({'meta': {'classes': c}}, None) for c in (5, [], None, {})),
        *(({'meta': meta}, None) for meta in ('x', 5, [], None)),
        *((content, None) for content in ([], 'x', None)),
    ],
)
def test_classes_that_a_checkpoint_names(content, names):
    assert checkpoint.kept_classes(content) == names

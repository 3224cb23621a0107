"""``bench --device cuda``, on the CPU with a stand-in for the device."""

import importlib
import json
import time

import pytest
import torch
from clocks import EventClock, cuda_clock
from device_run import measure_device
from goldens import check_goldens
from harness import BENCHES, Arms, Bench
from precisions import ALL, FLOAT32

from mmseg_plugin.cli.cli import UserError

CPU = torch.device('cpu')


class StandIn:
    """A device whose time goes by in calls of :meth:`work` only."""

    def __init__(self):
        self.now = self.used = self.most = 0.0
        self.pending = []
        self.formats = []

    def work(self, milliseconds, megabytes):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
        tf32 = torch.get_float32_matmul_precision() != 'highest'
        self.formats.append((product.dtype, tf32))
        self.pending.append((milliseconds, megabytes))

    def synchronize(self):
        for milliseconds, megabytes in self.pending:
            self.now += milliseconds
            self.most = max(self.most, self.used + megabytes * 2**20)
        self.pending.clear()

    def Event(self, enable_timing):  # noqa: N802
        assert enable_timing
        return StandInEvent(self)

    def get_device_name(self):
        return 'Stand-in 3000'

    def memory_allocated(self):
        return self.used

    def max_memory_allocated(self):
        return self.most

    def reset_peak_memory_stats(self):
        self.most = self.used


class StandInEvent:
    """Is reached when all work before it is done."""

    def __init__(self, device):
        self.device = device

    def record(self):
        self.at = sum(job[0] for job in self.device.pending)
        self.start = self.device.now

    def elapsed_time(self, end):
        assert not self.device.pending, 'nobody waited for the device'
        return end.start + end.at - self.start - self.at


def raises(message):
    raise RuntimeError(f'{message}\nand a trace')


@pytest.fixture
def device():
    device = StandIn()
    # What lies there before is no part of a call's peak.
    device.used = 7 * 2**20
    return device


@pytest.fixture
def benches(monkeypatch, device):
    monkeypatch.setattr('device_run.ROUNDS', 0.0)

    def add(name, make, precisions, unit='s'):
        found = Bench(make, 'a peer', 2.0, unit, precisions)
        monkeypatch.setitem(BENCHES, name, found)
        return name

    def arms(on):
        assert on == CPU
        return Arms(lambda: device.work(20, 30), lambda: device.work(50, 60))

    return [
        add('whole', arms, ALL),
        add('loss', arms, FLOAT32),
        add('cpu_only', lambda: raises('run'), ()),
        add('disagrees', lambda on: raises('differ'), FLOAT32),
        add(
            'half',
            lambda on: Arms(
                lambda: device.work(20, 30), lambda: raises('no kernel')
            ),
            FLOAT32,
        ),
    ]


def goldens(device, seconds):
    return {
        'passed': 5,
        'failed': 1,
        'reasons': {'case': 'differs'},
        'finished': False,
    }


def test_one_report_of_all(device, benches, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['bench', '--device', 'cuda', 'two words'])
    before = torch.get_float32_matmul_precision()
    clock = EventClock(CPU, device)
    measure_device(clock, benches, tmp_path / 'new' / 'x_cuda', 1, goldens)
    assert torch.get_float32_matmul_precision() == before
    folder = tmp_path / 'new'
    assert {p.name for p in folder.iterdir()} == {'x_cuda.json', 'x_cuda.md'}
    report = json.loads((folder / 'x_cuda.json').read_text())
    assert report['device'] == 'Stand-in 3000'
    assert report['torch'] == torch.__version__
    command = "python -m mmseg_plugin bench --device cuda 'two words'"
    assert report['command'] == command
    both = {'ours': 0.02, 'peer': 0.05, 'ours_mb': 30.0, 'peer_mb': 60.0}
    lines = {(x['bench'], x['precision']): x for x in report['lines']}
    assert [*lines] == [
        *(('whole', kind) for kind in ALL),
        *((name, 'fp32') for name in ('loss', 'disagrees', 'half')),
    ]
    for key in [*lines][:4]:
        assert {k: lines[key][k] for k in both} == pytest.approx(both)
        assert lines[key]['failed'] == {}
    failed = lines['disagrees', 'fp32']['failed']
    assert failed == {'both': 'RuntimeError: differ'}
    half = lines['half', 'fp32']
    assert half['failed'] == {'peer': 'RuntimeError: no kernel'}
    assert half['ours'] == pytest.approx(0.02)
    assert 'peer' not in half
    # Both arms: a first call, two rounds, memory.
    assert device.formats[:24] == (
        [(torch.float32, False)] * 8
        + [(torch.float32, True)] * 8
        + [(torch.bfloat16, True)] * 8
    )
    text = (folder / 'x_cuda.md').read_text()
    assert text.startswith(f'# Benchmarks on Stand-in 3000\n\n`{command}`')
    table = [line for line in text.splitlines() if line.startswith('|')]
    assert {line.count('|') for line in table} == {10}
    assert (
        '| `whole` | bf16 | 20 | 50 | 2.50x | 30 | 60 | 2.00x | a peer |'
        in table
    )
    assert '| `half` | fp32 | 20 | – | – | 30 | – | – | a peer |' in table
    assert '5 passed, 1 failed; the rest was left out' in text
    assert '- `case`: differs\n' in text
    assert '- `half`, fp32, peer: RuntimeError: no kernel\n' in text
    assert 'Not run' not in text
    assert 'half' in capsys.readouterr().out


def test_nothing_is_started_that_would_end_too_late(
    device, benches, tmp_path, monkeypatch
):
    seconds = iter(range(0, 1000, 7))
    monkeypatch.setattr(time, 'monotonic', lambda: next(seconds))
    out = tmp_path / 'x'
    measure_device(EventClock(CPU, device), benches, out, 0.8, goldens)
    report = json.loads(out.with_name('x.json').read_text())
    names = [line['bench'] for line in report['lines']]
    assert names == ['whole'] * 3
    assert report['not_run'] == ['loss', 'disagrees', 'half']
    assert 'Not run, out of time: `loss`' in out.with_name('x.md').read_text()


def test_a_machine_without_a_device_is_told():
    if torch.cuda.is_available():
        pytest.skip('there is a device')
    with pytest.raises(UserError, match='finds no CUDA device'):
        cuda_clock()


@pytest.mark.parametrize(
    ('module', 'names'),
    [
        ('decoder', {'attention_mask_1024_stride8', 'decoder_1024'}),
        ('ibs', {'ibs_overhead', 'ibs_loss'}),
        ('mask_dino', {'mask_dino_loss_path_time', 'step_mask_dino_demo'}),
        ('mask_path', {'mask_path_1024_g20', 'mask_path_shared_1024_g30'}),
        ('postprocess', {'postprocess_instance_480x640'}),
        ('step', {'step_m2f_r50_512', 'inference_m2f_r50_512'}),
    ],
)
def test_query_benchmarks_run_on_a_device(module, names):
    importlib.import_module(f'bench_{module}')
    on_device = {name for name, found in BENCHES.items() if found.precisions}
    assert names <= on_device


@pytest.mark.slow
def test_golden_cases_are_counted():
    found = check_goldens(CPU, 100, 'pq')
    if 'message' in found:
        pytest.skip(found['message'])
    assert found['passed'] > 0
    assert found['failed'] == 0
    assert found['finished']
    assert found['reasons'] == {}

"""``bench --against``: this checkout beside another one, both stood in for."""

import against
import pytest
from harness import Arms, Bench

from mmseg_plugin.cli.cli import UserError

HARNESS = """
from types import SimpleNamespace
BENCHES = {}
"""
BENCH = """
import time
import torch
from harness import BENCHES, SimpleNamespace

def spin():
    torch.ones(COUNT).add_(1)
    if COUNT > 2:
        torch.ones(1)
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        pass

def make():
    print('preparing')
    return SimpleNamespace(ours=spin)

BENCHES['spin'] = SimpleNamespace(make=make)
"""


@pytest.fixture
def checkouts(tmp_path):
    folders = []
    for place, seconds in (('benchmarks', 0.01), ('tools/bench', 0.05)):
        folder = tmp_path / str(seconds) / place
        folder.mkdir(parents=True)
        (folder / 'harness.py').write_text(HARNESS)
        text = BENCH.replace('SECONDS', str(seconds))
        text = text.replace('COUNT', str(int(100 * seconds)))
        (folder / 'bench_spin.py').write_text(text)
        text = f'import sys\nprint("first")\nprint({seconds}, *sys.argv[4:])'
        (folder / '__main__.py').write_text(text)
        folders.append(against.bench_folder(tmp_path / str(seconds)))
    return folders


def test_times_and_memory_of_both(checkouts):
    (this, other), operators = against.seconds('spin', checkouts)
    assert operators == [2, 3]
    assert 0.01 <= this < other
    assert other >= 0.05
    assert against.megabytes('spin', checkouts) == [0.01, 0.05]
    with pytest.raises(UserError, match='absent does not run in both'):
        against.seconds('absent', checkouts)


def test_table(tmp_path, checkouts, monkeypatch, capsys):
    def bench(unit):
        return Bench(lambda: Arms(print, print), 'peer', 1.0, unit)

    made = {'a_time': bench('s'), 'a_size': bench('MB'), 'count': bench('ops')}
    monkeypatch.setattr(against, 'BENCHES', made)
    monkeypatch.setattr(against, 'seconds', lambda *_: ([1.03, 1.0], [2, 3]))
    monkeypatch.setattr(against, 'megabytes', lambda *_: [90.0, 100.0])
    against.compare([*made], tmp_path / '0.05')
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ['a_time', '1.03', '1', 's', '+3.0%']
    assert lines[2] == ['a_time', '2', '3', 'ops', '-33.3%']
    assert lines[3] == ['a_size', '90', '100', 'MB', '-10.0%']
    assert len(lines) == 4
    with pytest.raises(UserError, match='has no benchmarks/harness.py'):
        against.compare([], tmp_path)

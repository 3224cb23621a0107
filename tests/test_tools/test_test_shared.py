"""ResumableTestLoop: tests that several processes share, or were killed."""

import json
import os
import signal
import sys
from functools import partial

import pytest
from mmengine.registry import METRICS

from mmseg_plugin.engine.kept_results import KeptTensors
from tests.test_tools.colour_model import call, write_data, write_model
from tests.toy_run import Score
from tests.two_ranks import on_ranks
from tools import test

# The colour model needs no weights to be right, so labels are made wrong.
CONFIG = """
custom_imports = dict(imports=['tests.test_tools.colour_model'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator + [
    dict(
        type='mmseg_plugin.CocoInstanceMetric',
        ann_file=val_evaluator[0]['ann_file'],
        metric='segm',
        prefix='own',
    )
]
test_cfg = dict()
"""


@METRICS.register_module()
class ScoresElsewhere(Score):
    tmp_dir = 'a folder'


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_data(tmp_path)
    config, _ = write_model(tmp_path)
    config.write_text(config.read_text() + CONFIG)
    truth = json.loads((tmp_path / 'ann.json').read_text())
    truth['annotations'][0]['category_id'] = 8
    (tmp_path / 'ann.json').write_text(json.dumps(truth))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(root, *more):
    where = ('--work-dir', root / 'work')
    return (root / 'config.py', root / 'model.pth', *where, *more)


def scores_of(folder):
    return json.loads((folder / 'metrics.json').read_text())


def killed(monkeypatch, words, after):
    """A test that is killed when it keeps its results for the nth time."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        return
    keep, calls = KeptTensors.keep, []

    def last(self, name, record):
        calls.append(name)
        if len(calls) == after:
            os.kill(os.getpid(), signal.SIGKILL)
        keep(self, name, record)

    KeptTensors.keep = last
    try:
        call(test.main, monkeypatch, *words)
    finally:
        os._exit(1)


def run_rank(rank, words, folder):
    os.chdir(folder)
    sys.argv = ['test', *map(str, words)]
    test.main()


def test_scores_after_a_kill_are_those_of_one_process(root, monkeypatch):
    call(test.main, monkeypatch, *arguments(root))
    (log,) = (root / 'work').glob('*/2*.json')
    alone = json.loads(log.read_text().splitlines()[-1])

    words = arguments(root, '--results', root / 'two of it, kept')
    killed(monkeypatch, words, after=2)
    part = root / 'two of it, kept.part'
    assert [path.name for path in part.glob('records/*')] == ['0.pth']
    done = (part / 'records/0.pth').stat().st_ino

    other = (*words, '--cfg-options', 'model.kinds=[]')
    with pytest.raises(ValueError, match=r'part of other results \(config '):
        call(test.main, monkeypatch, *other)
    assert (part / 'records/0.pth').stat().st_ino == done

    # Three processes share the two images that are left.
    on_ranks(
        partial(run_rank, words=words, folder=root),
        root,
        3,
        100,
        start_method='forkserver',
    )
    assert not part.exists()
    scores = scores_of(root / 'two of it, kept')
    # MMEngine's log has no integers of NumPy.
    assert scores.pop('own/segm_max_dets') == 1000
    assert {key: alone[key] for key in scores} == scores
    assert 0 < scores['coco/segm_mAP_50'] < 1
    assert 0 < scores['own/segm_mAP'] < 1
    with pytest.raises(ValueError, match='exists and is not an empty folder'):
        call(test.main, monkeypatch, *words)


@pytest.mark.parametrize(
    ('changed', 'said'),
    [
        ("test_cfg = dict(type='ValLoop')", 'which keeps no results'),
        (
            "test_evaluator = dict(type='ScoresElsewhere')",
            'ScoresElsewhere keeps .* give it an outfile_prefix',
        ),
    ],
)
def test_what_would_lose_results_is_refused(root, monkeypatch, changed, said):
    config = root / 'config.py'
    config.write_text(f'{config.read_text()}\n{changed}\n')
    words = arguments(root, '--results', root / 'out')
    with pytest.raises(ValueError, match=said):
        call(test.main, monkeypatch, *words)
    assert not list(root.glob('out*'))

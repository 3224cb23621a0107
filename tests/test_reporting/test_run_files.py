import json

import pytest

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.reporting.run_files import common_names, read_run
from mmseg_plugin.reporting.sections.curves import verdict

CONFIG = "model = dict(type='X')\ntrain_cfg = dict({loop})\n"


@pytest.fixture
def write(tmp_path):
    def write(start, lines, loop='max_iters=40', rest=''):
        folder = tmp_path / 'run' / start / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'config.py').write_text(CONFIG.format(loop=loop))
        text = ''.join(json.dumps(line) + '\n' for line in lines)
        (folder / 'scalars.json').write_text(text + rest)
        return tmp_path / 'run'

    return write


def lines(*steps):
    return [{'loss': 1.0, 'step': step, 'time': 1.0} for step in steps]


def test_a_resumed_run_takes_over_and_a_cut_line_is_left_out(write):
    metric = {'coco/segm_mAP': 0.5, 'step': 1}
    write('1', [*lines(10, 20), metric, *lines(30)], rest='{"loss": 1.0, "st')
    folder = write('2', lines(30, 40))
    (folder / 'iter_40.pth').touch()
    run = read_run(folder)
    assert [line['step'] for line in run.train] == [10, 20, 30, 40]
    # Counted in iterations, whatever MMEngine counts in.
    assert [line['step'] for line in run.val] == [20]
    assert run.series('coco/segm_mAP', 'val') == ([20], [0.5])
    assert run.checkpoint == folder / 'iter_40.pth'
    assert run.notes == []


def test_what_is_missing_is_said(write):
    run = read_run(write('1', lines(10)))
    said = ' '.join(run.notes)
    assert 'not validated' in said
    assert 'no checkpoint' in said
    assert 'ended early: 10 of 40 iterations' in said


def test_a_run_stopped_before_its_first_line(write):
    assert 'no training iteration' in read_run(write('1', [])).notes[0]


def test_the_best_checkpoint_is_preferred(write):
    folder = write('1', lines(40))
    for name in ('best_coco_segm_mAP_iter_20.pth', 'iter_40.pth'):
        (folder / name).touch()
    (folder / 'last_checkpoint').write_text('/moved/from/iter_40.pth')
    assert read_run(folder).checkpoint.name.startswith('best_')
    (folder / 'best_coco_segm_mAP_iter_20.pth').unlink()
    assert read_run(folder).checkpoint.name == 'iter_40.pth'


def test_no_run_and_the_same_run_twice_are_refused(write, tmp_path):
    with pytest.raises(UserError, match='not the work_dir of a run'):
        read_run(tmp_path)
    run = read_run(write('1', lines(40)))
    with pytest.raises(UserError, match='named twice'):
        common_names([run, run])


@pytest.mark.parametrize(
    ('data', 'said'),
    [(0.5, 'Bound by data'), (0.15, 'Mostly'), (0.01, 'Bound by computing')],
)
def test_what_bounds_a_run(data, said):
    logged = [{'time': 1.0, 'data_time': data, 'loss': 1.0}] * 3
    assert verdict(logged).startswith(said)
    assert 'No times' in verdict([{'loss': 1.0}])

import csv
import json
import os

import cv2
import numpy as np
import pytest

from mmseg_plugin.cli.cli import UserError
from tests.test_tools.colour_model import call, write_data, write_model
from tools import compare_runs


def log(run, start, losses, name='20260101_000000'):
    folder = run / name / 'vis_data'
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {'loss': loss, 'loss_mask': loss / 2, 'lr': 0.1, 'step': step}
        for step, loss in enumerate(losses, start)
    ]
    lines.append({'coco/segm_mAP': 0.5, 'step': 1})
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    return folder


@pytest.fixture
def make_run(tmp_path):
    """A work_dir as training leaves it."""
    write_data(tmp_path)

    def make_run(name, **options):
        run = tmp_path / name
        folder = log(run, 1, np.linspace(3, 1, 50).tolist())
        config, checkpoint = write_model(tmp_path, **options)
        config.replace(folder / 'config.py')
        checkpoint.replace(run / 'epoch_3.pth')
        # As stored on the machine that trained it.
        (run / 'last_checkpoint').write_text('/elsewhere/run/epoch_3.pth')
        return run

    return make_run


@pytest.fixture
def compare(tmp_path, monkeypatch):
    def compare(*arguments):
        out = tmp_path / 'out'
        call(compare_runs.main, monkeypatch, *arguments, '--out', out)
        return out

    return compare


def read_csv(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_evaluates_runs_and_draws_curves(make_run, compare, capsys):
    good, weak = make_run('good'), make_run('weak')
    out = compare(good, weak, '--losses', 'loss', 'loss_mask')
    metrics = json.loads((out / 'metrics.json').read_text())
    # Every square is found.
    assert metrics['good'] == {
        'AP': 1, 'AP50': 1, 'AP75': 1, 'AP_s': 1, 'AP_m': -1, 'AP_l': -1,
        'max_dets': 300,
    }  # fmt: skip
    rows = read_csv(out / 'pr_curves.csv')
    assert len(rows) == 2 * 3 * 101
    assert {r['iou'] for r in rows} == {'0.5', '0.75', '0.5:0.95'}
    np.testing.assert_allclose([float(r['precision']) for r in rows], 1)
    losses = read_csv(out / 'loss_curves.csv')
    assert len(losses) == 2 * 2 * 50
    assert float(losses[0]['raw']) == 3
    # Mean of 3 and its two right neighbours, 2 / 49 apart.
    assert float(losses[0]['smoothed']) == pytest.approx(3 - 2 / 49)
    for name in ('pr_curves.png', 'loss_curves.png'):
        assert cv2.imread(str(out / name)).shape[1] > 600
    said = capsys.readouterr().out
    assert 'AP50 1.000' in said
    assert '(at 300 detections an image, class)' in said


def test_kept_results_are_used_until_the_checkpoint_is_newer(
    make_run, compare
):
    run = make_run('run')
    compare(run)
    kept = run / 'results.segm.json'
    few = json.loads(kept.read_text())[:2]
    kept.write_text(json.dumps(few))
    metrics = json.loads((compare(run) / 'metrics.json').read_text())
    assert 0 < metrics['run']['AP'] < 1
    os.utime(kept, (1, 1))
    metrics = json.loads((compare(run) / 'metrics.json').read_text())
    assert metrics['run']['AP'] == 1


def test_resumed_run_continues_its_curve(make_run, compare):
    run = make_run('run')
    log(run, 41, [0.5] * 20, name='20260101_010000')
    rows = read_csv(compare(run) / 'loss_curves.csv')
    assert [int(r['step']) for r in rows] == list(range(1, 61))
    assert float(rows[39]['raw']) > 1
    assert {float(r['raw']) for r in rows[40:]} == {0.5}


def test_runs_of_one_name_are_told_apart(make_run, compare):
    runs = [make_run('one/bce'), make_run('two/bce')]
    metrics = json.loads((compare(*runs) / 'metrics.json').read_text())
    assert list(metrics) == ['one/bce', 'two/bce']


def test_a_run_given_twice_is_one_run(make_run, compare):
    run = make_run('run')
    metrics = json.loads((compare(run, run) / 'metrics.json').read_text())
    assert list(metrics) == ['run']


def test_folder_without_a_finished_run(make_run, compare, tmp_path):
    with pytest.raises(UserError, match='gone is not a folder'):
        compare(tmp_path / 'gone')
    with pytest.raises(UserError, match='images is not the work_dir'):
        compare(tmp_path / 'images')
    run = make_run('run')
    (run / 'epoch_3.pth').unlink()
    with pytest.raises(UserError, match='run is not finished'):
        compare(run)
    (run / 'last_checkpoint').unlink()
    with pytest.raises(UserError, match='run is not finished'):
        compare(run)
    assert not (tmp_path / 'out').exists()


def test_unknown_loss_lists_the_known(make_run, compare):
    with pytest.raises(UserError, match='no loss_dice; it has: loss, loss_ma'):
        compare(make_run('run'), '--losses', 'loss_dice')


def test_annotations_are_gone(make_run, compare, tmp_path):
    run = make_run('run')
    (tmp_path / 'ann.json').unlink()
    with pytest.raises(UserError, match=r'ann\.json of run .* cannot be'):
        compare(run)


def test_metric_without_masks(make_run, compare):
    run = make_run('run')
    config = next(run.glob('*/vis_data/config.py'))
    config.write_text(config.read_text().replace(", 'segm'", ''))
    with pytest.raises(UserError, match='has no masks to compare'):
        compare(run)


ROW = {'image_id': 1, 'category_id': 7, 'score': 1, 'segmentation': {}}


@pytest.mark.parametrize('kind', ['mmdet.Coco', 'mmseg_plugin.CocoInstance'])
def test_results_that_do_not_fit(make_run, compare, kind):
    run = make_run('run')
    (config,) = run.glob('*/vis_data/config.py')
    config.write_text(config.read_text().replace('mmdet.CocoM', f'{kind}M'))
    for text, says in [
        (json.dumps([ROW]), 'image 1 of the results'),
        ('[{', 'Expecting property name'),
        ('{"annotations": []}', "result 0 is 'annotations', not an object"),
        ('[{"image_id": 100}]', 'result 0: its category_id is None'),
        ('[{"category_id": 7, "image_id": []}]', 'its image_id is'),
    ]:
        (run / 'results.segm.json').write_text(text)
        with pytest.raises(UserError, match=f'does not fit: .*{says}'):
            compare(run)


def without(*fields, **changes):
    def change(annotation, number):
        for field in fields:
            annotation.pop(field, None)
        for field, value in changes.items():
            annotation[field] = number if value == 'number' else value

    return change


@pytest.mark.parametrize(
    ('change', 'least'),
    [
        (without(id='number'), 1),
        (without(id=0), 1),
        (without('id'), 1),
        (without('iscrowd'), 1),
        (without('area'), 1),
        (without('bbox'), 1),
        (without('id', 'iscrowd', 'area', 'bbox'), 1),
        # Objects that nobody drew cannot be found.
        (without('segmentation'), 0),
        (without(segmentation=[]), 0),
        (without(segmentation=None), 0),
        (without(segmentation=[[3, 4]]), 0),
    ],
)
def test_truth_with_gaps(make_run, compare, tmp_path, change, least):
    run = make_run('run')
    compare(run)
    content = json.loads((tmp_path / 'ann.json').read_text())
    for number, annotation in enumerate(content['annotations']):
        change(annotation, number)
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    metrics = json.loads((compare(run) / 'metrics.json').read_text())
    assert metrics['run']['AP'] == least


def test_damaged_truth_is_named(make_run, compare, tmp_path):
    run = make_run('run')
    compare(run)
    content = json.loads((tmp_path / 'ann.json').read_text())
    content['annotations'][0]['segmentation']['size'] = [3, 3]
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match=r'ann\.json.*annotation 1 of image'):
        compare(run)

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
from pycocotools import mask as coder

from mmseg_plugin.checks import (
    CHECKS,
    FIXES,
    GROUPS,
    Options,
    Selection,
    fixed_copy,
    format_report,
    run_checks,
)
from mmseg_plugin.checks.images import near_pairs
from mmseg_plugin.checks.polygons_table import polygon_table
from tests.test_checks import broken

TABLES = [table for table, _ in broken.MAKERS]
BROKEN = [name for table in TABLES for name in table]


def ids(findings):
    return {finding.id for finding in findings}


def test_every_check_has_a_failing_case():
    assert sorted(BROKEN) == sorted(CHECKS)


def test_a_file_is_checked_without_the_framework():
    """Which takes seconds to import, and 200 MB; nor with tqdm or Pillow."""
    code = (
        'import sys, mmseg_plugin.checks.reading\n'
        "print({'torch', 'mmcv', 'cv2', 'tqdm', 'PIL'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout == 'set()\n', done.stderr


def test_each_group_is_a_file():
    names = {group.__name__.rpartition('.')[2] for group in GROUPS}
    assert {check.group for check in CHECKS.values()} == names


@pytest.mark.parametrize('name', BROKEN)
def test_a_check_finds_its_case_and_passes_good_data(name, tmp_path):
    good, bad, passing, failing = broken.make(name, tmp_path / 'data')
    assert ids(run_checks(good, passing)) == set()
    broken.spoil(name, bad)
    before = copy.deepcopy(bad.data)
    bad.reference = broken.replace(bad.reference) if bad.reference else None
    found = run_checks(bad, failing)
    assert name in ids(found)
    assert bad.data == before
    one = next(finding for finding in found if finding.id == name)
    assert one.count >= 1
    assert one.places
    assert name in format_report(found)
    json.dumps([finding.as_dict() for finding in found])


@pytest.mark.parametrize('name', broken.IMAGES_OF_MAPS)
def test_images_of_label_maps_are_looked_at(name, tmp_path):
    good, bad, options, _ = broken.make('semantic.size', tmp_path / 'data')
    bad.reference = broken.other(tmp_path / 'data')
    assert ids(run_checks(good, options)) == set()
    broken.IMAGES_OF_MAPS[name](bad)
    (found,) = (f for f in run_checks(bad, options) if f.id == name)
    # There is no file to write anew.
    assert not found.can_fix
    if name == 'semantic.size':
        stored = broken.replace(options, turns=False)
        assert name not in ids(run_checks(broken.replace(bad), stored))


@pytest.mark.parametrize('name', sorted(FIXES))
def test_a_fix_removes_its_finding(name, tmp_path):
    _, bad, _, options = broken.make(name, tmp_path / 'data')
    broken.spoil(name, bad)
    before = copy.deepcopy(bad.data)
    data, fixed = fixed_copy(bad, run_checks(bad, options))
    assert name in fixed
    assert bad.data == before
    repaired = broken.replace(bad, data=data)
    assert name not in ids(run_checks(repaired, options))
    if name in ('crowd.missing', 'crowd.all', 'crowd.rle'):
        assert not repaired.crowd.any()
    # Whatever another fix could do was done at once.
    assert not [f.id for f in run_checks(repaired, options) if f.can_fix]


@pytest.mark.parametrize('part', ['images', 'annotations', 'categories'])
def test_keys_may_be_missing_or_null(part, tmp_path):
    whole = broken.clean(tmp_path / 'data')
    # Looked at closely.
    whole.data['annotations'][0]['bbox'][0] += 5
    for key in whole.data[part][0]:
        for spoil in (dict.pop, dict.__setitem__):
            data = copy.deepcopy(whole.data)
            spoil(data[part][0], key, None)
            run_checks(broken.replace(whole, data=data), Options())


@pytest.mark.parametrize('box', [None, [], [1, 2, 3], 'none', [1, 2, '3', 4]])
def test_a_box_that_is_none_shifts_no_other(box, tmp_path):
    snapshot = broken.clean(tmp_path / 'data')
    sound = snapshot.boxes
    broken.first(bbox=box)(snapshot)
    found = broken.replace(snapshot).boxes
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1:], sound[1:])


CORNERS = [1, 2, 9, 2, 9, 10]


@pytest.mark.parametrize(
    'shape',
    [
        *('text', 3, True, [CORNERS, 3], [CORNERS, {'size': [32, 32]}]),
        *([list(map(str, CORNERS))], [[True, False] * 3], [[None] * 6]),
        *([[*CORNERS[:5], float('inf')]], [[*CORNERS[:5], float('nan')]]),
        *({'size': s, 'counts': [9, 1015]} for s in (None, 5, ['32', '32'])),
        *({'size': [32, 32], 'counts': c} for c in (None, 5, [1.5], 'x~')),
    ],
)
def test_a_segmentation_of_any_kind_is_found_and_fixed(shape, tmp_path):
    bad = broken.clean(tmp_path / 'data')
    broken.first(segmentation=shape)(bad)
    wanted = {'polygons.broken', 'polygons.short', 'rle.runs'}
    findings = run_checks(bad, Options())
    assert wanted & ids(findings)
    data, _ = fixed_copy(bad, findings)
    repaired = broken.replace(bad, data=data)
    assert not wanted & ids(run_checks(repaired, Options()))


def test_root_category_and_class_of_one_name(tmp_path):
    """Roboflow: 'facade' is the project, with id 0, and a class."""
    good = broken.clean(tmp_path / 'data')
    names = [(0, 'facade', 'none'), (1, 'door', 'facade')]
    names += [(2, 'window', 'facade'), (3, 'facade', 'facade')]
    good.data['categories'] = [
        {'id': i, 'name': name, 'supercategory': group}
        for i, name, group in names
    ]
    for number, annotation in enumerate(good.annotations):
        annotation['category_id'] = 1 + number % 3
    found = run_checks(good, Options())
    assert {'categories.same-name', 'categories.root'} <= ids(found)
    data, _ = fixed_copy(good, found)
    assert [c['name'] for c in data['categories']] == [
        'door',
        'window',
        'facade',
    ]
    assert data['annotations'] == good.annotations


def test_selection():
    only = Selection(only=('ids', 'boxes.empty')).checks
    assert {c.group for c in only} == {'ids', 'boxes'}
    rest = Selection(skip=('ids',)).checks
    assert len(rest) == sum(c.group != 'ids' for c in CHECKS.values())
    with pytest.raises(ValueError, match='did you mean boxes.empty'):
        Selection(only=('boxes.emty',))


def test_polygons_measure_as_one_by_one():
    rng = np.random.default_rng(0)
    annotations = []
    for _ in range(50):
        parts = [
            (rng.random(2 * rng.integers(3, 9)) * 50 + 1000).tolist()
            for _ in range(rng.integers(1, 4))
        ]
        annotations.append({'segmentation': parts})
    annotations[3]['segmentation'][0][0] = 'x'
    table = polygon_table(annotations, np.arange(50))
    flat = [p for a in annotations for p in a['segmentation']]
    assert np.isnan(table.area).sum() == 1
    for polygon, area, box in zip(flat, table.area, table.box, strict=True):
        if 'x' in polygon:
            continue
        points = np.array(polygon).reshape(-1, 2)
        x, y = points.T
        shoelace = x @ np.roll(y, -1) - np.roll(x, -1) @ y
        assert area == pytest.approx(abs(shoelace) / 2, abs=1e-6)
        assert box.tolist() == [*points.min(0), *points.max(0)]


def test_pairs_of_like_images_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    hashes = [int(v) for v in rng.integers(0, 2**64, 60, dtype=np.uint64)]
    for place in range(30):
        bits = rng.choice(64, rng.integers(0, 5), replace=False)
        hashes.append(hashes[place] ^ sum(1 << int(b) for b in bits))
    expected = [
        (a, b)
        for a, left in enumerate(hashes)
        for b, right in enumerate(hashes[:70])
        if (left ^ right).bit_count() <= 2
    ]
    assert near_pairs(hashes, hashes[:70]) == expected
    assert len(expected) > 70
    assert near_pairs([], hashes) == near_pairs(hashes, []) == []


def test_boxes_may_be_those_of_the_pixels(tmp_path):
    """A thin spike of a polygon covers no pixel."""
    snapshot = broken.clean(tmp_path / 'data')
    annotation = snapshot.annotations[0]
    spike = [4, 4, 14, 4, 14, 14, 9.05, 14, 9, 24, 8.95, 14, 4, 14]
    annotation.update(segmentation=[spike], bbox=[4, 4, 10, 10], area=100)
    wanted = 'boxes.not-of-mask'
    assert wanted not in ids(run_checks(snapshot, Options()))
    annotation['bbox'] = [4, 4, 6, 10]
    assert wanted in ids(run_checks(broken.replace(snapshot), Options()))


def test_a_fault_of_several_files_is_one_entry(tmp_path):
    files = []
    for name in ('train', 'valid'):
        snapshot = broken.clean(tmp_path / name)
        snapshot.annotations[0]['id'] = 0
        files += run_checks(snapshot, Options())
    text = format_report(files, 'data')
    assert text.count('ids.annotation-zero') == 1
    assert 'ids.annotation-zero (2)' in text
    assert '1 error, 0 warnings, 0 notes' in text
    assert 'train/x.json: annotation 0' in text
    assert 'valid/x.json: annotation 0' in text
    # The folder tells which split it is.
    assert 'valid/x.json: annotation 0' in format_report(files[1:])


def test_a_class_of_a_root_is_numbered_alike_in_all_splits(tmp_path):
    train = broken.clean(tmp_path / 'a')
    twice = {**train.categories[-1], 'id': 99}
    train.data['categories'] = [*train.categories, twice]
    other = broken.replace(train, reference=train)
    wanted = Selection(('leakage.categories',))
    assert not run_checks(other, Options(), wanted)


def test_a_file_of_the_command_line(run_tool, tmp_path):
    snapshot = broken.clean(tmp_path / 'data')
    snapshot.annotations[0]['id'] = 0
    snapshot.path.write_text(json.dumps(snapshot.data))
    done = run_tool(
        *('check', snapshot.path, '--fix', tmp_path / 'out'),
        *('--html', tmp_path / 'page.html'),
    )
    assert 'src="data:' in (tmp_path / 'page.html').read_text()
    assert done.returncode == 1
    assert 'ids.annotation-zero (1)' in done.stdout
    again = run_tool(
        'check', tmp_path / 'out' / 'x.json', '--no-images', '--json'
    )
    assert (again.returncode, json.loads(again.stdout)) == (0, [])
    refused = run_tool('check', snapshot.path, '--only', 'idz')
    assert 'did you mean ids?' in refused.stderr
    nothing = run_tool('check', tmp_path / 'none.json')
    assert nothing.returncode == 2
    assert 'Traceback' not in nothing.stderr


def test_runs_of_compressed_rle_are_summed(tmp_path):
    snapshot = broken.clean(tmp_path / 'data')
    mask = np.random.default_rng(0).random((32, 32)) < 0.5
    found = coder.encode(np.asfortranarray(mask))
    rle = {'size': [32, 32], 'counts': found['counts'].decode()}
    snapshot.annotations[0]['segmentation'] = rle
    assert not {i for i in ids(run_checks(snapshot, Options())) if 'rle' in i}
    rle['counts'] = rle['counts'][:-1]
    again = broken.replace(snapshot)
    assert 'rle.runs' in ids(run_checks(again, Options()))
    rle.update(size=[32, 32, 1], counts=[0, 1024])
    again = broken.replace(snapshot)
    found = ids(run_checks(again, Options()))
    assert {'rle.runs', 'rle.size'} <= {*found}


@pytest.mark.parametrize(
    'fields',
    [
        {'ignore': 1},
        {'area': 0},
        {'bbox': [500, 500, 5, 5]},
        {'bbox': [4, 4, 0.5, 9]},
    ],
)
def test_what_training_leaves_out_is_nothing_to_train_on(tmp_path, fields):
    _, bad, _, options = broken.make('crowd.nothing', tmp_path / 'data')
    broken.every(**fields)(bad)
    assert 'crowd.nothing' in ids(run_checks(bad, options))

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmseg_plugin.reporting.comparison import comparison, in_common
from mmseg_plugin.reporting.differing import differing
from mmseg_plugin.reporting.measures import measure
from mmseg_plugin.reporting.records import Judged
from mmseg_plugin.reporting.run_files import RunFiles
from mmseg_plugin.reporting.sections.classes import classes
from mmseg_plugin.reporting.sections.confusion import confused
from mmseg_plugin.reporting.sections.outcome import headline
from mmseg_plugin.reporting.view import JudgedView, RunView
from tests.test_reporting.drawn import SIZE, judged


def test_classes_in_another_order_are_the_same_classes():
    run = judged(1)
    order = [2, 0, 1]
    names = [run.classes[i] for i in order]
    turned = judged(1)
    for record in turned.images:
        record.truth, record.found = (
            [r._replace(label=order.index(r.label)) for r in regions]
            for regions in (record.truth, record.found)
        )
    other = Judged(run.kind, names, turned.images[::-1])
    first, second = in_common(run, other)
    assert list(first.classes) == list(second.classes) == ['a', 'b', 'c']
    assert measure(second).total == pytest.approx(measure(run).total)
    assert [r.path for r in first.images] == [r.path for r in second.images]


def test_only_what_both_have_is_compared():
    run = judged(1)
    other = Judged(run.kind, ('b', 'x', 'a'), judged(2).images[:3])
    first, second = in_common(run, other)
    assert len(first.images) == len(second.images) == 3
    assert first.classes == second.classes == ['a', 'b']
    assert {r.label for i in second.images for r in i.truth} <= {0, 1}
    assert in_common(run, Judged(run.kind, ('x',), run.images)) is None
    assert in_common(run, Judged(run.kind, run.classes, [])) is None


def read(path):
    return cv2.imread(str(path))


def test_the_images_that_differ_most_are_drawn(tmp_path):
    good, bad = judged(1, skill=1.0), judged(1, skill=0.0)
    for one, other in zip(good.images, bad.images, strict=True):
        one.path = other.path = str(tmp_path / f'{one.id}.png')
        cv2.imwrite(one.path, np.zeros((*SIZE, 3), np.uint8))
    # Labels of the other run are other numbers.
    bad.classes = ('x', *bad.classes)
    for record in bad.images:
        for regions in (record.truth, record.found):
            regions[:] = [r._replace(label=r.label + 1) for r in regions]
    views = {'good': JudgedView(good), 'bad': JudgedView(bad)}
    html = differing(views, read)
    pairs = re.findall(r'quality good ([\d.]+), bad ([\d.]+)</fig', html)
    assert html.count('<img') == len(pairs) == 4
    apart = [float(one) - float(two) for one, two in pairs]
    assert apart == sorted(apart, reverse=True)
    assert min(apart) > 0
    same = {'one': views['good'], 'two': views['good']}
    assert differing(same, read) == ''


@pytest.mark.parametrize('kind', ['instances', 'panoptic'])
def test_ap_names_its_number_of_detections(kind):
    files = RunFiles(Path('run'), Config({}))
    runs = []
    for number in (100, 300):
        run = judged(1, kind=kind)
        run.max_dets = number
        runs.append(RunView(files, str(number), [JudgedView(run)]))
    for run in runs:
        said = f'at {run.name} detections of an image and class'
        ((word, _),) = headline(run)
        for text in (word, classes(run), comparison(runs)):
            assert (said in text) == (kind == 'instances')


@pytest.mark.parametrize('kind', ['instances', 'semantic'])
def test_classes_that_are_taken_for_others_are_listed(kind):
    run = judged(1, 1, kind, skill=1.0)
    (record,) = run.images
    for regions in (record.truth, record.found):
        regions[:] = [r._replace(label=0, crowd=False) for r in regions]
    view = RunView(None, 'run', [JudgedView(run)])
    # Objects that moved leave pixels to void.
    right = 'no class was taken for another' in confused(view)
    assert right == (kind == 'instances')
    record.found[0] = record.found[0]._replace(label=2)
    rows = re.findall('<tr><td>(.*?)</td><td>(.*?)</td>', confused(view))
    assert ('a', 'c') in rows
    assert rows.count(('a', 'void')) == (kind == 'semantic')

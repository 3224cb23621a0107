import numpy as np
import pytest

from mmseg_plugin.reporting.bootstrap import paired_difference, resampled
from mmseg_plugin.reporting.matching import (
    best_threshold,
    confusion,
    match,
    scored_hits,
)
from mmseg_plugin.reporting.measures import (
    measure,
    objects_by_class,
    pixel_confusion,
    semantic_counts,
)
from mmseg_plugin.reporting.records import Judged, label_map
from mmseg_plugin.reporting.sections.calibration import (
    calibration,
    expected_error,
    reliability,
)
from mmseg_plugin.reporting.view import JudgedView, RunView
from tests.test_reporting.drawn import disc, judged

KINDS = ('instances', 'panoptic', 'semantic')


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('seed', range(5))
def test_a_draw_of_each_image_once_is_the_measure_itself(kind, seed):
    run = judged(seed, kind=kind)
    once = np.ones((1, len(run.images)), int)
    assert resampled(run)(once)[0] == pytest.approx(measure(run).total)


@pytest.mark.parametrize('kind', KINDS)
def test_a_draw_is_the_measure_of_the_images_drawn(kind):
    run = judged(3, kind=kind)
    draw = np.array([2, 0, 1, 0, 3, 0, 1, 1])
    images = [
        r for r, n in zip(run.images, draw, strict=True) for _ in [0] * n
    ]
    drawn = Judged(kind, run.classes, images)
    assert resampled(run)(draw[None])[0] == pytest.approx(measure(drawn).total)


@pytest.mark.parametrize('kind', KINDS)
def test_perfect_is_one_and_nothing_is_zero(kind):
    run = judged(kind=kind)
    for record in run.images:
        score = 0.5 if kind == 'instances' else None
        record.found = [
            t._replace(score=score) for t in record.truth if not t.crowd
        ]
    if kind == 'instances':
        assert measure(run).total == pytest.approx(1)
    for record in run.images:
        record.found = []
    assert measure(run).total == 0


def test_without_an_object_there_is_no_value():
    for kind in KINDS:
        run = judged(kind=kind)
        for record in run.images:
            record.truth, record.found = [], []
        assert np.isnan(measure(run).total)


def test_the_difference_of_a_run_and_itself_is_nothing():
    one = resampled(judged(1, kind='panoptic'))
    assert paired_difference(one, one, 8, 50) == (0, 0, 0)


def test_the_interval_holds_the_difference_and_its_sign():
    good = judged(1, 30, 'panoptic', skill=1.0)
    poor = judged(2, 30, 'panoptic', skill=0.2)
    found = paired_difference(resampled(poor), resampled(good), 30, 300)
    assert 0 < found.low < found.mean < found.high


def test_confusion_counts_every_object_and_result_once():
    run = judged(5)
    counts = confusion(run, [match(r) for r in run.images])
    there = objects_by_class(run.images, 3)[:, 0]
    assert counts[:3].sum(1).tolist() == there.tolist()


def test_the_best_threshold_divides_right_from_wrong():
    run = judged(images=1)
    (record,) = run.images
    record.truth = [disc((20, 20), 6, 0)]
    record.found = [
        disc((20, 20), 6, 0, 0.8),
        *(disc((40, 8 * i), 3, 0, 0.3) for i in range(1, 6)),
    ]
    assert 0.3 < best_threshold(scored_hits(run)) <= 0.8
    assert best_threshold(scored_hits(judged(kind='panoptic'))) == 0


def test_calibration_of_honest_scores():
    run = judged(images=1)
    hits = scored_hits(run)
    rng = np.random.default_rng(0)
    scores = rng.random(20000)
    honest = hits._replace(scores=scores, hits=rng.random(20000) < scores)
    assert expected_error(reliability(honest)) < 0.02
    bold = hits._replace(scores=scores, hits=rng.random(20000) < scores / 2)
    assert expected_error(reliability(bold)) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize('right', [True, False])
def test_a_threshold_is_said_where_something_is_right(right):
    run = judged(images=1)
    (record,) = run.images
    record.truth = [disc((20, 20), 6, 0)]
    place = (20, 20) if right else (40, 40)
    record.found = [disc(place, 6, 0, 0.8)]
    page = calibration(RunView(None, 'run', [JudgedView(run)]))
    assert ('has the best F1' in page) == right
    assert ('No result is right' in page) != right


def test_pixels_of_a_semantic_result_are_counted_by_class():
    run = judged(2, kind='semantic')
    for record in run.images:
        counts = pixel_confusion(record, 3)
        assert counts[3].sum() == 0
        known = (label_map(record.truth, record.size) >= 0).sum()
        assert counts.sum() == known
        shared = semantic_counts(record, 3)[:, 0]
        assert shared.tolist() == np.diag(counts)[:3].tolist()

import numpy as np
import pytest

from mmseg_plugin.visualization.plots import (
    Curve,
    Panel,
    common_limits,
    figure_of,
)


def panel(*values, unit='loss', far=True):
    steps = np.arange(len(values))
    curve = Curve('it', steps, np.array(values, float))
    return Panel('one', 'iteration', unit, [curve], far)


@pytest.mark.parametrize(
    ('values', 'far', 'scale'),
    [
        ((2000.0, 3.0), True, 'log'),
        ((2000.0, 3.0), False, 'linear'),
        ((2000.0, 0.0), True, 'linear'),
        ((4.0, 3.0), True, 'linear'),
        ((np.nan, np.nan), True, 'linear'),
        ((), True, 'linear'),
    ],
)
def test_values_far_apart_are_all_seen(values, far, scale):
    one = panel(*values, far=far)
    limits = common_limits([one])
    (axes,) = figure_of([one], limits).axes
    assert axes.get_yscale() == scale
    if limits is not None:
        assert limits[0] < min(values) <= max(values) < limits[1]


def test_panels_of_one_unit_have_one_scale():
    low, high = common_limits([panel(1, 2), panel(5, 9)])
    assert low < 1
    assert high > 9
    assert common_limits([panel(1, 2), panel(5, unit='s')]) is None


def test_zeros_are_drawn_from_zero_on():
    (axes,) = figure_of([panel(0, 0)]).axes
    assert axes.get_ylim() == (0, 1)
    (axes,) = figure_of([panel(-1, 0)]).axes
    assert axes.get_ylim()[0] < -1

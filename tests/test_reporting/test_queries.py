import numpy as np
import pytest

from mmseg_plugin.reporting.queries import ImageMatches, query_facts


def test_stability_and_use_of_queries():
    # Two layers, one image, three targets; one changes its query.
    layer = np.array([0, 0, 0, 1, 1, 1])
    target = np.array([0, 1, 2, 0, 1, 2])
    query = np.array([5, 6, 7, 5, 6, 8])
    one = ImageMatches(
        layer, np.zeros(6, int), query, target, np.array([0.5, 0.7])
    )
    other = one._replace(
        image=np.ones(6, int), query=np.array([5, 6, 7, 5, 6, 7])
    )
    found = query_facts([one, other], 10, 2)
    assert found.matched == [3, 4]
    assert found.stable == [pytest.approx(5 / 6)]
    assert found.no_object == [0.5, 0.7]
    assert (found.targets, found.samples, found.queries) == (6, 2, 10)

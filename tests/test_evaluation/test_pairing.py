import numpy as np
import pytest

from mmseg_plugin.evaluation.pairing import Pair, Pairs, pair_up

CAT, DOG = 0, 1


def test_the_same_class_is_preferred_to_a_better_overlap():
    table = np.array([[0.9, 0.6]])
    pairs = pair_up(table, [DOG], [CAT, DOG])
    assert pairs == Pairs([Pair(1, 0, 0.6)], [], [0], [])


def test_another_class_is_confused_not_missed():
    pairs = pair_up(np.array([[0.9]]), [DOG], [CAT])
    assert pairs == Pairs([], [Pair(0, 0, 0.9)], [], [])
    assert pairs.quality == 0


def test_the_better_score_takes_the_object():
    table = np.array([[0.7], [0.6]])
    pairs = pair_up(table, [CAT, CAT], [CAT], [0.1, 0.8])
    assert pairs.right == [Pair(0, 1, 0.6)]
    assert pairs.false == [0]
    assert pairs.quality == pytest.approx(0.6 / 1.5)


def test_a_crowd_is_neither_found_nor_missed():
    table = np.array([[0.9, 0.0], [0.1, 0.0]])
    pairs = pair_up(table, [CAT, CAT], [CAT, CAT], crowd=[True, False])
    assert pairs == Pairs([], [], [1], [1])


def test_below_half_is_nothing():
    assert pair_up(np.array([[0.49]]), [CAT], [CAT]) == Pairs([], [], [0], [0])


def test_nothing_has_no_quality():
    assert pair_up(np.zeros((0, 0)), [], []).quality is None
    assert pair_up(np.zeros((0, 1)), [], [CAT]).quality == 0

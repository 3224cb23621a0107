import pytest
import torch

from mmseg_plugin.converters import Rule, Table, Transform, convert

DOUBLE = Transform(lambda x: 2 * x, lambda x: x / 2)
TABLE = Table(
    rules=(
        Rule('a.{i}.x.{p}', 'b.{p}.of{i}'),
        Rule('plain', 'simple'),
        Rule('extra.{i}.{j}', 'more.{j}.{i}', optional=True, transform=DOUBLE),
    ),
    dropped={'d2': {'mean.{p}': 'config'}, 'mmdet': {'count': 'unused'}},
    made=lambda state: {'ones': torch.ones(len(state['plain']))},
    tied={'copy.{i}': 'plain'},
)


def test_names_and_values_go_both_ways():
    state = {
        'a.12.x.weight.y': torch.tensor(1.0),
        'plain': torch.zeros(3),
        'extra.1.22': torch.tensor(3.0),
        'mean.rgb': torch.tensor(0.0),
    }
    there = convert(state, TABLE, 'mmdet')
    assert there.state == {
        'b.weight.y.of12': torch.tensor(1.0),
        'simple': state['plain'],
        'more.22.1': torch.tensor(6.0),
    }
    assert there.renamed[0] == ('a.12.x.weight.y', 'b.weight.y.of12')
    assert there.dropped == [('mean.rgb', 'config')]
    back = convert(there.state, TABLE, 'd2')
    assert back.made == ['ones']
    assert back.state['ones'].tolist() == [1, 1, 1]
    assert back.state['extra.1.22'] == 3
    assert set(back.state) == set(state) - {'mean.rgb'} | {'ones'}


def test_an_optional_rule_may_match_nothing():
    state = {'a.0.x.w': torch.zeros(1), 'plain': torch.zeros(1)}
    assert set(convert(state, TABLE, 'mmdet').state) == {'b.w.of0', 'simple'}


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        (['a.0.x.w', 'plain', 'plain2'], 'no d2 names of this model: plain2'),
        (['a.b.x.w', 'plain'], 'no d2 names of this model: a.b.x.w'),
        (['a.0.x.w'], 'no key of the file matches: plain'),
        ([], 'no key of the file matches'),
    ],
)
def test_what_does_not_fit_is_refused(state, message):
    with pytest.raises(ValueError, match=message):
        convert(dict.fromkeys(state, torch.zeros(1)), TABLE, 'mmdet')


def test_two_keys_of_one_name_are_refused():
    table = Table((Rule('a', 'c'), Rule('b', 'c')), {})
    state = {'a': torch.zeros(1), 'b': torch.ones(1)}
    with pytest.raises(ValueError, match='two keys become c'):
        convert(state, table, 'mmdet')


def test_tied_copies_are_left_out_if_they_are_copies():
    state = {'a.0.x.w': torch.zeros(1), 'plain': torch.ones(2)}
    tied = state | {'copy.3': torch.ones(2)}
    there = convert(tied, TABLE, 'mmdet')
    assert there.state.keys() == {'b.w.of0', 'simple'}
    assert there.dropped == [('copy.3', 'the same as plain')]
    tied['copy.3'] = torch.zeros(2)
    with pytest.raises(ValueError, match='copy.3 and plain must be equal'):
        convert(tied, TABLE, 'mmdet')
    with pytest.raises(ValueError, match='copy of plain: missing'):
        convert({'copy.3': torch.ones(2)}, TABLE, 'mmdet')

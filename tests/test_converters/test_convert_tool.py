import io
import pickle
import sys
from collections import OrderedDict

import pytest
import torch

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.converters import (
    METHODS,
    SIDES,
    Conversion,
    choose_table,
    convert,
)
from mmseg_plugin.converters.files import read_state
from tests.tiny_heads import tiny_mask2former
from tools import convert as convert_tool
from tools.convert import summary_lines


class Trap:
    def __reduce__(self):
        return print, ('code of the file ran',)


@pytest.fixture
def head():
    torch.manual_seed(0)
    return tiny_mask2former()


@pytest.fixture
def official(head):
    """The head's weights under official names."""
    state = {f'panoptic_head.{k}': v for k, v in head.state_dict().items()}
    return convert(state, METHODS['mask2former'][0], 'd2').state


def run_convert(run_tool, source, target, *extra):
    sides = ('--from', 'd2', '--to', 'mmdet')
    return run_tool('convert', 'mask2former', source, target, *sides, *extra)


def assert_loads(head, path):
    state = torch.load(path, weights_only=True)['state_dict']
    head.load_state_dict(
        {k.removeprefix('panoptic_head.'): v for k, v in state.items()}
    )


def test_official_pth_and_back(run_tool, tmp_path, head, official):
    source, there = tmp_path / 'in.pth', tmp_path / 'there.pth'
    torch.save({'model': official, 'iteration': 7}, source)
    done = run_convert(run_tool, source, there, '--report', 'report.tsv')
    assert done.returncode == 0, done.stderr
    assert 'dropped criterion.empty_weight' in done.stdout
    lines = (tmp_path / 'report.tsv').read_text().splitlines()
    assert len(lines) == len(official)
    assert (
        'sem_seg_head.predictor.class_embed.bias\tpanoptic_head.cls_embed.bias'
    ) in lines
    assert_loads(head, there)

    back = tmp_path / 'back.pth'
    sides = ('--from', 'mmdet', '--to', 'd2')
    done = run_tool('convert', 'mask2former', there, back, *sides)
    assert done.returncode == 0, done.stderr
    again = read_state(back, 'd2')
    assert again.keys() == official.keys()
    assert all(torch.equal(again[key], official[key]) for key in official)


def test_released_pickle_of_arrays_with_early_names(
    run_tool, tmp_path, head, official
):
    early = OrderedDict(
        (
            key.replace('.pixel_decoder.', '.').replace(
                'query_feat', 'static_query'
            ),
            value.numpy(),
        )
        for key, value in official.items()
    )
    source = tmp_path / 'in.pkl'
    with source.open('wb') as file:
        pickle.dump({'model': early, '__author__': 'x'}, file, protocol=2)
    done = run_convert(run_tool, source, 'out.pth')
    assert done.returncode == 0, done.stderr
    assert_loads(head, tmp_path / 'out.pth')


@pytest.mark.parametrize(
    ('name', 'save'), [('in.pkl', pickle.dump), ('in.pth', torch.save)]
)
def test_code_in_a_file_does_not_run(run_tool, tmp_path, name, save):
    with (tmp_path / name).open('wb') as file:
        save({'model': Trap()}, file)
    done = run_convert(run_tool, name, 'out.pth')
    assert done.returncode == 2
    assert done.stderr.startswith('error: ')
    assert 'Traceback' not in done.stderr
    assert 'code of the file ran' not in done.stdout


@pytest.mark.parametrize('name', ['in.pkl', 'in.pth'])
@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'version https://git-lfs.github.com', '{} is a pointer of Git LFS'),
        (b'PK\x03\x04', 'checkpoint {} cannot be read'),
    ],
)
def test_a_damaged_file_is_refused(run_tool, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    done = run_convert(run_tool, name, 'out.pth')
    assert done.returncode == 2
    assert done.stderr.startswith(f'error: {message.format(name)}')
    assert not (tmp_path / 'out.pth').exists()


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


BAD = {
    'missing': None,
    'empty': b'',
    'pointer': b'version https://git-lfs.github.com/spec/v1\n',
    'page': b'<!DOCTYPE html>',
    'cut off': saved({'state_dict': {'a': torch.zeros(99)}})[:-99],
    'code': pickle.dumps({'model': Trap()}),
    'zip with code': saved({'model': Trap()}),
    'folder': 'folder',
    'other keys': saved({'state_dict': {'a.b': torch.zeros(1)}}),
    'no tensors': saved({'epoch': 3}),
    'list': saved([torch.zeros(1)]),
}
WAYS = [(a, b) for a in SIDES for b in SIDES if a != b]


@pytest.mark.parametrize('bad', BAD)
@pytest.mark.parametrize('way', WAYS, ids='-to-'.join)
def test_bad_files_in_every_direction(tmp_path, monkeypatch, capsys, way, bad):
    source, target = tmp_path / 'in.pth', tmp_path / 'out'
    content = BAD[bad]
    if content == 'folder':
        source.mkdir()
    elif content is not None:
        source.write_bytes(content)
    before = sorted(tmp_path.rglob('*'))
    words = ['mask2former', source, target, '--from', way[0], '--to', way[1]]
    monkeypatch.setattr(sys, 'argv', ['convert', *map(str, words)])
    with pytest.raises(UserError, match=r'in\.pth') as error:
        convert_tool.main()
    assert '\n' not in str(error.value)
    assert 'code of the file ran' not in capsys.readouterr().out
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s | {'neck.weight': torch.zeros(1)}, 'neck.weight'),
        (lambda s: {k: v for k, v in s.items() if 'class' not in k}, 'class_'),
        (lambda s: {'epoch': 3}, "'epoch' is no tensor"),
        (lambda s: {}, 'holds no state dict'),
    ],
)
def test_a_wrong_file_is_refused_and_nothing_written(
    run_tool, tmp_path, official, change, message
):
    torch.save(change(official), tmp_path / 'in.pth')
    done = run_convert(run_tool, 'in.pth', 'out.pth')
    assert done.returncode == 2
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out.pth').exists()


def test_a_reason_is_printed_once():
    conversion = Conversion(
        {},
        [('a', 'b')],
        [('x.0', 'a copy'), ('y', 'a buffer'), ('x.1', 'a copy')],
        ['m', 'n', 'o'],
    )
    assert summary_lines(conversion) == [
        'dropped x.0 and 1 more: a copy',
        'dropped y: a buffer',
        'made m and 2 more',
    ]


def test_a_missing_file_and_equal_sides_are_refused(run_tool):
    done = run_convert(run_tool, 'none.pth', 'out.pth')
    assert done.returncode == 2
    assert 'none.pth' in done.stderr
    sides = ('--from', 'd2', '--to', 'd2')
    done = run_tool('convert', 'mask2former', 'a.pth', 'b.pth', *sides)
    assert done.returncode == 2


def test_the_table_that_fits_is_chosen():
    base, encoder = METHODS['maskformer']
    key = 'sem_seg_head.pixel_decoder.transformer.encoder.layers.0.norm1.bias'
    state = {key: torch.zeros(1)}
    assert choose_table('maskformer', state, 'd2') is encoder
    assert choose_table('maskformer', {}, 'd2') is base

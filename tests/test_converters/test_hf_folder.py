"""Folders of transformers without transformers: bad ones, and attention."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from mmseg_plugin.converters import carry_over
from mmseg_plugin.converters.attention import (
    add_window_indices,
    join_attention,
    split_attention,
)
from mmseg_plugin.converters.hf_config import config_of
from mmseg_plugin.converters.hf_folder import read_folder
from tests.tiny_heads import tiny_mask2former


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / 'hf'
    path.mkdir()
    (path / 'config.json').write_text('{"model_type": "mask2former"}')
    save_file({'a.b': torch.ones(2)}, path / 'model.safetensors')
    return path


def test_a_folder_is_read(folder):
    assert read_folder(folder, 'mask2former')['a.b'].tolist() == [1, 1]


def test_parts_of_a_folder_are_read_and_missing_ones_named(folder):
    parts = {'a': 'one.safetensors', 'b': 'two.safetensors'}
    for name, file in parts.items():
        save_file({name: torch.zeros(1)}, folder / file)
    index = folder / 'model.safetensors.index.json'
    index.write_text(json.dumps({'weight_map': parts}))
    assert read_folder(folder).keys() == {'a', 'b'}
    (folder / 'two.safetensors').unlink()
    with pytest.raises(ValueError, match=r'two\.safetensors cannot be found'):
        read_folder(folder)


def no_config(folder):
    (folder / 'config.json').unlink()


def no_weights(folder):
    (folder / 'model.safetensors').rename(folder / 'pytorch_model.bin')


def other_model(folder):
    (folder / 'config.json').write_text('{"model_type": "detr"}')


def broken_config(folder):
    (folder / 'config.json').write_text('{')


class Trap:
    def __reduce__(self):
        return print, ('code of the file ran',)


def pickled(folder):
    (folder / 'model.safetensors').write_bytes(pickle.dumps(Trap()))


def zipped(folder):
    torch.save({'a': Trap()}, folder / 'model.safetensors')


def pointer(folder):
    (folder / 'model.safetensors').write_text('version https://git-lfs.gith')


def pointer_of_config(folder):
    (folder / 'config.json').write_text('version https://git-lfs.gith')


def truncated(folder):
    path = folder / 'model.safetensors'
    path.write_bytes(path.read_bytes()[:-1])


def foreign_names(folder):
    """As it is: its names belong to no model."""


def one_of_three(folder):
    name = 'model.transformer_module.decoder.layers.0.self_attn.q_proj.weight'
    save_file({name: torch.zeros(1)}, folder / 'model.safetensors')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (no_config, 'config.json cannot be found'),
        (no_weights, 'has no model.safetensors'),
        (other_model, 'is of a detr, not of a mask2former'),
        (broken_config, 'config.json is no JSON'),
        (pickled, 'is no safetensors file'),
        (zipped, 'is no safetensors file'),
        (truncated, 'is no safetensors file'),
        (pointer, 'model.safetensors is a pointer of Git LFS'),
        (pointer_of_config, 'config.json is a pointer of Git LFS'),
        (foreign_names, 'keys that are no hf names of this model: a.b'),
        (one_of_three, 'k_proj.weight is missing'),
    ],
)
def test_a_bad_folder_is_one_sentence_and_nothing_is_written(
    folder, change, message, run_tool, tmp_path
):
    change(folder)
    sides = ('--from', 'hf', '--to', 'mmdet')
    done = run_tool('convert', 'mask2former', folder, 'out.pth', *sides)
    assert done.returncode == 2
    assert done.stderr.startswith('error: ')
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert 'code of the file ran' not in done.stdout
    assert not (tmp_path / 'out.pth').exists()


def test_methods_that_transformers_has_not_are_refused():
    with pytest.raises(ValueError, match='transformers has no maskdino'):
        carry_over('maskdino', {}, 'hf', 'mmdet')


def test_an_existing_folder_is_kept(run_tool, folder):
    sides = ('--from', 'mmdet', '--to', 'hf')
    done = run_tool('convert', 'mask2former', 'in.pth', folder, *sides)
    assert done.returncode == 2
    assert 'exists' in done.stderr


def test_attention_is_joined_and_split():
    at = 'model.decoder.layers.3.encoder_attn.'
    swin = 'model.layers.0.attention.self.'
    state = {
        f'{at}v_proj.weight': torch.full((2, 2), 3.0),
        f'{at}q_proj.weight': torch.full((2, 2), 1.0),
        f'{at}k_proj.weight': torch.full((2, 2), 2.0),
        f'{swin}query.bias': torch.tensor([1.0]),
        f'{swin}value.bias': torch.tensor([3.0]),
        f'{swin}key.bias': torch.tensor([2.0]),
        # Of the deformable attention, which has no queries.
        'model.encoder.layers.0.self_attn.value_proj.bias': torch.ones(1),
    }
    joined, parts = join_attention(state)
    assert joined[f'{at}in_proj_weight'][:, 0].tolist() == [1, 1, 2, 2, 3, 3]
    assert joined[f'{swin}qkv.bias'].tolist() == [1, 2, 3]
    assert parts[f'{swin}qkv.bias'] == (
        f'{swin}query.bias',
        f'{swin}key.bias',
        f'{swin}value.bias',
    )
    assert len(joined) == 3
    split, _ = split_attention(joined)
    assert split.keys() == state.keys()
    assert all(torch.equal(split[key], state[key]) for key in state)


def test_window_index_counts_offsets_row_by_row():
    name = 'x.relative_position_bias_table'
    state = {name: torch.zeros(9, 1)}
    add_window_indices(state)
    # From (y, x) to (y', x'): 3 (y - y' + 1) + x - x' + 1.
    assert state['x.relative_position_index'].tolist() == [
        [4, 3, 1, 0],
        [5, 4, 2, 1],
        [7, 6, 4, 3],
        [8, 7, 5, 4],
    ]


@pytest.fixture
def ours():
    torch.manual_seed(0)
    head = tiny_mask2former()
    return {f'panoptic_head.{k}': v for k, v in head.state_dict().items()}


def test_every_key_comes_back_and_is_reported(ours):
    there = carry_over('mask2former', ours, 'mmdet', 'hf')
    back = carry_over('mask2former', there.state, 'hf', 'mmdet')
    assert back.state.keys() == ours.keys()
    assert all(torch.equal(back.state[key], ours[key]) for key in ours)
    assert {new for _, new in there.renamed} | set(there.made) == set(
        there.state
    )
    handled = [old for old, _ in back.renamed + back.dropped]
    assert sorted(set(handled)) == sorted(there.state)


def test_names_of_classes_have_to_be_as_many_as_classes(ours):
    state = carry_over('mask2former', ours, 'mmdet', 'hf').state
    with pytest.raises(ValueError, match='names 1 classes, its head has'):
        config_of('mask2former', state, ['one'])

import argparse
import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import read_model_config
from tests.test_exporting.tiny_detectors import photo
from tools import export

CONFIG = 'panoptic-fcn_tiny_demo_scenes'


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['export', *map(str, words)])
    export.main()


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'random.pth'
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(read_model_config(CONFIG).model)
    torch.save({'state_dict': model.state_dict()}, path)
    return path


def test_a_file_is_compared_written_and_made_smaller(
    tmp_path, monkeypatch, checkpoint, capsys
):
    onnx = pytest.importorskip('onnx', reason='export needs onnx')
    pytest.importorskip('onnxruntime', reason='export needs onnxruntime')
    cv2.imwrite(str(tmp_path / 'image.png'), photo(70, 90))
    out = tmp_path / 'out'
    words = CONFIG, checkpoint, '--images', tmp_path / 'image.png'
    sized = *words, '--size', 96, 96
    call(monkeypatch, *sized, '--out', out / 'm.onnx')
    assert 'panoptic: 18900 of 18900 agree' in capsys.readouterr().out
    call(
        *(monkeypatch, *words, '--dynamic', 'size', '--int8', 'static'),
        *('--out', out / 's.onnx'),
    )
    with (out / 'parity.csv').open() as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if row['output'] == 'panoptic']
    assert [row['file'] for row in rows] == ['m.onnx', 's.onnx']
    assert {row['compared'] for row in rows} == {'18900'}
    small = onnx.load(out / 's.onnx')
    described = json.loads(small.metadata_props[0].value)
    assert described['precision'] == 'int8 static'
    kinds = {node.op_type for node in small.graph.node}
    assert 'QuantizeLinear' in kinds
    # Two products of eight bits by eight overflow on many CPUs.
    weights = map(onnx.numpy_helper.to_array, small.graph.initializer)
    weights = [w for w in weights if w.dtype == np.int8 and w.ndim > 1]
    assert max(np.abs(w.astype(int)).max() for w in weights) == 64
    call(monkeypatch, *sized, '--half', '--out', out / 'h.onnx')
    whole, *smaller = ((out / f'{name}.onnx').stat().st_size for name in 'msh')
    assert max(smaller) < 0.65 * whole
    with pytest.raises(UserError, match='differs from the model by more'):
        call(
            *(monkeypatch, *sized, '--int8', 'dynamic', '--tolerance', 0),
            *('--out', out / 'bad.onnx'),
        )
    assert {p.name for p in out.iterdir()} == {
        *('m.onnx', 's.onnx', 'h.onnx', 'parity.csv')
    }


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        ((), 'give --size HEIGHT WIDTH or --dynamic size'),
        (('--dynamic', 'width'), "takes batch and size, not 'width'"),
        (('--dynamic', 'size', '--size', 64, 64), 'leaves free'),
        (('--size', 64, 64, '--half', '--int8', 'static'), 'not both'),
        (('--size', 0, 64), 'must be positive'),
        (('--dynamic', 'batch,size', '--preprocess'), 'takes one image'),
        (
            ('--dynamic', 'batch,size', '--results', 'original'),
            'differ in size',
        ),
        (('--size', 64, 64, '--limit', 0), '--limit must be 1 or more'),
    ],
)
def test_options_that_do_not_fit_are_refused(monkeypatch, words, said):
    with pytest.raises(UserError, match=said):
        call(monkeypatch, CONFIG, 'none.pth', *words)


def test_of_a_run_the_best_checkpoint_is_taken(tmp_path):
    (tmp_path / 'start' / 'vis_data').mkdir(parents=True)
    config = tmp_path / 'start' / 'vis_data' / 'config.py'
    config.write_text("default_scope = 'mmdet'\n")
    # As written where the run was made.
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_2.pth')
    found = []
    for name in ('epoch_2', 'best_coco_segm_mAP_epoch_1', 'epoch_1'):
        (tmp_path / f'{name}.pth').touch()
        chosen = 'given.pth' if name == 'epoch_1' else None
        args = argparse.Namespace(source=tmp_path, checkpoint=chosen)
        _, weights, out = export.read_source(args)
        assert out == tmp_path / 'model.onnx'
        found.append(Path(weights).stem)
    assert found == ['epoch_2', 'best_coco_segm_mAP_epoch_1', 'given']


def test_sources_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    pytest.importorskip('onnx', reason='export needs onnx')
    pytest.importorskip('onnxruntime', reason='export needs onnxruntime')
    size = '--size', 64, 64, '--out', tmp_path / 'm.onnx'
    with pytest.raises(UserError, match='give a checkpoint'):
        call(monkeypatch, CONFIG, *size)
    with pytest.raises(UserError, match='none.pth'):
        call(monkeypatch, CONFIG, tmp_path / 'none.pth', *size)
    with pytest.raises(UserError, match='not the work_dir of a run'):
        call(monkeypatch, tmp_path, *size)
    assert not list(tmp_path.iterdir())

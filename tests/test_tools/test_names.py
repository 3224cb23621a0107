"""Names tie labels, metainfo, checkpoint and file together."""

import json

import pytest
import torch
from mmengine.config import Config

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.visualization import browsing
from tests.test_tools.colour_model import call, write_data, write_model
from tests.test_tools.test_compare_runs import log
from tools import compare_predictions, compare_runs, predict

CLASSES = ['red', 'green']
# The model's label 0 is what it finds red.
META = "metainfo=dict(classes=('red', 'green'))"
TURNED = META.replace("'red', 'green'", "'green', 'red'")


def categories(root, name, names):
    """A file with these categories; its annotations keep their names."""
    content = json.loads((root / 'ann.json').read_text())
    old = {c['id']: c['name'] for c in content['categories']}
    ids = {name: 20 - i for i, name in enumerate(names)}
    content['categories'] = [{'id': i, 'name': n} for n, i in ids.items()]
    for annotation in content['annotations']:
        annotation['category_id'] = ids[old[annotation['category_id']]]
    (root / name).write_text(json.dumps(content))
    return root / name


@pytest.fixture
def root(tmp_path):
    write_data(tmp_path)
    return tmp_path


def write(root, test='ann.json', meta=META, train=None, kept=None):
    config, checkpoint = write_model(root, ann=test)
    text = config.read_text().replace(META, meta)
    if train:
        text += (
            'train_dataloader = dict(dataset=dict(test_dataloader["dataset"],'
            f'ann_file={train!r}))\n'
            'train_cfg = dict(by_epoch=True, max_epochs=1)\n'
            "optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))\n"
        )
    config.write_text(text)
    state = torch.load(checkpoint)
    if kept:
        state['meta'] = {'dataset_meta': {'classes': kept}}
        torch.save(state, checkpoint)
    return config, checkpoint


def found(root, monkeypatch, config, checkpoint, *arguments):
    """Image and name of everything that is found."""
    out = root / 'out'
    call(
        predict.main,
        monkeypatch,
        *(config, checkpoint, root / 'images', '--out', out),
        *('--device', 'cpu', *arguments),
    )
    rows = json.loads((out / 'instances.json').read_text())
    truth = json.loads(
        (root / (arguments[-1:] or ['ann.json'])[0]).read_text()
    )
    ids = {c['id']: c['name'] for c in truth['categories']}
    for row in rows:
        assert ids[row['category_id']] == row['category_name']
    return sorted((row['image_id'], row['category_name']) for row in rows)


RIGHT = [(100, 'green'), (100, 'red'), (101, 'green'), (101, 'green')]
CASES = {
    'one order': {},
    'checkpoint in another order': {'meta': TURNED, 'kept': CLASSES},
    'training file in the order of the labels': {
        'meta': TURNED,
        'train': 'red_first.json',
    },
    'test file in another order': {
        'test': 'green_first.json',
        'train': 'red_first.json',
    },
    'more categories than classes': {'test': 'many.json'},
}


@pytest.mark.parametrize('options', CASES.values(), ids=CASES)
def test_predict(root, monkeypatch, options):
    categories(root, 'red_first.json', ['red', 'green'])
    categories(root, 'green_first.json', ['green', 'red'])
    categories(root, 'many.json', ['blue', 'red', 'mud', 'green'])
    model = write(root, **options)
    ann = root / options.get('test', 'ann.json')
    assert found(root, monkeypatch, *model, '--ann', ann) == RIGHT


def test_checkpoint_of_other_classes(root, monkeypatch):
    model = write(root, kept=['red', 'blue'])
    with pytest.raises(UserError, match=r'different classes \(blue, green\)'):
        found(root, monkeypatch, *model)
    assert not (root / 'out').exists()


def test_training_files_in_two_orders(root, monkeypatch):
    categories(root, 'red_first.json', ['red', 'green'])
    categories(root, 'green_first.json', ['green', 'red'])
    config, checkpoint = write(root)
    one = "dict(test_dataloader['dataset'], ann_file='{}_first.json')"
    both = ', '.join(one.format(name) for name in CLASSES)
    with config.open('a') as file:
        file.write(
            "train_dataloader = dict(dataset=dict(type='ConcatDataset', "
            f'datasets=[{both}]))\n'
        )
    with pytest.raises(UserError, match='different orders'):
        found(root, monkeypatch, config, checkpoint)


@pytest.mark.parametrize('order', [CLASSES, CLASSES[::-1]])
def test_browse(root, monkeypatch, order):
    seen = []

    def record(image, sample, meta, name):
        labels = sample.gt_instances.labels.tolist()
        seen.append((sample.img_id, [meta['classes'][k] for k in labels]))

    monkeypatch.setattr(browsing, 'draw_input', record)
    categories(root, 'train.json', order)
    config, _ = write(root, train='train.json')
    with config.open('a') as file:
        file.write(
            "train_dataloader['dataset']['test_mode'] = False\n"
            "boxes = dict(type='mmdet.LoadAnnotations', with_bbox=True)\n"
            "train_dataloader['dataset']['pipeline'] = [load, boxes, pack]\n"
        )
    list(browsing.browse(Config.fromfile(config), 'train', 9))
    found = [(image, name) for image, names in seen for name in names]
    assert sorted(found) == RIGHT


@pytest.mark.parametrize('order', [CLASSES, CLASSES[::-1]])
def test_compare_runs(root, monkeypatch, order):
    categories(root, 'red_first.json', ['red', 'green'])
    run = root / 'run'
    folder = log(run, 1, [3.0, 2.0, 1.0])
    file = categories(root, 'judged.json', order)
    config, checkpoint = write(
        root, test='judged.json', train='red_first.json'
    )
    text = config.read_text().replace("'/ann.json'", f"'/{file.name}'")
    (folder / 'config.py').write_text(text)
    checkpoint.replace(run / 'epoch_3.pth')
    (run / 'last_checkpoint').write_text('epoch_3.pth')
    call(compare_runs.main, monkeypatch, run, '--out', root / 'out')
    metrics = json.loads((root / 'out' / 'metrics.json').read_text())
    assert metrics['run']['AP'] == 1


def test_compare_predictions_of_models_with_two_orders(root, monkeypatch):
    drawn = {}
    draw = compare_predictions.draw

    def record(image, name, known, found, *rest):
        drawn[name] = found
        draw(image, name, known, found, *rest)

    monkeypatch.setattr(compare_predictions, 'draw', record)
    config, checkpoint = write_model(root, kinds=('panoptic',))
    text = config.read_text()
    things = META.replace('dict(', "dict(thing_classes=('red', 'green'), ")
    config.write_text(text.replace(META, things))
    turned = root / 'turned.py'
    things = TURNED.replace('dict(', "dict(thing_classes=('red', 'green'), ")
    # The same model: its labels are red and green, whatever the config says.
    turned.write_text(text.replace(META, things))
    kept = root / 'kept.pth'
    state = torch.load(checkpoint)
    state['meta'] = {'dataset_meta': {'classes': CLASSES}}
    torch.save(state, kept)
    call(
        compare_predictions.main,
        monkeypatch,
        *(config, checkpoint, turned, kept, root / 'images'),
        *('--ann', root / 'ann.json', '--out', root / 'out'),
        *('--device', 'cpu'),
    )
    first, second = drawn['a.png']
    assert [s.label for s in first.segments] == [0, 1]
    assert [s.label for s in second.segments] == [0, 1]

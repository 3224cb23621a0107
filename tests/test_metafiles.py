"""model-index.yml and the metafiles, which mim reads, and the READMEs."""

import re
from pathlib import Path

import pytest
import yaml
from mim.commands.search import convert2df
from modelindex.load_model_index import load

from mmseg_plugin.benchmark.zoo_configs import ZOOS, find_any_config, published
from mmseg_plugin.cli.cli import UserError

ROOT = Path(__file__).parents[1]
METAFILES = sorted(ROOT.glob('configs/*/metafile.yml'))
MODELS = {
    path.parent.name: yaml.safe_load(path.read_text())['Models']
    for path in METAFILES
}
WITH_RESULTS = [
    pytest.param(folder, model, id=model['Name'])
    for folder, models in MODELS.items()
    for model in models
    if 'Results' in model
]


def metrics(model):
    """Name and value of all metrics."""
    return [
        metric
        for result in model['Results']
        for metric in result['Metrics'].items()
    ]


def numbers_beside(config, readme):
    """All numbers of the rows of a README's tables that name a config."""
    rows = [line for line in readme.splitlines() if f'`{config}`' in line]
    cells = [re.sub(r'`.*?`', '', row) for row in rows]
    return {float(n) for row in cells for n in re.findall(r'\d+\.\d+', row)}


def test_index_lists_all_metafiles():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert sorted(ROOT / path for path in index['Import']) == METAFILES


@pytest.mark.parametrize('folder', MODELS)
def test_all_configs_are_listed(folder):
    leaves = sorted((ROOT / 'configs' / folder).glob('*.py'))
    paths = [ROOT / model['Config'] for model in MODELS[folder]]
    assert sorted(paths) == leaves
    assert [model['Name'] for model in MODELS[folder]] == [
        path.stem for path in paths
    ]


@pytest.mark.parametrize(('folder', 'model'), WITH_RESULTS)
def test_results_are_named(folder, model):
    for result in model['Results']:
        assert set(result) == {'Task', 'Dataset', 'Metrics'}
        assert result['Dataset'] == model['Metadata']['Training Data']
    assert metrics(model)
    for name, value in metrics(model):
        assert isinstance(value, float), name
        assert 0 < value < 100, name
    assert 'not reproduced here' in model['Metadata']['Results Source']


@pytest.mark.parametrize(('folder', 'model'), WITH_RESULTS)
def test_results_are_those_of_the_readme(folder, model):
    readme = (ROOT / 'configs' / folder / 'README.md').read_text()
    stated = numbers_beside(model['Name'], readme)
    assert {value for _, value in metrics(model)} <= stated


@pytest.mark.parametrize('zoo', ZOOS)
def test_results_are_those_of_the_zoos(zoo):
    compared = 0
    for _, model in (param.values for param in WITH_RESULTS):
        source = model['Metadata']['Results Source']
        try:
            theirs = published(find_any_config(f'{zoo}::{model["Name"]}'))
        except UserError:
            continue
        ours = published(ROOT / model['Config'])
        assert source.startswith(f"published by {zoo}'s zoo")
        assert ours['results'] == theirs['results']
        compared += 1
    assert compared


def test_mim_reads_results():
    table = convert2df(load(str(ROOT / 'model-index.yml')))
    model = table.loc['maskdino_r50_8xb2-lsj-50e_coco-panoptic']
    assert model['coco/pq'] == 53.0
    assert model['coco/box_ap'] == 48.8
    assert 'not reproduced' in model['results_source']
    assert set(table.index) == {
        model['Name'] for models in MODELS.values() for model in models
    }

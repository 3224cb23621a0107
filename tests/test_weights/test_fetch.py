"""Downloads against a local server."""

import hashlib

import pytest

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.weights.fetch import fetch
from mmseg_plugin.weights.table import Weights, find_weights
from tests.test_weights.server import served, write_table

CONTENT = bytes(range(256)) * 40
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with served({'/a.pth': (CONTENT, '"1"')}) as server:
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MMSEG_PLUGIN_WEIGHTS', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def weights(server, **values):
    return Weights(
        **{
            'name': 'own/a',
            'method': 'mask2former',
            'task': 'instances',
            'config': 'mask2former_r50_8xb2-lsj-50e_coco',
            'url': f'{server.url}/a.pth',
            'layout': 'mmdet',
            'licence': 'CC-BY-NC-4.0: not for commercial use',
            'page': 'http://page',
            'hash': f'sha256:{SHA[:8]}',
            **values,
        }
    )


def test_a_file_is_fetched_once_and_its_licence_shown_once(
    server, cache, capsys
):
    path = fetch(weights(server))
    assert path == cache / 'own' / 'a' / 'a.pth'
    assert path.read_bytes() == CONTENT
    assert 'CC-BY-NC-4.0: not for commercial use' in capsys.readouterr().out
    assert fetch(weights(server)) == path
    assert not capsys.readouterr().out
    assert len(server.asked) == 1
    assert not list(path.parent.glob('*.part*'))


def test_a_broken_download_goes_on_where_it_stopped(server, cache):
    server.most = 3000
    with pytest.raises(UserError, match=f'3000 of {len(CONTENT)} bytes'):
        fetch(weights(server))
    folder = cache / 'own' / 'a'
    assert not (folder / 'a.pth').exists()
    server.most = None
    assert fetch(weights(server)).read_bytes() == CONTENT
    assert server.asked[-1] == ('/a.pth', 'bytes=3000-')


def test_another_version_on_the_server_is_begun_anew(server, cache):
    server.most = 3000
    with pytest.raises(UserError):
        fetch(weights(server))
    server.most = None
    other = CONTENT[::-1]
    server.files['/a.pth'] = other, '"2"'
    assert fetch(weights(server, hash='')).read_bytes() == other


@pytest.mark.parametrize(
    'digits', ['sha256:00000000', f'md5:{SHA[:6]}'], ids=['sha256', 'md5']
)
def test_another_file_is_refused_and_not_kept(server, cache, digits):
    with pytest.raises(UserError, match='is not the published file'):
        fetch(weights(server, hash=digits))
    folder = cache / 'own' / 'a'
    assert not (folder / 'a.pth').exists()
    assert not (folder / 'a.pth.part').exists()


def test_a_file_put_there_by_hand_is_used_and_checked(server, cache):
    folder = cache / 'own' / 'a'
    folder.mkdir(parents=True)
    (folder / 'a.pth').write_bytes(CONTENT)
    assert fetch(weights(server)) == folder / 'a.pth'
    (folder / 'a.pth').write_bytes(CONTENT[1:])
    with pytest.raises(UserError, match='delete it to fetch it again'):
        fetch(weights(server))
    assert not server.asked


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'url': 'http://127.0.0.1:9/a.pth'}, 'refused'),
        ({'url': '{server}/b.pth'}, 'HTTP 404'),
        ({'by_hand': True}, 'with a browser'),
    ],
    ids=['offline', 'missing', 'browser'],
)
def test_what_cannot_be_fetched_says_where_to_put_the_file(
    server, cache, change, reason
):
    change = {
        key: value.replace('{server}', server.url)
        if isinstance(value, str)
        else value
        for key, value in change.items()
    }
    wanted = weights(server, **change)
    with pytest.raises(UserError, match=reason) as error:
        fetch(wanted)
    assert str(cache / 'own' / 'a' / wanted.files[-1]) in str(error.value)


def test_a_folder_of_transformers_is_fetched_file_by_file(server, cache):
    names = ('config.json', 'preprocessor_config.json', 'model.safetensors')
    for name in names:
        server.files[f'/m/{name}'] = (name.encode(), f'"{name}"')
    path = fetch(weights(server, url=f'{server.url}/m/', layout='hf', hash=''))
    assert all((path / name).read_text() == name for name in names)


def test_a_table_of_ones_own_adds_names(server, cache):
    entry = {
        'source': 'own',
        'method': 'mask2former',
        'task': 'instances',
        'config': 'x',
        'url': f'{server.url}/a.pth',
    }
    write_table(cache, **{'own/b': entry})
    assert fetch(find_weights('own/b')).read_bytes() == CONTENT
    write_table(cache, **{'own/b': {**entry, 'colour': 'red'}})
    with pytest.raises(UserError, match="unknown keys: \\['colour'\\]"):
        find_weights('own/b')

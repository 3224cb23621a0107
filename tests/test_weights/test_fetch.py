"""Downloads against a local server."""

import hashlib
import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.weights.fetch import fetch
from mmseg_plugin.weights.table import Weights, find_weights
from tests.test_weights.server import served, write_table

# Begins as a pickle does.
CONTENT = bytes(range(128, 256)) * 80
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
    other = CONTENT[:5000]
    server.files['/a.pth'] = other, '"2"'
    assert fetch(weights(server, hash='')).read_bytes() == other


@pytest.mark.parametrize(
    'manner',
    ['good', 'no ranges', 'any ranges', 'other ranges', 'no length', 'moved'],
)
@pytest.mark.parametrize('begun', [0, 3000, len(CONTENT)])
def test_servers_of_all_manners_give_the_whole_file(
    server, cache, manner, begun
):
    if begun:
        # As a run leaves it that was ended before it could rename the file.
        part = cache / 'own' / 'a' / 'a.pth.part'
        part.parent.mkdir(parents=True)
        part.write_bytes(CONTENT[:begun])
        part.with_name('a.pth.part.tag').write_text('"1"')
    server.manner = manner
    assert fetch(weights(server)).read_bytes() == CONTENT
    # Of another version: nothing of it may stay.
    if begun:
        (cache / 'own' / 'a' / 'a.pth').unlink()
        part.write_bytes(b'x' * begun)
        part.with_name('a.pth.part.tag').write_text('"0"')
        assert fetch(weights(server, hash='')).read_bytes() == CONTENT
    names = {path.name for path in (cache / 'own' / 'a').iterdir()}
    assert names == {'a.pth', 'licence.txt', '.lock'}


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


def zipped():
    file = io.BytesIO()
    torch.save({'a': torch.ones(99)}, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('a.pth', b'<!DOCTYPE html><html>Sign in to the network</html>'),
        ('a.pth', b'version https://git-lfs.github.com/spec/v1'),
        ('a.pth', b''),
        ('a.pth', zipped()[:-30]),
        ('m/config.json', b'<html>'),
        ('m/model.safetensors', save({'a': torch.ones(9)})[:-1]),
        ('m/model.safetensors', b'<html></html>'),
    ],
)
def test_what_no_length_tells_is_seen_in_the_file(
    server, cache, name, content
):
    """A page of a hotel's network, a pointer, a connection that broke."""
    server.manner = 'no length'
    for file in ('config.json', 'preprocessor_config.json'):
        server.files[f'/m/{file}'] = b'{}', '"1"'
    server.files[f'/{name}'] = content, '"1"'
    wanted = weights(server, hash='')
    if name.startswith('m/'):
        wanted = weights(server, hash='', url=f'{server.url}/m', layout='hf')
    with pytest.raises(UserError, match='something else than a whole'):
        fetch(wanted)
    left = [path.name for path in (cache / 'own' / 'a').iterdir()]
    assert not {Path(name).name, f'{Path(name).name}.part'} & set(left)


@pytest.mark.parametrize(
    ('manner', 'reason'),
    [('in circles', 'HTTP 302'), ('silent', 'timed out')],
)
def test_servers_that_give_nothing_are_one_sentence(
    server, cache, monkeypatch, manner, reason
):
    monkeypatch.setattr('mmseg_plugin.weights.fetch._SECONDS', 0.2)
    server.manner = manner
    with pytest.raises(UserError, match=reason) as error:
        fetch(weights(server))
    assert '\n' not in str(error.value)
    assert not list((cache / 'own' / 'a').glob('a.pth*'))


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'url': 'models/a.pth'}, 'unknown url type'),
        ({'url': 'http://127.0.0.1:9/a.pth'}, 'refused'),
        ({'url': '{server}/b.pth'}, 'HTTP 404'),
        ({'by_hand': True}, 'with a browser'),
    ],
    ids=['no address', 'offline', 'missing', 'browser'],
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
    contents = (b'{}', b'{"size": 3}', save({'a': torch.ones(3)}))
    for name, content in zip(names, contents, strict=True):
        server.files[f'/m/{name}'] = (content, f'"{name}"')
    path = fetch(weights(server, url=f'{server.url}/m/', layout='hf', hash=''))
    assert [(path / name).read_bytes() for name in names] == list(contents)


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

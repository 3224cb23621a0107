"""Folders with links, as data are laid out on shared disks."""

import pytest

from mmseg_plugin.apis.predictor import find_images
from mmseg_plugin.datasets.formats.layout import images_in
from mmseg_plugin.utils.walking import files_in


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'data'
    for name in ('b/1.png', 'b/notes.txt', 'a.png', 'c.png/2.png'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / 'disk').mkdir()
    (tmp_path / 'disk/3.png').touch()
    (root / 'linked').symlink_to(tmp_path / 'disk')
    (root / 'again').symlink_to(root / 'b')
    (root / 'b/up').symlink_to(root)
    (tmp_path / 'disk/back').symlink_to(root)
    return root


def test_links_are_followed_and_loops_are_not(root):
    names = [path.relative_to(root).as_posix() for path in files_in(root)]
    assert names == sorted(names)
    images = ['a.png', 'again/1.png', 'b/1.png', 'c.png/2.png', 'linked/3.png']
    assert [name for name in names if name.endswith('png')] == images
    for found in (find_images(root), images_in(root)):
        assert [p.relative_to(root).as_posix() for p in found] == images
    assert [*files_in(root / 'nowhere')] == []

import pytest
from torch.utils.data import DataLoader, Dataset

from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.datasets.annotation_files import category_ids
from mmseg_plugin.datasets.annotations import checked_rle


def test_user_error_is_one_line_and_exit_code_2(capsys):
    def main():
        raise UserError('file x.json is empty')

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    assert capsys.readouterr().err == 'error: file x.json is empty\n'


def test_a_sentence_of_the_package_is_one_line_too(capsys):
    same = [{'id': i, 'name': 'cat'} for i in range(2)]

    def main():
        category_ids({'categories': same}, 'a.json')

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(
        'error: a.json: two categories are named'
    )


class Refused(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        checked_rle({'size': [1, 2]}, (3, 4), 'a.json: annotation 7')


def test_a_sentence_of_a_worker_is_one_line_too(capsys):
    loader = DataLoader(Refused(), num_workers=1)
    with pytest.raises(SystemExit):
        run(lambda: next(iter(loader)))
    assert capsys.readouterr().err == (
        'error: a.json: annotation 7: its RLE is of size [1, 2], the image '
        'is 3 x 4 (height x width)\n'
    )


@pytest.mark.parametrize('source', ['1 / 0', 'int("a")', 'run(int)'])
def test_other_errors_keep_their_traceback(source):
    with pytest.raises((ZeroDivisionError, ValueError, AttributeError)):
        run(lambda: eval(source, {'run': unpack}))


def unpack(_):
    """No sentence, though it comes out of the package."""
    category_ids({'categories': [5]}, 'a.json')


def test_atomic_path_replaces_a_file_whole(tmp_path):
    target = tmp_path / 'new' / 'x.txt'
    with atomic_path(target) as part:
        part.write_text('1')
        assert not target.exists()
    assert target.read_text() == '1'

    def fail_half_way():
        with atomic_path(target) as part:
            part.write_text('2')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == '1'
    assert [p.name for p in target.parent.iterdir()] == ['x.txt']


def test_atomic_path_takes_a_folder(tmp_path):
    with atomic_path(tmp_path / 'out') as part:
        part.mkdir()
        (part / 'a').write_text('a')
    assert (tmp_path / 'out' / 'a').read_text() == 'a'


@pytest.mark.parametrize('place', ['file/x', 'folder'])
def test_atomic_path_names_a_place_that_cannot_be_written(tmp_path, place):
    (tmp_path / 'file').touch()
    (tmp_path / 'folder').mkdir()
    with (
        pytest.raises(UserError, match=f'{place} cannot be written'),
        atomic_path(tmp_path / place) as part,
    ):
        part.touch()

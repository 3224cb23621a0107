import shutil
import sys

import pytest

import tools.doctor as doctor
import tools.install_ops as install_ops
from mmseg_plugin.cli.cli import UserError


def test_working_ops_are_left_alone(run_tool):
    done = run_tool('install_ops')
    assert done.returncode == 0
    assert 'installed with working ops' in done.stdout


def test_a_kept_wheel_is_used_without_compiling(tmp_path, monkeypatch):
    monkeypatch.setattr(install_ops, 'check_compiler', pytest.fail)
    folder = tmp_path / 'key'
    folder.mkdir()
    wheel = folder / 'mmcv-2.1.0-x.whl'
    wheel.touch()
    assert install_ops.find_or_build('mmcv==2.1.0', folder) == wheel


def test_a_kept_wheel_that_does_not_load_is_removed(tmp_path, monkeypatch):
    folders = []

    def kept(requirement, folder):
        folder.mkdir(parents=True)
        folders.append(folder)
        return folder / 'mmcv.whl'

    monkeypatch.setattr(sys, 'argv', ['install_ops'])
    monkeypatch.setattr(install_ops, 'cache_folder', lambda: tmp_path)
    monkeypatch.setattr(install_ops, 'find_or_build', kept)
    monkeypatch.setattr(install_ops, 'ops_work', lambda: False)
    monkeypatch.setattr(install_ops, 'run_pip', lambda *_: None)
    with pytest.raises(UserError, match='mmcv.whl cannot be loaded here'):
        install_ops.main()
    assert len(folders) == 1
    assert not folders[0].exists()


def test_a_failed_build_leaves_nothing_and_a_rerun_works(
    tmp_path, monkeypatch
):
    folder = tmp_path / 'key'

    def broken(requirement, target, log):
        (target / 'half.whl').touch()
        raise UserError('compiling failed')

    def good(requirement, target, log):
        (target / 'whole.whl').touch()

    monkeypatch.setattr(install_ops, 'compile_wheel', broken)
    with pytest.raises(UserError):
        install_ops.find_or_build('mmcv==2.1.0', folder)
    assert not folder.exists()
    monkeypatch.setattr(install_ops, 'compile_wheel', good)
    assert install_ops.find_or_build('mmcv==2.1.0', folder).name == 'whole.whl'
    assert {p.name for p in tmp_path.iterdir()} == {'key', 'key.lock'}


def test_no_compiler_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(UserError, match='no C.. compiler'):
        install_ops.check_compiler()


def test_no_torch_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(UserError, match='pip install torch'):
        install_ops.torch_facts()


def test_no_network_is_told_from_a_compile_error():
    offline = 'WARNING: NewConnectionError(...)\nERROR: No matching'
    assert 'cannot be reached' in install_ops.failure('x', offline)
    broken = 'a.cpp:1: error: no\nerror: command c++ failed\n'
    assert 'command c++ failed' in install_ops.failure('x', broken)


def test_progress_counts_files(capsys):
    progress = install_ops.Progress()
    line = '[7/7] c++ -MMD a.o'
    step = install_ops.STEP.match(line)
    progress.show(int(step[1]), int(step[2]))
    assert '7/7 files' in capsys.readouterr().out


def test_doctor_names_the_mend_for_missing_ops(monkeypatch, capsys):
    def missing():
        return doctor.Finding('compiled ops', 'missing', doctor.OPS)

    monkeypatch.setattr(doctor, 'check_ops', missing)
    monkeypatch.setattr(sys, 'argv', ['doctor'])
    with pytest.raises(SystemExit) as caught:
        doctor.main()
    assert caught.value.code == 1
    assert 'install_ops' in capsys.readouterr().out


def test_doctor_names_the_mend_for_an_old_torch(monkeypatch):
    monkeypatch.setattr(doctor, 'installed_version', lambda name: '2.5.1+cpu')
    found = doctor.check_torch()[0]
    assert found.state == '2.5.1+cpu is older than 2.6'
    assert found.mend == "pip install 'torch>=2.6'"

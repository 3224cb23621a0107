import shutil
import subprocess
import sys
from importlib import metadata

import pytest

import tools.doctor as doctor
import tools.install_ops as install_ops
from mmseg_plugin.cli import compile_ops, pip
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.ops.finder import PTH_LINE, PTH_NAME
from mmseg_plugin.stack import STACKS


def test_working_ops_are_left_alone(run_tool):
    done = run_tool('install_ops')
    assert done.returncode == 0, done.stderr
    state = install_ops.ops_state()
    assert f'mmcv works with {state} operators' in done.stdout


@pytest.fixture
def world(monkeypatch):
    """What is installed, changed by what pip is asked for."""

    class World:
        installed = {'onedl-mmcv': '2.3.6'}
        states = ['plain']
        calls = []

        def run_pip(self, what, *arguments, env=None):
            self.calls.append(arguments)
            if arguments[0] == 'uninstall':
                for name in arguments[2:]:
                    self.installed.pop(name)

        def state(self):
            return self.states.pop(0)

    world = World()
    world.installed, world.calls = dict(world.installed), []
    monkeypatch.setattr(install_ops, 'run_pip', world.run_pip)
    monkeypatch.setattr(install_ops, 'ops_state', world.state)
    monkeypatch.setattr(install_ops, 'installed_version', world.installed.get)
    monkeypatch.setattr(compile_ops, 'torch_facts', lambda: ('2.13.0', 'cpu'))
    return world


@pytest.mark.parametrize('stack', STACKS)
def test_without_mmcv_the_plain_one_is_installed(world, capsys, stack):
    world.installed.clear()
    world.states = ["No module named 'mmcv'", 'plain']
    install_ops.install_plain(STACKS[stack])
    assert world.calls == [('install', '--quiet', STACKS[stack].plain_mmcv)]
    assert 'works with plain operators' in capsys.readouterr().out


def test_operators_for_another_torch_are_replaced(world, capsys):
    world.states = ['ImportError: _ext.so: undefined symbol: _ZN3c10', 'plain']
    install_ops.install_plain(STACKS['onedl'])
    assert world.calls[0] == ('uninstall', '--yes', 'onedl-mmcv')
    assert world.calls[1][0] == 'install'
    assert 'undefined symbol' in capsys.readouterr().out


def test_a_missing_pth_file_is_written(world, monkeypatch):
    world.states = ["No module named 'mmcv._ext'", 'plain']
    written = []
    monkeypatch.setattr(install_ops, 'write_pth', lambda: written.append(1))
    install_ops.install_plain(STACKS['onedl'])
    assert written == [1]
    assert world.calls == []


def test_what_cannot_be_repaired_is_said(world):
    world.states = ["No module named 'cv2'"]
    with pytest.raises(UserError, match="cannot be imported: .*'cv2'"):
        install_ops.install_plain(STACKS['onedl'])


def test_the_pth_file_is_recorded(tmp_path, monkeypatch):
    info = tmp_path / 'mmseg_plugin-0.1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Name: mmseg_plugin\nVersion: 0.1.0\n')
    (info / 'RECORD').write_text(f'{info.name}/RECORD,,\n')
    found = metadata.Distribution.at(info)
    monkeypatch.setattr(metadata, 'distribution', lambda name: found)
    with pytest.raises(UserError, match='has no effect'):
        install_ops.write_pth()
    monkeypatch.setattr(install_ops, 'pth_folders', lambda: [tmp_path])
    install_ops.write_pth()
    assert (tmp_path / PTH_NAME).read_text() == PTH_LINE
    assert PTH_NAME in {str(f) for f in metadata.Distribution.at(info).files}


def test_the_line_of_the_pth_file_is_silent_without_the_package(tmp_path):
    (tmp_path / PTH_NAME).write_text(PTH_LINE)
    code = f'import site; site.addsitedir({str(tmp_path)!r})'
    done = subprocess.run(
        [sys.executable, '-I', '-S', '-c', code],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_a_kept_wheel_is_used_without_compiling(tmp_path, monkeypatch):
    monkeypatch.setattr(compile_ops, 'check_compiler', pytest.fail)
    folder = tmp_path / 'key'
    folder.mkdir()
    wheel = folder / 'mmcv-2.1.0-x.whl'
    wheel.touch()
    assert compile_ops.find_or_build('mmcv==2.1.0', folder) == wheel


@pytest.mark.parametrize('works', [True, False])
def test_a_kept_wheel_that_does_not_load_is_removed(
    world, tmp_path, monkeypatch, works
):
    folders = []

    def kept(requirement, folder):
        folder.mkdir(parents=True)
        folders.append(folder)
        return folder / 'mmcv.whl'

    world.installed.clear()
    world.installed['mmcv-lite'] = '2.1.0'
    world.states = ['compiled' if works else 'plain']
    monkeypatch.setattr(compile_ops, 'cache_folder', lambda: tmp_path)
    monkeypatch.setattr(install_ops, 'find_or_build', kept)
    if works:
        install_ops.install_compiled(STACKS['openmmlab'])
    else:
        with pytest.raises(UserError, match='mmcv.whl cannot be loaded here'):
            install_ops.install_compiled(STACKS['openmmlab'])
    assert [call[0] for call in world.calls] == ['uninstall', 'install']
    assert len(folders) == 1
    assert folders[0].exists() == works


def test_compiled_ones_are_compiled_once(world, capsys):
    world.states = ['compiled']
    install_ops.install_compiled(STACKS['onedl'])
    assert world.calls == []
    assert 'installed with compiled' in capsys.readouterr().out


def test_a_failed_build_leaves_nothing_and_a_rerun_works(
    tmp_path, monkeypatch
):
    folder = tmp_path / 'key'

    def broken(requirement, target, log):
        (target / 'half.whl').touch()
        raise UserError('compiling failed')

    def good(requirement, target, log):
        (target / 'whole.whl').touch()

    monkeypatch.setattr(compile_ops, 'check_compiler', lambda: None)
    monkeypatch.setattr(compile_ops, 'compile_wheel', broken)
    with pytest.raises(UserError):
        compile_ops.find_or_build('mmcv==2.1.0', folder)
    assert not folder.exists()
    monkeypatch.setattr(compile_ops, 'compile_wheel', good)
    assert compile_ops.find_or_build('mmcv==2.1.0', folder).name == 'whole.whl'
    assert {p.name for p in tmp_path.iterdir()} == {'key', 'key.lock'}


def test_the_standard_is_that_of_torch(tmp_path, monkeypatch):
    assert compile_ops.cpp_standard() in (17, 20, 23)
    include = tmp_path / 'include/torch/csrc/api/include/torch'
    include.mkdir(parents=True)
    monkeypatch.setattr('torch.__file__', str(tmp_path / '__init__.py'))
    assert compile_ops.cpp_standard() == 0
    (include / 'all.h').write_text(
        '#if !defined(_MSC_VER) && __cplusplus < 202002L\n#error C++20\n'
    )
    assert compile_ops.cpp_standard() == 20


def test_the_standard_of_a_setup_is_only_raised():
    setup = "cxx = ['-std=c++17']\nnvcc = ['-O2', '-std=c++17']\n"
    raised = compile_ops.with_standard(setup, 20)
    assert raised == setup.replace('17', '20')
    assert compile_ops.with_standard(raised, 17) == raised


def test_what_is_compiled_is_optimised(tmp_path, monkeypatch):
    monkeypatch.setenv('CXXFLAGS', '-march=native')
    env = compile_ops.build_env(tmp_path)
    flags = env['CXXFLAGS'].split()
    assert any(flag in ('-O2', '-O3') for flag in flags)
    assert flags[-2:] == ['-g0', '-march=native']
    assert set(env['CFLAGS'].split()) == set(flags[:-1])


def test_wheels_of_other_flags_are_others(monkeypatch):
    before = compile_ops.wheel_folder('mmcv', '2.1.0')
    assert before == compile_ops.wheel_folder('mmcv', '2.1.0')
    monkeypatch.setenv('CXXFLAGS', '-march=native')
    assert before != compile_ops.wheel_folder('mmcv', '2.1.0')


def test_the_first_error_of_the_compiler_is_shown():
    # As pip prints it, beneath its own lines.
    output = """  [1/9] c++ -MMD -Werror a.cpp
  /x/ATen.h:4:2: error: #error C++20 or later is required
   #error C++20
  /x/b.h:9:1: error: second
  error: command 'ninja' failed with exit status 1
  Building wheel for mmcv: finished with status 'error'
"""
    said = pip.failure('compiling mmcv', output)
    assert ' failed: /x/ATen.h:4:2: error: #error C++20' in said
    assert 'second' not in said
    assert 'plain operators' in said


def test_no_compiler_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(UserError, match='no C.. compiler'):
        compile_ops.check_compiler()


def test_no_torch_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(UserError, match='pip install torch'):
        compile_ops.torch_facts()


def test_no_network_is_told_from_a_compile_error():
    offline = 'WARNING: NewConnectionError(...)\nERROR: No matching'
    assert 'cannot be reached' in pip.failure('x', offline)
    broken = 'Building\nerror: command c++ failed\n'
    assert 'command c++ failed' in pip.failure('x', broken)


def test_progress_counts_files(capsys):
    progress = compile_ops.Progress()
    line = '[7/7] c++ -MMD a.o'
    step = compile_ops.STEP.match(line)
    progress.show(int(step[1]), int(step[2]))
    assert '7/7 files' in capsys.readouterr().out


def test_doctor_names_the_fix_for_missing_ops(monkeypatch, capsys):
    def missing():
        return doctor.Finding('compiled ops', 'missing', doctor.OPS)

    monkeypatch.setattr(doctor, 'check_ops', missing)
    monkeypatch.setattr(sys, 'argv', ['doctor'])
    with pytest.raises(SystemExit) as caught:
        doctor.main()
    assert caught.value.code == 1
    assert 'install_ops' in capsys.readouterr().out


def test_doctor_names_the_fix_for_an_old_torch(monkeypatch):
    monkeypatch.setattr(doctor, 'installed_version', lambda name: '2.5.1+cpu')
    found = doctor.check_torch()[0]
    assert found.state == '2.5.1+cpu is older than 2.6'
    assert found.fix == "pip install 'torch>=2.6'"

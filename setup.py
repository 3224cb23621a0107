"""What setup.cfg cannot say: a ``.pth`` file beside the package."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))

from mmseg_plugin.ops.finder import PTH_LINE, PTH_NAME  # noqa: E402


class BuildWithPth(build_py):
    """Puts the file into wheels, those of editable installs too.

    Python runs its line when it starts, so that the stand-in for mmcv's
    compiled operators is found by any script, whatever it imports first.
    pip records and removes it like any other file.
    """

    def run(self) -> None:
        super().run()
        folder = self.build_lib
        if self.editable_mode:
            # That of the wheel; nothing is built in place.
            install = self.get_finalized_command('install')
            folder = install.install_lib  # type: ignore[attr-defined]
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, PTH_NAME).write_text(PTH_LINE)


setup(cmdclass={'build_py': BuildWithPth})

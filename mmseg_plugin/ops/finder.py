"""Lets Python find ``mmcv._ext`` where mmcv has no compiled operators.

Imported at the start of every Python by ``mmseg_plugin.pth``, so it must
not import anything that takes time.
"""

import sys

COMPILE = 'python -m mmseg_plugin install_ops --compile'
# The file beside the package; silent where the package is gone.
PTH_NAME = 'mmseg_plugin.pth'
PTH_LINE = (
    r"import sys; exec('try:\n import mmseg_plugin.ops.finder\n"
    r"except ImportError: pass')"
    '\n'
)
_NAME = 'mmcv._ext'


class PlainOps:
    """The last of Python's finders: whatever mmcv has itself is preferred."""

    @staticmethod
    def find_spec(name, path=None, target=None):  # type: ignore
        """Says where :mod:`mmseg_plugin.ops.ext` lies, for one name only."""
        if name != _NAME:
            return None
        from importlib.util import spec_from_file_location
        from os.path import dirname, join

        file = join(dirname(__file__), 'ext.py')
        return spec_from_file_location(_NAME, file)


def install() -> None:
    """Puts the finder behind all others, once."""
    if PlainOps not in sys.meta_path:
        sys.meta_path.append(PlainOps)  # type: ignore[arg-type]

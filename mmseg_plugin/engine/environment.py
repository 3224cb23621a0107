"""The list of versions that the log of a run begins with."""

import sys

import mmengine
import mmengine.runner.runner as mmengine_runner
import torch
from mmengine.utils.dl_utils import collect_env


def environment() -> dict[str, object]:
    """MMEngine's list; a shorter one where that ends the run.

    It imports ``distutils``, which Python has up to 3.11 and setuptools
    brings back.
    """
    try:
        return collect_env()
    except ImportError as error:
        missing = error
    found: dict[str, object] = {
        'sys.platform': sys.platform,
        'Python': sys.version.replace('\n', ''),
    }
    for number in range(torch.cuda.device_count()):
        found[f'GPU {number}'] = torch.cuda.get_device_name(number)
    found['PyTorch'] = torch.__version__
    found['PyTorch compiling details'] = torch.__config__.show()
    found['MMEngine'] = mmengine.__version__
    found['Not listed'] = f'CUDA and compilers ({missing})'
    return found


def register_environment() -> None:
    """Lets MMEngine's runner log :func:`environment`."""
    mmengine_runner.collect_env = environment

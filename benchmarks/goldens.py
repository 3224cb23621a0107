"""The golden cases on a device, by the test suite, in limited time."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
TEST = 'tests/test_golden.py::test_golden'
LINE = re.compile(r'::test_golden\[(.+)\] (PASSED|FAILED|ERROR)', re.M)
REASON = re.compile(r'^FAILED \S+::test_golden\[(.+?)\] - (.+)$', re.M)


def check_goldens(
    device: torch.device, seconds: float, only: str = ''
) -> dict[str, Any]:
    """Runs the cases in a process of their own.

    An error that stops the device stops this process only.

    Args:
        device: of inputs and weights.
        seconds: after which the rest is left out.
        only: part of the names of the cases to run.

    Returns:
        ``passed`` and ``failed``, numbers of cases; ``reasons``, those of the
        failed ones; ``finished``, whether all of them were run in time;
        ``message``, the last line where no case was run at all.
    """
    command = [sys.executable, '-m', 'pytest', '-v', '--tb=no', '-rf']
    command += ['-p', 'no:cacheprovider', '-k', only, TEST]
    finished = True
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, 'GOLDEN_DEVICE': str(device), 'COLUMNS': '500'},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
        )
        output = done.stdout
    except subprocess.TimeoutExpired as expired:
        output, finished = expired.stdout or b'', False
    text = output.decode(errors='replace')
    found = dict(LINE.findall(text))
    counts = Counter(found.values())
    reasons = {name: 'no reason' for name in found if found[name] != 'PASSED'}
    result = {
        'passed': counts['PASSED'],
        'failed': counts['FAILED'] + counts['ERROR'],
        'reasons': reasons | dict(REASON.findall(text)),
        'finished': finished,
    }
    if not found:
        result['message'] = (text.strip().splitlines() or ['no output'])[-1]
    return result

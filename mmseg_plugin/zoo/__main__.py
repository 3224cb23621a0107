"""Measures one model: ``python -m mmseg_plugin.zoo JOB.json RESULT.json``."""

import json
import sys
from pathlib import Path

from mmseg_plugin.utils.cli import atomic_path
from mmseg_plugin.zoo.measure import measure

if __name__ == '__main__':
    job = json.loads(Path(sys.argv[1]).read_text())
    results = measure(job)
    with atomic_path(sys.argv[2]) as part:
        part.write_text(json.dumps({'job': job, **results}, indent=1))

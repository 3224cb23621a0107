"""Measures one model: ``-m mmseg_plugin.benchmark JOB.json RESULT.json``."""

import json
import sys
from pathlib import Path

from mmseg_plugin.benchmark.measure import measure
from mmseg_plugin.cli.cli import atomic_path

if __name__ == '__main__':
    job = json.loads(Path(sys.argv[1]).read_text())
    results = measure(job)
    with atomic_path(sys.argv[2]) as part:
        part.write_text(json.dumps({'job': job, **results}, indent=1))

#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0.
# Expected: with `--dist loadgroup` all tests marked with one xdist_group run
#   in one worker, as with pytest 9.1.
# Seen: they are spread over the workers, without a warning. xdist appends
#   the group to `item._nodeid`, which pytest 9.2 does not read any more.
#   `--dist loadfile` keeps the tests of a file together.
# Fails if the group stays together with pytest 9.2.0 or is spread by 9.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > test_group.py <<'PY'
import os
import time
from pathlib import Path

import pytest


@pytest.mark.xdist_group('one')
@pytest.mark.parametrize('number', range(8))
def test_part(number):
    time.sleep(0.05)
    Path('seen').mkdir(exist_ok=True)
    Path('seen', os.environ['PYTEST_XDIST_WORKER']).touch()
PY
workers() {
    rm -rf seen
    venv/bin/pip install -q "pytest==$1" pytest-xdist==3.8.0
    venv/bin/python -m pytest -q -n 2 --dist "$2" test_group.py > /dev/null
    ls seen | wc -l
}
[ "$(workers 9.2.0 loadgroup)" = 2 ]
[ "$(workers 9.2.0 loadfile)" = 1 ]
[ "$(workers "9.1.1" loadgroup)" = 1 ]
echo 'as stated: the group is in two workers with pytest 9.2.0, in one before'

"""Licences of what is installed, and known vulnerabilities of it.

The latter by pip-audit, where it is installed and the index answers; neither
is an error. ``--strict`` ends with 1 where a vulnerability is known.
"""

import argparse
import importlib.util
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import Distribution, distributions

SECONDS = 120


def licence(found: Distribution) -> str:
    """In the words of the package; classifiers where it has no others."""
    meta = found.metadata
    text = meta.get('License-Expression') or meta.get('License') or ''
    if not text.strip() or '\n' in text.strip():
        marks = meta.get_all('Classifier') or []
        names = [m.rpartition(' :: ')[2] for m in marks if 'License ::' in m]
        text = ', '.join(names) or 'not stated'
    return text.strip()


def licences() -> dict[str, list[str]]:
    """Each licence to the packages that have it."""
    by_licence = defaultdict(set)
    for found in distributions():
        by_licence[licence(found)].add(found.metadata['Name'])
    return {text: sorted(names) for text, names in sorted(by_licence.items())}


def audit() -> int | None:
    """pip-audit's exit code, 1 with vulnerabilities; None: no answer."""
    if importlib.util.find_spec('pip_audit') is None:
        return None
    command = [sys.executable, '-m', 'pip_audit', '--progress-spinner', 'off']
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    # It ends with 1 for errors of its own too.
    if done.returncode and 'known vulnerabilit' not in done.stderr.lower():
        return None
    print(done.stdout or done.stderr)
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--strict', action='store_true')
    args = parser.parse_args()
    for text, names in licences().items():
        print(f'{text}: {", ".join(names)}')
    code = audit()
    if code is None:
        print('not audited: no pip-audit here, or no answer from the index')
    sys.exit(bool(code) and args.strict)


if __name__ == '__main__':
    main()

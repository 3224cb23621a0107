"""Findings as text: grouped by what is wrong, worst first, short."""

import os

from mmseg_plugin.utils.words import counted

from .findings import SEVERITIES, Finding

SHOWN = 3


def format_report(
    findings: list[Finding], found_out: str = '', counts: bool = True
) -> str:
    """The report of ``check``.

    Args:
        findings: of all files.
        found_out: what the data is.
        counts: whether their numbers come last.
    """
    lines = [found_out] if found_out else []
    if not findings:
        return '\n'.join([*lines, '', 'nothing found'])
    parents = [os.path.dirname(os.path.abspath(f.file)) for f in findings]
    folder = os.path.commonpath(parents)
    if len({f.file for f in findings}) == 1:
        # The folder of a split may be what tells it.
        folder = os.path.dirname(folder)
    numbers = []
    for severity, meaning in SEVERITIES.items():
        kinds: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.severity == severity:
                kinds.setdefault(finding.id, []).append(finding)
        if kinds:
            lines += ['', f'{severity}s: {meaning}']
        for kind in sorted(kinds.values(), key=_total, reverse=True):
            lines += _lines(kind, folder)
        numbers.append(counted(len(kinds), severity))
    if counts:
        lines += ['', ', '.join(numbers)]
        if any(f.can_fix for f in findings):
            lines[-1] += '; --fix OUT writes a copy without those marked *'
    return '\n'.join(lines)


def _total(kind: list[Finding]) -> int:
    return sum(finding.count for finding in kind)


def _lines(kind: list[Finding], folder: str) -> list[str]:
    """One fault, and where it is in each file.

    Args:
        kind: findings of one check.
        folder: of all files.
    """
    first = kind[0]
    mark = '*' if first.can_fix else ' '
    lines = [f'{mark} {first.id} ({_total(kind)}) {first.message}']
    for finding in kind:
        file = os.path.relpath(finding.file, folder)
        more = finding.count - min(SHOWN, len(finding.places))
        places = ', '.join(finding.places[:SHOWN])
        tail = f' and {more} more' if more > 0 else ''
        lines.append(f'    {file}: {places}{tail}')
    # Splits of one folder of label maps have its name.
    return [*dict.fromkeys(lines), f'    fix: {first.fix}']

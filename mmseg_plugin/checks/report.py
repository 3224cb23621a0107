"""Findings as text: grouped by file, worst first, short."""

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
    for severity, meaning in SEVERITIES.items():
        chosen = [f for f in findings if f.severity == severity]
        if chosen:
            lines += ['', f'{severity}s: {meaning}']
            for finding in chosen:
                lines += _lines(finding)
    if not findings:
        lines += ['', 'nothing found']
        return '\n'.join(lines)
    if not counts:
        return '\n'.join(lines)
    numbers = [
        f'{sum(f.severity == severity for f in findings)} {severity}s'
        for severity in SEVERITIES
    ]
    lines += ['', ', '.join(numbers)]
    if any(f.can_fix for f in findings):
        lines[-1] += '; --fix OUT writes a copy without those marked *'
    return '\n'.join(lines)


def _lines(finding: Finding) -> list[str]:
    mark = '*' if finding.can_fix else ' '
    more = finding.count - min(SHOWN, len(finding.places))
    places = ', '.join(finding.places[:SHOWN])
    tail = f' and {more} more' if more > 0 else ''
    return [
        f'{mark} {finding.id} ({finding.count}) {finding.message}',
        f'    {places}{tail}; {finding.file}',
        f'    fix: {finding.fix}',
    ]

"""The report of a run on an accelerator as Markdown."""

from typing import Any

COLUMNS = (
    *('bench', 'precision', 'ours (ms)', 'peer (ms)', 'ratio'),
    *('ours (MB)', 'peer (MB)', 'ratio', 'peer is'),
)


def markdown(report: dict[str, Any]) -> str:
    """Where and how, the table, the golden cases, what is missing."""
    lines = [
        f'# Benchmarks on {report["device"]}',
        '',
        f'`{report["command"]}`, {report["started"]}, '
        f'{report["seconds"]:.0f} s; torch {report["torch"]}, CUDA '
        f'{report["cuda"]}, cuDNN {report["cudnn"]}.',
        '',
        'Time between events of the device, the minimum of two to thirty '
        'rounds; memory that tensors occupy beside the inputs, at most. A '
        'ratio is that of the peer to ours.',
        '',
    ]
    rows = [COLUMNS, ('---', '---', *['---:'] * 6, '---')]
    rows += [row(line) for line in report['lines']]
    lines += [f'| {" | ".join(cells)} |' for cells in rows]
    lines += ['', goldens(report['goldens'])]
    lines += [
        f'- `{name}`: {why}'
        for name, why in report['goldens'].get('reasons', {}).items()
    ]
    failures = [
        f'- `{line["bench"]}`, {line["precision"]}, {arm}: {why}'
        for line in report['lines']
        for arm, why in line['failed'].items()
    ]
    if failures:
        lines += ['', 'Failed:', '', *failures]
    if report['not_run']:
        names = ', '.join(f'`{name}`' for name in report['not_run'])
        lines += ['', f'Not run, out of time: {names}.']
    return '\n'.join(lines) + '\n'


def row(line: dict[str, Any]) -> tuple[str, ...]:
    """Cells of one result."""
    return (
        f'`{line["bench"]}`',
        line['precision'],
        *compared(line, 'ours', 'peer', 1000),
        *compared(line, 'ours_mb', 'peer_mb', 1),
        line['peer_name'],
    )


def compared(
    line: dict[str, Any], ours: str, peer: str, scale: float
) -> list[str]:
    """Both values and their ratio, a dash where there is none."""
    cells = [
        f'{line[key] * scale:.4g}' if key in line else '–'
        for key in (ours, peer)
    ]
    if '–' in cells:
        return [*cells, '–']
    return [*cells, f'{line[peer] / max(line[ours], 1e-9):.2f}x']


def goldens(result: dict[str, Any]) -> str:
    """What the golden cases gave, in a sentence."""
    if result.get('message'):
        return f'Golden cases: none was run ({result["message"]}).'
    text = (
        f'Golden cases on the device: {result["passed"]} passed, '
        f'{result["failed"]} failed'
    )
    if not result['finished']:
        text += '; the rest was left out for want of time'
    return text + '.'

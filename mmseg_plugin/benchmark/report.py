"""One table about all measured models."""

from collections.abc import Sequence
from typing import Any

COLUMNS = (
    'model',
    'parameters (M)',
    'multiply-adds (G)',
    'forward (ms)',
    'FPS',
    'with post-processing (ms)',
    'FPS',
    'training step (ms)',
    'inference (MB)',
    'training (MB)',
    'metrics here',
    'published',
)


def markdown(results: Sequence[dict[str, Any]]) -> str:
    """A table, how it was measured, and why parts of it are missing.

    Args:
        results: of :func:`measure`, with ``job`` and ``published``.
    """
    rows = [COLUMNS, ['---'] + ['---:'] * 9 + ['---'] * 2]
    rows += [row(result) for result in results]
    lines = [f'| {" | ".join(cells)} |' for cells in rows]
    lines += ['', *conditions(results)]
    failures = [
        f'- `{result["job"]["model"]}`, {part}: {why}'
        for result in results
        for part, why in result['failed'].items()
    ]
    if failures:
        lines += ['', 'Not measured:', '', *failures]
    return '\n'.join(lines) + '\n'


def row(result: dict[str, Any]) -> list[str]:
    """Cells of one model; a dash where there is no value."""
    return [
        f'`{result["job"]["model"]}`',
        scaled(result, 'params', 1e-6, 2),
        scaled(result, 'macs', 1e-9, 2),
        scaled(result, 'forward_s', 1e3, 1),
        rate(result, 'forward_s'),
        scaled(result, 'predict_s', 1e3, 1),
        rate(result, 'predict_s'),
        scaled(result, 'step_s', 1e3, 1),
        scaled(result, 'inference_mb', 1, 0),
        scaled(result, 'training_mb', 1, 0),
        named(result.get('metrics') or {}) or '–',
        published_text(result.get('published')) or '–',
    ]


def scaled(
    result: dict[str, Any], key: str, factor: float, digits: int
) -> str:
    if key not in result:
        return '–'
    return f'{result[key] * factor:.{digits}f}'


def rate(result: dict[str, Any], key: str) -> str:
    return f'{1 / result[key]:.2f}' if key in result else '–'


def named(metrics: dict[str, Any]) -> str:
    """Overall metrics; those of single classes or sizes are left out."""
    return ', '.join(
        f'{name.rsplit("/")[-1]} {value:.4g}'
        for name, value in metrics.items()
        if isinstance(value, int | float)
        and not name.endswith(('_s', '_m', '_l'))
    )


def published_text(facts: dict[str, Any] | None) -> str:
    """Metrics, data set, time and memory as a zoo states them."""
    if facts is None:
        return ''
    parts = [
        f'{named(result["metrics"])} ({result["dataset"]})'
        for result in facts['results']
    ]
    parts += [
        f'{time["value"]} ms on {time["hardware"]}'
        for time in facts['inference']
    ]
    if facts['memory_gb'] is not None:
        parts.append(f'training {facts["memory_gb"]} GB')
    return '; '.join(parts)


def conditions(results: Sequence[dict[str, Any]]) -> list[str]:
    """What the numbers hold for."""
    if not results:
        return []
    job = results[0]['job']
    size = 'x'.join(map(str, job['size'])) if job['size'] else 'as configured'
    return [
        f'{len(job["images"])} images, size {size}; device {job["device"]}, '
        f'{results[0].get("threads", "?")} threads. Times: one image, or a '
        f'training step of {job["batch"]}; mean, best of {job["rounds"]} '
        'rounds, after one to warm up; CPU time if there is one CPU thread. '
        'Memory: peak, on a CPU that of the '
        'process.'
    ]

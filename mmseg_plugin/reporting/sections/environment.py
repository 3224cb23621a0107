"""Where it ran, and the whole config."""

from pathlib import Path

from mmseg_plugin.reporting.html import details, paragraph, preformatted
from mmseg_plugin.reporting.view import RunView

_START, _END = 'System environment:', 'Config:'


def environment(run: RunView) -> str:
    """The environment of the last start, and the config."""
    text = read_environment(run.files.folder)
    said = (
        details('Environment', preformatted(text))
        if text
        else paragraph('The log does not say where it ran.', 'soft')
    )
    config = preformatted(run.files.config.pretty_text)
    return said + details('Config', config)


def read_environment(folder: Path) -> str:
    """What the last log says of machine and packages; empty if nothing."""
    for path in sorted(folder.glob('*/*.log'), reverse=True):
        text = path.read_text(encoding='utf-8', errors='replace')
        _, found, rest = text.partition(_START)
        if found:
            body = rest.partition(_END)[0].partition('-' * 40)[0]
            lines = [line.strip() for line in body.splitlines()]
            return '\n'.join(line for line in lines if line)
    return ''

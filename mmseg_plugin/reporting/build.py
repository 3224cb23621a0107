"""Makes a report of one run or of several."""

from collections.abc import Sequence
from pathlib import Path

from mmseg_plugin.cli.cli import UserError, atomic_path
from mmseg_plugin.reporting.comparison import comparison
from mmseg_plugin.reporting.evaluate import evaluate
from mmseg_plugin.reporting.html import Section, page, paragraph
from mmseg_plugin.reporting.queries import measure_queries
from mmseg_plugin.reporting.run_files import (
    RunFiles,
    common_names,
    read_run,
)
from mmseg_plugin.reporting.sections import SECTIONS
from mmseg_plugin.reporting.sections.outcome import headline
from mmseg_plugin.reporting.view import JudgedView, RunView
from mmseg_plugin.visualization.browsing import browse
from mmseg_plugin.visualization.pictures_hook import FIRST_BATCH, FOLDER

# Training samples that queries are looked at on.
_SAMPLES = 32
# Those that are drawn.
_DRAWN = 4


def view_run(
    files: RunFiles, name: str, predict: bool, limit: int, device: str
) -> RunView:
    """Everything about a run; what cannot be had becomes a note.

    Args:
        files: what it left behind.
        name: of the run in the report.
        predict: whether its checkpoint may be run.
        limit: images at most.
        device: to run it on.
    """
    view = RunView(files, name, notes=list(files.notes))
    if not predict:
        view.notes.append('Nothing was predicted for this report.')
    elif files.checkpoint is not None:
        try:
            judged = evaluate(files, limit, device)
            view.kinds = [JudgedView(one) for one in judged]
            view.queries = measure_queries(files, _SAMPLES, device)
            if not (files.folder / FOLDER / FIRST_BATCH).is_file():
                drawn = browse(files.config, 'train', _DRAWN)
                view.samples = [picture for _, picture in drawn]
        except (UserError, FileNotFoundError) as error:
            view.notes.append(f'Not all could be predicted: {error}')
    return view


def lead(view: RunView, name: str = '') -> str:
    """The outcome in one sentence.

    Args:
        view: of a run.
        name: of the run; empty where there is one.
    """
    found = ', '.join(f'{word}: {value}' for word, value in headline(view))
    said = found or 'No result yet.'
    return paragraph(f'{name} – {said}' if name else said, 'lead')


def sections_of(view: RunView, name: str = '') -> list[Section]:
    """Those that have something to say.

    Args:
        view: of a run.
        name: of the run; empty where there is one.
    """
    made = [
        Section(title, write(view), name) for title, write in SECTIONS.items()
    ]
    return [section for section in made if section.html]


def build_report(
    folders: Sequence[Path],
    out: Path,
    predict: bool = True,
    limit: int = 500,
    device: str = 'cpu',
) -> None:
    """Writes the report.

    Args:
        folders: work_dirs.
        out: HTML file.
        predict: whether checkpoints may be run.
        limit: validation images at most; 0 takes all.
        device: to run them on.

    Raises:
        UserError: a folder is not of a run, or ``out`` cannot be written.
    """
    files = [read_run(folder) for folder in folders]
    names = common_names(files)
    views = [
        view_run(one, name, predict, limit, device)
        for one, name in zip(files, names, strict=True)
    ]
    if len(views) == 1:
        title, said = f'Run {names[0]}', lead(views[0])
        sections = sections_of(views[0])
    else:
        title = f'Runs {", ".join(names)}'
        said = ''.join(lead(view, view.name) for view in views)
        sections = [Section('Comparison', comparison(views))]
        for view in views:
            sections += sections_of(view, view.name)
    text = page(title, said, sections)
    with atomic_path(out) as part:
        part.write_text(text, encoding='utf-8')

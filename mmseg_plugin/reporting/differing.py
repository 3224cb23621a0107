"""The images in which several runs differ most, beside their truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.reporting.html import paragraph, picture
from mmseg_plugin.reporting.matching import shown
from mmseg_plugin.reporting.records import Region
from mmseg_plugin.reporting.sections.images import (
    draw_beside,
    segments_of_regions,
)
from mmseg_plugin.reporting.view import JudgedView, Reader

# Images, and runs that there is room for beside the truth.
_IMAGES, _RUNS = 4, 3
# From this difference of quality on there is something to see.
_LEAST = 0.05


def differing(views: Mapping[str, JudgedView], read: Reader) -> str:
    """Pictures of one kind of result.

    Args:
        views: of each run, by its name.
        read: gives the pixels of an image.
    """
    views = dict(list(views.items())[:_RUNS])
    ranked = sorted(
        qualities(views).items(),
        key=lambda item: min(item[1].values()) - max(item[1].values()),
    )
    figures = [
        figure
        for path, values in ranked[:_IMAGES]
        if max(values.values()) - min(values.values()) >= _LEAST
        if (figure := _figure(path, values, views, read))
    ]
    if not figures:
        return ''
    said = paragraph(
        'The images in which they differ most. Quality is the PQ of the '
        'image, its classes counted together.',
        'soft',
    )
    return '<h3>Where they differ</h3>' + said + ''.join(figures)


def qualities(views: Mapping[str, JudgedView]) -> dict[str, dict[str, float]]:
    """Path of each image that several runs have to its quality in each."""
    found: dict[str, dict[str, float]] = {}
    for name, view in views.items():
        for record, one in zip(view.judged.images, view.matched, strict=True):
            if one.quality is not None:
                found.setdefault(record.path, {})[name] = one.quality
    return {p: values for p, values in found.items() if len(values) > 1}


def _figure(
    path: str,
    values: Mapping[str, float],
    views: Mapping[str, JudgedView],
    read: Reader,
) -> str:
    """Empty if the image cannot be read any more."""
    classes = list(
        dict.fromkeys(c for v in views.values() for c in v.judged.classes)
    )
    panels: dict[str, list[Segment]] = {}
    for name in values:
        view = views[name]
        record = next(r for r in view.judged.images if r.path == path)
        found = [record.found[i] for i in shown(record, view.threshold)]
        for title, regions in (('ground truth', record.truth), (name, found)):
            drawn = _renamed(regions, view.judged.classes, classes)
            panels.setdefault(title, drawn)
    try:
        image = read(Path(path))
    except UserError:
        return ''
    if image.shape[:2] != tuple(record.size):
        return ''
    short = '/'.join(path.rsplit('/', 2)[-2:])
    each = ', '.join(f'{name} {value:.2f}' for name, value in values.items())
    said = f'{short}: quality {each}'
    semantic = view.judged.kind == 'semantic'
    return picture(draw_beside(image, panels, classes, semantic), said, said)


def _renamed(
    regions: Sequence[Region], own: Sequence[str], names: Sequence[str]
) -> list[Segment]:
    """To be drawn, its labels numbered by the names of all runs."""
    return segments_of_regions(
        [r._replace(label=names.index(own[r.label])) for r in regions]
    )

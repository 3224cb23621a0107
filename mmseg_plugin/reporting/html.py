"""Pieces of a page: escaped text, tables, pictures and curves."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from itertools import count, groupby, zip_longest
from typing import Any, NamedTuple

import cv2
import matplotlib
import numpy as np

from mmseg_plugin.visualization.plots import (
    INK,
    Panel,
    common_limits,
    figure_of,
)

_IDS = count()
_DROPPED = re.compile(
    r'<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->', re.S
)
Cell = str | float | int | None


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        title: its heading.
        html: what is below.
        run: whose it is; empty where there is one run.
    """

    title: str
    html: str
    run: str = ''

    @property
    def heading(self) -> str:
        """The title, with the run."""
        return f'{self.run}: {self.title}' if self.run else self.title


def anchor(title: str) -> str:
    """Name of a section's place on the page."""
    return re.sub(r'\W+', '-', title.lower()).strip('-')


def paragraph(text: str, kind: str = '') -> str:
    """Text of people, escaped.

    Args:
        text: any.
        kind: class of the paragraph, such as ``'note'``.
    """
    return f'<p class="{kind}">{escape(text)}</p>' if text else ''


def number(value: Cell, digits: int = 3) -> str:
    """A value as people read it; a dash where there is none."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return '–'
    if isinstance(value, float | np.floating):
        return f'{value:.{digits}f}'
    return f'{value:,}' if isinstance(value, int | np.integer) else value


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    caption: str,
    digits: int = 3,
) -> str:
    """A table that its heads sort, by mouse and keyboard.

    Args:
        heads: of the columns.
        rows: text or numbers; None and NaN are dashes, and sorted last.
        caption: says what is in it.
        digits: of fractions.
    """
    rows = list(rows)
    # A column is what its first row is.
    kinds = ['' if isinstance(c, str) else 'number' for c in (rows or [()])[0]]
    buttons = ''.join(
        f'<th scope="col" class="{kind}"><button type="button">'
        f'{escape(head)}</button></th>'
        for head, kind in zip_longest(heads, kinds, fillvalue='')
    )
    body = ''.join(
        f'<tr>{"".join(_cell(cell, digits) for cell in row)}</tr>'
        for row in rows
    )
    return (
        '<div class="wide"><table class="sortable"><caption>'
        f'{escape(caption)}</caption><thead><tr>{buttons}</tr></thead>'
        f'<tbody>{body}</tbody></table></div>'
    )


def _cell(cell: Cell, digits: int) -> str:
    if isinstance(cell, str):
        return f'<td>{escape(cell)}</td>'
    shown = number(cell, digits)
    value = '' if shown == '–' else f'{float(cell or 0):.9g}'
    return f'<td class="number" data-value="{value}">{escape(shown)}</td>'


def facts(pairs: Iterable[tuple[str, Cell]]) -> str:
    """Names and values below each other."""
    items = ''.join(
        f'<div><dt>{escape(name)}</dt><dd>{escape(number(value))}</dd></div>'
        for name, value in pairs
    )
    return f'<dl>{items}</dl>'


def picture(image: np.ndarray, text: str, caption: str = '') -> str:
    """An image inside the page.

    Args:
        image: BGR (h, w, 3), uint8.
        text: for those who do not see it.
        caption: below it.
    """
    ok, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not ok:
        raise ValueError(f'an image of {image.shape} cannot be encoded')
    source = base64.b64encode(data.tobytes()).decode()
    height, width = image.shape[:2]
    return (
        f'<figure><img src="data:image/jpeg;base64,{source}" '
        f'width="{width}" height="{height}" alt="{escape(text)}">'
        f'<figcaption>{escape(caption)}</figcaption></figure>'
    )


def curves(panels: Sequence[Panel], text: str, caption: str = '') -> str:
    """Panels of curves as drawings in the colours of the page.

    Args:
        panels: as many beside each other as the page has room for.
        text: for those who do not see it.
        caption: below it.
    """
    limits = common_limits(list(panels)) if len(panels) > 1 else None
    drawn = ''.join(_drawing(panel, limits, text) for panel in panels)
    return (
        f'<figure class="curves"><div>{drawn}</div>'
        f'<figcaption>{escape(caption)}</figcaption></figure>'
    )


def _drawing(
    panel: Panel, limits: tuple[float, float] | None, text: str
) -> str:
    buffer = io.StringIO()
    options: Any = {'svg.fonttype': 'none', 'svg.hashsalt': 'mmseg_plugin'}
    with matplotlib.rc_context(options):
        figure = figure_of([panel], limits)
        figure.savefig(buffer, format='svg', transparent=True)
    svg = _DROPPED.sub('', buffer.getvalue()).strip()
    svg = _own_ids(svg.replace(INK, 'currentColor'))
    label = escape(f'{text}: {panel.title}')
    return svg.replace('<svg ', f'<svg role="img" aria-label="{label}" ', 1)


def _own_ids(svg: str) -> str:
    """Ids that no other drawing of the page has."""
    start = f'd{next(_IDS)}-'
    svg = re.sub(r'\bid="', f'id="{start}', svg)
    svg = re.sub(r'url\(#', f'url(#{start}', svg)
    return re.sub(r'href="#', f'href="#{start}', svg)


def details(summary: str, html: str) -> str:
    """What is folded until asked for."""
    return f'<details><summary>{escape(summary)}</summary>{html}</details>'


def preformatted(text: str) -> str:
    """Text as it is."""
    return f'<pre>{escape(text)}</pre>'


def _link(section: Section) -> str:
    place = anchor(section.heading)
    return f'<li><a href="#{place}">{escape(section.title)}</a></li>'


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page, which needs no other file.

    Args:
        title: of the page.
        lead: HTML above the sections.
        sections: from top to bottom.
    """
    files = resources.files('mmseg_plugin.reporting')
    style = files.joinpath('page.css').read_text(encoding='utf-8')
    script = files.joinpath('page.js').read_text(encoding='utf-8')
    links = ''.join(
        f'<ul>{f"<li>{escape(run)}</li>" if run else ""}'
        f'{"".join(_link(section) for section in own)}</ul>'
        for run, own in groupby(sections, lambda section: section.run)
    )
    body = ''.join(
        f'<section id="{anchor(s.heading)}"><h2>{escape(s.heading)}</h2>'
        f'{s.html}</section>'
        for s in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, '
        'initial-scale=1"><link rel="icon" href="data:,">'
        f'<title>{escape(title)}</title><style>{style}</style></head><body>'
        f'<header><h1>{escape(title)}</h1>{lead}</header>'
        f'<nav aria-label="Sections">{links}</nav>'
        f'<main>{body}</main><script>{script}</script></body></html>\n'
    )

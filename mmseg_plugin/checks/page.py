"""Findings as one HTML file, with examples drawn on their images."""

from __future__ import annotations

import base64
from html import escape

import cv2
import numpy as np

from mmseg_plugin.datasets.annotations import object_mask

from .findings import SEVERITIES, Finding
from .snapshot import Snapshot

EXAMPLES = 3
# Longer side of a picture, and what is shown around an object, in pixels.
SIDE = 320
MARGIN = 24
# Orange and blue, which the colour-blind tell apart; BGR.
MASK, BOX = (0, 159, 230), (178, 114, 0)
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;
padding:0 1rem;background:Canvas;color:CanvasText}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #8886;padding:.3rem .6rem;text-align:left}
figure{display:inline-block;margin:.5rem .8rem .5rem 0;max-width:300px;
vertical-align:top}
figcaption{font-size:.8rem;overflow-wrap:anywhere}
img{max-width:100%;border:1px solid #8886}
.error{border-left:.4rem solid #d55e00;padding-left:.8rem}
.warning{border-left:.4rem solid #e69f00;padding-left:.8rem}
.note{border-left:.4rem solid #0072b2;padding-left:.8rem}
code{overflow-wrap:anywhere}
h2,p{break-after:avoid}
figure,tr{break-inside:avoid}
"""


def page(
    words: str, snapshots: list[Snapshot], findings: list[list[Finding]]
) -> str:
    """The page: what was found, worst first, with examples.

    Args:
        words: what the data is.
        snapshots: of the splits.
        findings: of each of them.
    """
    kinds: dict[str, list[tuple[Snapshot, Finding]]] = {}
    for snapshot, found in zip(snapshots, findings, strict=True):
        for finding in found:
            kinds.setdefault(finding.id, []).append((snapshot, finding))
    order = list(SEVERITIES)
    groups = sorted(
        kinds.values(),
        key=lambda group: (order.index(group[0][1].severity), -_total(group)),
    )
    rows = ''.join(
        f'<tr><td>{f.severity}</td><td><a href="#{f.id}">{f.id}</a></td>'
        f'<td>{_total(group)}</td><td>{escape(f.message)}</td></tr>'
        for group in groups
        for f in [group[0][1]]
    )
    table = (
        '<table><thead><tr><th>severity</th><th>check</th><th>count</th>'
        f'<th>what</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    sections = ''.join(_section(group) for group in groups)
    body = f'{table}{sections}' if groups else '<p>Nothing was found.</p>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>Checks of data</title><style>{_STYLE}</style></head><body>'
        f'<h1>Checks of data</h1><p>{escape(words)}</p>{body}</body></html>'
    )


def _total(group: list[tuple[Snapshot, Finding]]) -> int:
    return sum(finding.count for _, finding in group)


def _section(group: list[tuple[Snapshot, Finding]]) -> str:
    """One fault, with examples from each file."""
    first = group[0][1]
    files = ''.join(_file(*pair) for pair in group)
    return (
        f'<section id="{first.id}" class="{first.severity}">'
        f'<h2>{first.id} ({_total(group)})</h2>'
        f'<p>{escape(first.message)}.<br>Fix: {escape(first.fix)}.</p>'
        f'{files}</section>'
    )


def _file(snapshot: Snapshot, finding: Finding) -> str:
    shown = finding.places[:EXAMPLES]
    figures = ''.join(
        _figure(snapshot, finding, number, text)
        for number, text in enumerate(shown)
    )
    more = finding.count - len(shown)
    rest = f' and {more} more' if more > 0 else ''
    return (
        f'<p><code>{escape(finding.file)}</code>: {len(shown)}{rest}</p>'
        f'<div>{figures}</div>'
    )


def _figure(
    snapshot: Snapshot, finding: Finding, number: int, text: str
) -> str:
    """An example: its picture, if there is one, and its name."""
    image = annotation = None
    if finding.kind == 'annotation' and number < len(finding.rows):
        annotation = snapshot.annotations[finding.rows[number]]
        image = int(snapshot.image_of[finding.rows[number]])
    elif finding.kind == 'image' and number < len(finding.rows):
        image = finding.rows[number]
    else:
        image = _image_in(snapshot, text)
    picture = ''
    if image is not None and image >= 0:
        pixels = _pixels(snapshot, image)
        if pixels is not None:
            if annotation is not None:
                pixels = _drawn(pixels, annotation)
            picture = f'<img alt="" src="{_embedded(pixels)}">'
    caption = f'<figcaption>{escape(text)}</figcaption>'
    return f'<figure>{picture}{caption}</figure>'


def _image_in(snapshot: Snapshot, text: str) -> int | None:
    """The image that a place begins with."""
    name = text
    for mark in (': ', ' = ', ' ~ '):
        name = name.partition(mark)[0]
    stem = name.rpartition('.')[0] or name
    for place, image in enumerate(snapshot.images):
        listed = str(image.get('file_name'))
        base = listed.rpartition('/')[2]
        if name in (listed, base) or stem == base.rpartition('.')[0]:
            return place
    return None


def _pixels(snapshot: Snapshot, place: int) -> np.ndarray | None:
    """The image, or a grey one of the stated size where it is not there."""
    image = snapshot.images[place]
    if snapshot.image_dir is not None:
        path = snapshot.image_dir / str(image.get('file_name'))
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is not None:
            return pixels
    width, height = snapshot.sizes[place]
    if 0 < width * height < 10**8:
        return np.full((int(height), int(width), 3), 128, np.uint8)
    return None


def _drawn(pixels: np.ndarray, annotation: dict) -> np.ndarray:
    """The surroundings of an object, with its mask and its box."""
    pixels = pixels.copy()
    height, width = pixels.shape[:2]
    extent = []
    try:
        mask = object_mask(annotation, (height, width), '')
    except (ValueError, TypeError, KeyError):
        mask = None
    if mask is not None and mask.any():
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
        )
        pixels[mask] = (0.6 * pixels[mask] + 0.4 * np.array(MASK)).astype(
            np.uint8
        )
        cv2.drawContours(pixels, outlines, -1, MASK, 1)
        rows, columns = np.nonzero(mask)
        extent.append(
            (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        )
    box = annotation.get('bbox')
    if isinstance(box, list) and len(box) == 4:
        x, y, w, h = (float(value) for value in box)
        corners = np.clip([x, y, x + w, y + h], -(10**6), 10**6).astype(int)
        cv2.rectangle(pixels, corners[:2].tolist(), corners[2:].tolist(), BOX)
        extent.append(tuple(corners))
    if not extent:
        return pixels
    low = np.min(extent, 0)[:2] - MARGIN
    high = np.max(extent, 0)[2:] + MARGIN
    x1, y1 = np.clip(low, 0, [width - 1, height - 1])
    x2, y2 = np.clip(high, [x1 + 1, y1 + 1], [width, height])
    return pixels[y1:y2, x1:x2]


def _embedded(pixels: np.ndarray) -> str:
    """A JPEG in a data URL; small crops are enlarged, large ones shrunk."""
    factor = min(4.0, SIDE / max(pixels.shape[:2]))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how)
    code = cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return (
        f'data:image/jpeg;base64,{base64.b64encode(code.tobytes()).decode()}'
    )

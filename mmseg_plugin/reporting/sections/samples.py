"""Augmented training samples, as the model saw them; what it found when."""

import re
from pathlib import Path

import cv2
import numpy as np

from mmseg_plugin.reporting.html import paragraph, picture
from mmseg_plugin.reporting.view import RunView
from mmseg_plugin.visualization.inputs import contact_sheet
from mmseg_plugin.visualization.pictures_hook import FIRST_BATCH, FOLDER

# Evaluations that are shown, pictures a row, and its width in pixels.
_MOST, _COLUMNS, _WIDTH = 6, 3, 1400


def samples(run: RunView) -> str:
    """The first batch, and one image at each evaluation."""
    folder = run.files.folder / FOLDER
    path = folder / FIRST_BATCH
    first = cv2.imread(str(path)) if path.is_file() else None
    caption = 'The first batch after augmentation, as the model saw it.'
    if first is None and run.samples:
        first = contact_sheet(run.samples)
        caption = 'Training samples after augmentation, drawn anew.'
    if first is None:
        return paragraph(
            'The first batch was not saved: PicturesHook of this package '
            'does it.',
            'soft',
        )
    text = 'augmented training samples with their annotations'
    return picture(_fitting(first), text, caption) + _over_time(folder)


def _fitting(image: np.ndarray) -> np.ndarray:
    scale = min(1.0, _WIDTH / image.shape[1])
    return cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )


def saved_evaluations(folder: Path) -> dict[int, Path]:
    """Iterations to the first picture that each evaluation saved."""
    found = {}
    for one in folder.glob('iter_*'):
        match = re.fullmatch(r'iter_(\d+)', one.name)
        pictures = sorted(one.glob('*.jpg'))
        if match and pictures:
            found[int(match[1])] = pictures[0]
    return dict(sorted(found.items()))


def _over_time(folder: Path) -> str:
    found = saved_evaluations(folder)
    if len(found) > _MOST:
        steps = list(found)
        places = np.linspace(0, len(steps) - 1, _MOST).round().astype(int)
        found = {steps[i]: found[steps[i]] for i in places.tolist()}
    read = {step: cv2.imread(str(path)) for step, path in found.items()}
    shown = {step: image for step, image in read.items() if image is not None}
    if not shown:
        return ''
    # Several panels beside each other need the whole row.
    wide = any(one.shape[1] > 2 * one.shape[0] for one in shown.values())
    columns = 1 if wide else _COLUMNS
    pictures = list(shown.values())
    sheet = contact_sheet(pictures, columns, _WIDTH // columns)
    when = ', '.join(map(str, shown))
    caption = f'What was found in one image after {when} iterations.'
    return picture(sheet, 'predictions over the training', caption)

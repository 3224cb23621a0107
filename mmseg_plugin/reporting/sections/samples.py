"""Augmented training samples, as the model saw them."""

import cv2

from mmseg_plugin.reporting.html import paragraph, picture
from mmseg_plugin.reporting.run_files import PICTURES
from mmseg_plugin.reporting.view import RunView


def samples(run: RunView) -> str:
    """The first batch, which a hook saved; and predictions over time."""
    path = run.files.folder / PICTURES / 'first_batch.jpg'
    first = cv2.imread(str(path)) if path.is_file() else None
    if first is None:
        return paragraph(
            'The first batch was not saved: PicturesHook of this package '
            'does it.',
            'soft',
        )
    text = 'augmented training samples with their annotations'
    return picture(
        first, text, 'The first batch after augmentation, as the model saw it.'
    )

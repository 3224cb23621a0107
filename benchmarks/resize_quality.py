"""What images of the pipeline lose: aliasing of OpenCV, reduced decoding.

Mean absolute difference, in levels of 255, from Pillow's antialiased resize
of the image decoded in full, for each factor.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from mmseg_plugin.datasets.transforms.large_scale_jitter import (
    Jitter,
    LargeScaleJitter,
)

FACTORS = (0.1, 0.2, 0.3, 0.4, 0.5)
WAYS: dict[str, dict] = {
    'cv2': {'backend': 'cv2'},
    'pillow, reduced decoding': {'reduced_decoding': True},
}


def jittered(path: Path, factor: float, **options: object) -> np.ndarray:
    """An image resized by a factor, int16 (H, W, 3)."""
    height, width = cv2.imread(str(path)).shape[:2]  # type: ignore[union-attr]
    size = round(height * factor), round(width * factor)
    step = LargeScaleJitter(size=size[::-1], **options)  # type: ignore[arg-type]
    # Nothing is drawn.
    step.__dict__['draw'] = lambda _: Jitter(False, size, (0, 0))
    info = {'img_path': str(path), 'height': height, 'width': width}
    return step.transform(info)['img'].astype(np.int16)


def main(folder: str) -> None:
    paths = sorted(Path(folder).glob('*.jpg'))
    print('{:26}'.format('factor'), *(f'{f:6}' for f in FACTORS))
    for name, options in WAYS.items():
        row = []
        for factor in FACTORS:
            differs = [
                np.abs(
                    jittered(path, factor, **options) - jittered(path, factor)
                ).mean()
                for path in paths
            ]
            row.append(f'{np.mean(differs):6.2f}')
        print(f'{name:26}', *row)


if __name__ == '__main__':
    main(sys.argv[1])

"""What decode heads share: their classes, the size of their input."""

from typing import Any

from mmengine.structures import BaseDataElement


def input_size(
    batch_img_metas: list[dict], test_cfg: dict[str, Any] | None
) -> tuple[int, int]:
    """Height and width of the network's input at test time.

    Whole images are padded to one shape. A slide gives its crop's shape as
    ``img_shape`` of the first image and leaves all else as it was.

    Args:
        batch_img_metas: of each image.
        test_cfg: of the segmentor.
    """
    slides = _slides(test_cfg)
    shapes = [
        meta.get('pad_shape') or meta['img_shape'] for meta in batch_img_metas
    ]
    if slides:
        shapes = [batch_img_metas[0]['img_shape']]
    height, width = (max(shape[axis] for shape in shapes) for axis in (0, 1))
    return height, width


def sized_samples(
    batch_img_metas: list[dict],
    size: tuple[int, int],
    test_cfg: dict[str, Any] | None = None,
) -> list[BaseDataElement]:
    """What a query head reads about the sizes of a batch.

    A slide does not say where its crop lies, so that all of it counts as
    image.

    Args:
        batch_img_metas: of each image.
        size: height and width of the network's input.
        test_cfg: of the segmentor; None while training.
    """
    return [
        BaseDataElement(
            metainfo={
                'batch_input_shape': size,
                'img_shape': size
                if _slides(test_cfg)
                else tuple(meta['img_shape'][:2]),
            }
        )
        for meta in batch_img_metas
    ]


def _slides(test_cfg: dict[str, Any] | None) -> bool:
    return (test_cfg or {}).get('mode', 'whole') == 'slide'


def checked_num_classes(num_classes: int) -> int:
    """The number of classes, if mmseg takes their maps for what they are.

    Raises:
        ValueError: less than two classes: mmseg takes a single map for
            logits of a foreground.
    """
    if num_classes < 2:
        raise ValueError(
            f'num_classes must be at least 2, not {num_classes}: count the '
            'background as a class'
        )
    return num_classes

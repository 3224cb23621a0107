"""Checks of the options that all results of a model share."""

from mmdet.utils import OptConfigType

# One test_cfg for Panoptic FCN: its head reads the first line.
PANOPTIC_FCN_KEYS = {
    *('center_thr', 'region_thr', 'max_per_image'),
    *('panoptic_on', 'instance_on', 'similarity_thr', 'class_specific'),
    *('mask_thr', 'score_thr', 'instance_thr', 'overlap_thr', 'stuff_area'),
}


def checked_test_cfg(test_cfg: OptConfigType, known: set[str]) -> dict:
    """``test_cfg``, or an empty dict in place of None.

    Args:
        test_cfg: of the model.
        known: keys that something reads.

    Raises:
        ValueError: ``test_cfg`` has other keys, which would do nothing.
    """
    test_cfg = test_cfg or {}
    unknown = sorted(test_cfg.keys() - known)
    if unknown:
        raise ValueError(
            f'test_cfg has unknown keys {unknown}; it can have {sorted(known)}'
        )
    return test_cfg

"""The classes of the synthetic scenes; the one place that lists them."""

THINGS = ('disc', 'box', 'triangle', 'star', 'ring', 'cross')
STUFF = ('meadow', 'water', 'bricks')

UNLABELLED = 255
"""Value of unlabelled pixels in semantic maps."""


def coco_categories() -> list[dict]:
    """Gives all categories in COCO's panoptic format.

    Returns:
        One dictionary a class, things first; the ids count from 1, so a
        semantic label (index into ``THINGS + STUFF``) is the id minus 1.
    """
    return [
        {
            'id': i + 1,
            'name': name,
            'supercategory': 'thing' if name in THINGS else 'stuff',
            'isthing': int(name in THINGS),
        }
        for i, name in enumerate(THINGS + STUFF)
    ]

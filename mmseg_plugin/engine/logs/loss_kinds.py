"""Adds the losses of many layers up to one number for each kind."""

import re
from collections.abc import Mapping

# The word for each loss, in the order in which they are shown.
WORDS = {
    'cls': 'class',
    'mask': 'mask',
    'dice': 'dice',
    'bbox': 'box',
    'iou': 'giou',
    'ibs': 'ibs',
    'ce': 'class',
}
# Prefixes of losses that are judged apart.
GROUPS = {'dn': 'denoising', 'enc': 'encoder', 'aux': 'auxiliary'}
_NAME = re.compile(
    r'^(?:decode\.|(?P<aux>aux)(?:_\d+)?\.)?(?:[sd]\d+\.)?'
    r'(?P<group>dn_|enc_)?(?P<part>.*?)loss_?(?P<kind>.*)$'
)


def kind_of(name: str) -> tuple[str, str] | None:
    """Group and kind of a logged loss.

    Args:
        name: as heads of mmdet and mmseg name them, such as
            ``'d3.dn_loss_cls'``.

    Returns:
        Group, ``''`` for the predictions themselves, and kind; None for
        the total and for what is no loss.
    """
    found = _NAME.match(name)
    if name == 'loss' or found is None:
        return None
    group = (found['group'] or '').rstrip('_') or found['aux'] or ''
    kind = ' '.join(WORDS.get(w, w) for w in found['kind'].split('_'))
    part = found['part'].strip('_.').replace('_', ' ')
    return GROUPS.get(group, ''), ' '.join(w for w in (part, kind) if w)


def sum_losses(logged: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Sums over layers.

    Args:
        logged: values by name; what is no loss is left out.

    Returns:
        Group to kind to sum; known kinds first, in the order of
        :data:`WORDS`.
    """
    sums: dict[str, dict[str, float]] = {}
    for name, value in logged.items():
        if found := kind_of(name):
            group = sums.setdefault(found[0], {})
            group[found[1]] = group.get(found[1], 0.0) + float(value)
    order = list(dict.fromkeys(WORDS.values()))
    rank = {kind: place for place, kind in enumerate(order)}
    return {
        group: dict(
            sorted(kinds.items(), key=lambda item: rank.get(item[0], 99))
        )
        for group, kinds in sorted(sums.items())
    }

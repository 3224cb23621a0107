"""The model card of a folder for transformers."""

from collections.abc import Mapping, Sequence
from typing import Any

_UNKNOWN = 'not stated'


def model_card(
    method: str, config: Mapping[str, Any], facts: Mapping[str, str]
) -> str:
    """Text of ``README.md``.

    Args:
        method: ``'mask2former'`` or ``'maskformer'``.
        config: content of ``config.json``.
        facts: ``name``, ``licence``, ``data`` and ``metrics`` as far as they
            are known.
    """
    kind = config['architectures'][0]
    licence = facts.get('licence') or _UNKNOWN
    head = [
        '---',
        'library_name: transformers',
        'pipeline_tag: image-segmentation',
        f'tags: [{method}, vision]',
        *([f'license: {licence}'] if licence != _UNKNOWN else []),
        '---',
        '',
        f'# {facts.get("name") or method}',
        '',
        f'- Model: {kind}, backbone {config["backbone_config"]["model_type"]}',
        f'- Training data: {facts.get("data") or _UNKNOWN}',
        f'- Metrics: {facts.get("metrics") or _UNKNOWN}',
        f'- Licence: {licence}',
        f'- Classes: {_listed(list(config["id2label"].values()))}',
        '',
        'Trained with OpenMMLab and converted by `mmseg_plugin`. The weights',
        'are the same; post-processing is that of transformers.',
        '',
        '```python',
        f'from transformers import AutoImageProcessor, {kind}',
        '',
        "folder = '.'",
        'processor = AutoImageProcessor.from_pretrained(folder)',
        f'model = {kind}.from_pretrained(folder)',
        '```',
    ]
    return '\n'.join(head) + '\n'


def _listed(names: Sequence[str], most: int = 20) -> str:
    more = len(names) - most
    text = ', '.join(names[:most])
    return f'{text} and {more} more' if more > 0 else text

"""Fits a checkpoint to a config with other classes, queries or levels.

Weights whose name and shape fit are kept; the others are listed and
initialised again. IN is a file of mmdet or mmseg, or a folder of transformers;
weights of mmdet's DINO are renamed for Mask DINO. Load the result by
--cfg-options load_from=OUT.
"""

import argparse
from pathlib import Path

from mmengine.registry import MODELS, DefaultScope
from torch import Tensor

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.converters import carry_over
from mmseg_plugin.converters.dino import from_dino, is_dino
from mmseg_plugin.converters.files import write_state
from mmseg_plugin.converters.fit import fit, named_for
from mmseg_plugin.converters.hf_folder import method_of
from mmseg_plugin.models.dense_heads import MaskDINOHead
from mmseg_plugin.weights.use import read_weights


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='path or name of a shipped config')
    parser.add_argument('source', type=Path, metavar='IN')
    parser.add_argument('target', type=Path, metavar='OUT')
    return parser.parse_args()


def read_any(source: Path) -> dict[str, Tensor]:
    """Weights of a file in mmdet's layout, or a folder of transformers.

    Raises:
        UserError: it cannot be read or converted.
    """
    if not source.is_dir():
        return read_weights(source, 'mmdet', '')
    try:
        method = method_of(source)
        state = read_weights(source, 'hf', method)
        return carry_over(method, state, 'hf', 'mmdet').state
    except ValueError as error:
        raise UserError(str(error)) from None


def main() -> None:
    args = parse_args()
    config = read_model_config(args.config)
    scope = config.get('default_scope', 'mmdet')
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(config.model)
    state = read_any(args.source)
    if is_dino(state):
        head = getattr(model, 'panoptic_head', None)
        if not isinstance(head, MaskDINOHead):
            raise UserError(
                f'{args.source} holds a DINO, whose weights fit Mask DINO '
                f'only; {args.config} is another model'
            )
        state = from_dino(state, head.pixel_decoder.feature_order)
    wanted = model.state_dict()
    result = fit(named_for(state, wanted), wanted)
    if not result.state:
        raise UserError(f'no weight in {args.source} fits {args.config}')
    with atomic_path(args.target) as part:
        write_state(result.state, part, 'mmdet')
    for name, why in result.fresh:
        print(f'initialised  {name}: {why}')
    for name in result.unused:
        print(f'not used     {name}')
    print(
        f'{args.target}: {len(result.state)} tensors kept, '
        f'{len(result.fresh)} initialised again, {len(result.unused)} not used'
    )


if __name__ == '__main__':
    run(main)

"""Converts checkpoints between transformers, the official code and mmdet.

The sides are hf (a folder as transformers saves a model: config.json and
safetensors), d2 (the official code, detectron2) and mmdet. Strict: a key that
the method's table does not know ends the tool, nothing is written. Files are
read as data; no code in them runs. With --to hf, IN may be the work_dir of a
run: its best checkpoint, classes, preprocessing, data and metrics are taken.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config
from torch import Tensor

from mmseg_plugin import converters
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import plain_data_sets
from mmseg_plugin.converters.files import read_classes, write_state
from mmseg_plugin.converters.hf_folder import write_folder
from mmseg_plugin.converters.hf_leaf import leaf_config
from mmseg_plugin.exporting.recipe import read_recipe
from mmseg_plugin.weights.fetch import fetch
from mmseg_plugin.weights.table import find_weights
from mmseg_plugin.weights.use import read_weights

if TYPE_CHECKING:
    from mmseg_plugin.reporting.run_files import RunFiles


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('method', choices=converters.METHODS)
    parser.add_argument(
        'paths',
        type=Path,
        nargs='+',
        metavar='[IN] OUT',
        help='IN is left out if --from names published weights',
    )
    parser.add_argument(
        '--from',
        dest='side',
        required=True,
        metavar='SIDE|NAME',
        help=f'one of {", ".join(converters.SIDES)}, or published weights',
    )
    parser.add_argument('--to', choices=converters.SIDES, required=True)
    parser.add_argument(
        '--report', type=Path, help='write what became of every key (.tsv)'
    )
    parser.add_argument(
        '--config',
        type=Path,
        help='of the converted Mask2Former of transformers; default: OUT.py',
    )
    parser.add_argument(
        '--semantic',
        action='store_true',
        help='that model gives semantic maps: none of its classes is of '
        'things, which transformers does not say',
    )
    for fact in ('licence', 'data', 'metrics'):
        parser.add_argument(f'--{fact}', help='for the model card, --to hf')
    args = parser.parse_intermixed_args()
    args.weights = None
    if args.side not in converters.SIDES:
        args.weights = find_weights(args.side)
        args.side = args.weights.layout
    wanted = 1 if args.weights else 2
    if len(args.paths) != wanted:
        parser.error(f'{"OUT" if wanted == 1 else "IN and OUT"} are expected')
    args.source, args.target = args.paths[0], args.paths[-1]
    if args.weights and args.weights.method != args.method:
        parser.error(f'{args.weights.name} are of {args.weights.method}')
    if args.to == 'hf' and args.target.exists():
        parser.error(f'{args.target} exists')
    if args.side == args.to:
        parser.error('--from and --to are the same')
    return args


def report_lines(conversion: converters.Conversion) -> list[str]:
    """One tab-separated line for every key of either file."""
    return [
        *(f'{old}\t{new}' for old, new in conversion.renamed),
        *(f'{old}\t(dropped: {why})' for old, why in conversion.dropped),
        *(f'(made)\t{new}' for new in conversion.made),
    ]


def summary_lines(conversion: converters.Conversion) -> list[str]:
    """A line for each reason why a key has no counterpart."""
    by_reason = defaultdict(list)
    for key, why in conversion.dropped:
        by_reason[why].append(key)
    lines = [f'dropped {few(keys)}: {why}' for why, keys in by_reason.items()]
    if conversion.made:
        lines.append(f'made {few(conversion.made)}')
    return lines


def few(keys: list[str]) -> str:
    """The first key, and how many more there are."""
    return keys[0] + (f' and {len(keys) - 1} more' if len(keys) > 1 else '')


def write_config(args: argparse.Namespace, state: dict[str, Tensor]) -> None:
    """Writes the config beside the checkpoint, if there can be one.

    Args:
        args: of the tool.
        state: as it was read.

    Raises:
        UserError: it was asked for and cannot be written.
    """
    path = args.config or args.target.with_suffix('.py')
    try:
        if path.exists():
            raise ValueError(f'{path} exists')
        text = leaf_config(args.source, args.target, args.semantic, state)
    except (ValueError, KeyError, TypeError) as error:
        if args.config:
            raise UserError(f'{path} was not written: {error}') from None
        print(f'no config was written: {error}')
        return
    with atomic_path(path) as part:
        part.write_text(text)
    print(f'{path}: the config, with its classes and test pipeline')


def read_finished(
    args: argparse.Namespace,
) -> tuple[dict | None, int | None]:
    """Takes the best checkpoint of a run, and what the card says of it.

    Returns:
        Its preprocessing, and heads of its decoder; None if the source is no
        run.
    """
    if args.to != 'hf' or args.side != 'mmdet' or not args.source.is_dir():
        return None, None
    # Reports import much.
    from mmseg_plugin.reporting.run_files import read_run

    found = read_run(args.source)
    if found.checkpoint is None:
        raise UserError(f'run {args.source} has no checkpoint')
    recipe = read_recipe(found.config, None)
    args.source = found.checkpoint
    args.data = args.data or data_of(found.config)
    args.metrics = args.metrics or metrics_of(found)
    return recipe._asdict(), heads_of(found.config)


def heads_of(config: Config) -> int | None:
    """Heads of a decoder's attention, as its config has them."""
    head = config.model.get('panoptic_head') or {}
    layer = head.get('transformer_decoder', {}).get('layer_cfg', {})
    return layer.get('cross_attn_cfg', {}).get('num_heads')


def data_of(config: Config) -> str:
    """Names of the training data, without the folders of this machine."""
    return ', '.join(
        ' '.join(
            Path(str(data[key])).name
            for key in ('data_root', 'ann_file')
            if data.get(key)
        )
        for data in plain_data_sets(config.train_dataloader.dataset)
    )


def metrics_of(found: 'RunFiles') -> str:
    """Headlines of the validation that chose the checkpoint, or the last."""
    hook = (found.config.get('default_hooks') or {}).get('checkpoint') or {}
    lines, key = found.val, hook.get('save_best')
    if isinstance(key, str) and any(key in line for line in lines):
        sign = -1 if hook.get('rule') == 'less' else 1
        lines = sorted(lines, key=lambda line: sign * line.get(key, -sign))
    return ', '.join(
        f'{name} {value:.3f}'
        for name, value in (lines[-1] if lines else {}).items()
        if name.endswith(('_mAP', '/PQ', 'mIoU'))
    )


def main() -> None:
    args = parse_args()
    if args.weights:
        args.source = fetch(args.weights)
    steps, heads = read_finished(args)
    state = read_weights(args.source, args.side, args.method)
    try:
        conversion = converters.carry_over(
            args.method, state, args.side, args.to
        )
        with atomic_path(args.target) as part:
            if args.to == 'hf':
                classes = read_classes(args.source, args.side)
                facts = {
                    'name': args.target.name,
                    'licence': args.licence or '',
                    'data': args.data or '',
                    'metrics': args.metrics or '',
                }
                write_folder(
                    conversion.state,
                    part,
                    args.method,
                    classes=classes,
                    facts=facts,
                    steps=steps,
                    heads=heads,
                )
            else:
                write_state(conversion.state, part, args.to)
    except ValueError as error:
        raise UserError(
            f'{args.source} was not converted as {args.method}: {error}'
        ) from None
    if args.side == 'hf' and args.to == 'mmdet':
        write_config(args, state)
    if args.report:
        with atomic_path(args.report) as part:
            part.write_text('\n'.join(report_lines(conversion)) + '\n')
    print(*summary_lines(conversion), sep='\n')
    print(f'{args.target}: {len(conversion.renamed)} keys carried over')


if __name__ == '__main__':
    run(main)

"""`new` and `train DATA`: options, and the config that comes of them."""

import argparse
from pathlib import Path

from mmseg_plugin.apis.front_door import check_data, data_facts, prepare_data
from mmseg_plugin.apis.new_config import MODELS, SIZES, choose, config_text
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path


def add_options(parser: ToolParser) -> None:
    """What a config is written from."""
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--model', choices=MODELS, default='maskdino')
    parser.add_argument(
        '--size', choices=SIZES, help='default: what fits this machine'
    )
    parser.add_argument('--epochs', type=int, help='default: by the images')
    parser.add_argument('--batch', type=int, help='images a step')
    parser.add_argument(
        '--seed', type=int, default=0, help='of a split that has to be made'
    )


def write_config(args: argparse.Namespace) -> Path:
    """Writes the config, and prints what was chosen and why.

    Args:
        args: of :func:`add_options`, and ``out``, the file.

    Raises:
        UserError: the data cannot be used, or the config is there already.
    """
    out = args.out
    if out.exists():
        raise UserError(f'{out} is there already; name another --out')
    if min(args.epochs or 1, args.batch or 1) < 1:
        raise UserError('--epochs and --batch begin at 1')
    found, said = prepare_data(args.data, args.seed)
    print('\n'.join(said))
    snapshots, report = check_data(found)
    facts = data_facts(found, snapshots)
    made = choose(facts, args.model, args.size, args.epochs, args.batch)
    text = config_text(facts, made)
    if report:
        print(report)
    print('\n'.join(made.why))
    with atomic_path(out) as part:
        part.write_text(text)
    return out

"""`new` and `train DATA`: options, and the config that comes of them."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path
from mmseg_plugin.cli.configs import read_config
from mmseg_plugin.utils.words import counted, duration
from mmseg_plugin.weights.table import find_weights

from .data_facts import DataFacts, data_facts
from .front_door import check_data, prepare_data, save_data
from .new_bases import MODELS, SIZES
from .new_config import (
    Choice,
    Wishes,
    choose,
    steps_an_epoch,
    tests,
    usual_batch,
)
from .new_lines import config_text

if TYPE_CHECKING:
    from mmengine.config import Config

    from .step_time import StepTime

# Of the time that is asked for; the rest is for starting and saving.
USED_TIME = 0.9
# Of evaluating beside training.
TEST_TIME = 0.2


def batch_size(word: str) -> int | str:
    try:
        return word if word == 'auto' else int(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f'{word!r} is neither a number nor auto'
        ) from error


def add_options(parser: ToolParser) -> None:
    """What a config is written from, but the data."""
    parser.add_argument(
        '--model', choices=MODELS, help='default: by data and machine'
    )
    parser.add_argument(
        '--size', choices=SIZES, help='default: what fits this machine'
    )
    parser.add_argument(
        '--weights', type=Path, help='file with weights of the backbone'
    )
    parser.add_argument(
        '--from',
        dest='start',
        metavar='NAME',
        help='published weights to start from: weights list',
    )
    long = parser.add_mutually_exclusive_group()
    long.add_argument('--epochs', type=int, help='default: by the images')
    long.add_argument(
        '--hours', type=float, help='epochs by a step measured here'
    )
    parser.add_argument(
        '--batch',
        type=batch_size,
        metavar='N|auto',
        help='images a step; auto: what the GPU has room for, by trial',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of a split that has to be made'
    )
    parser.add_argument(
        '--fix',
        action='store_true',
        help='train on a copy without what "check --fix" corrects',
    )
    parser.add_argument(
        '--no-measure',
        action='store_true',
        help='do not measure how long a step takes',
    )


def config_name(args: argparse.Namespace) -> str:
    """Of the data and the model, where that is named."""
    name = args.data.resolve().stem
    return f'{name}_{args.model}' if args.model else name


def write_config(args: argparse.Namespace) -> Path:
    """Writes the config, and prints what was chosen and why.

    Args:
        args: of :func:`add_options`, ``data``, and ``out``, the file.

    Raises:
        UserError: the data cannot be used, or the config is there already.
    """
    out = args.out
    _check_args(args)
    found, said = prepare_data(args.data, args.seed, args.fix)
    print('\n'.join(said))
    snapshots, report = check_data(found)
    facts = data_facts(found, snapshots)
    print(facts.sentence())
    if report:
        print(report)
    if written := save_data(found, args.seed, args.fix):
        print(written)
    made, why = _choice(facts, args)
    print('\n'.join(why))
    text = config_text(facts, made)
    if made.load_from:
        _write_start(args.start, _built(facts, made), Path(made.load_from))
    with atomic_path(out) as part:
        part.write_text(text, encoding='utf-8')
    return out


def _check_args(args: argparse.Namespace) -> None:
    if args.out.exists():
        raise UserError(f'{args.out} is there already; name another --out')
    numbers = {'--epochs': args.epochs, '--batch': args.batch}
    for option, value in numbers.items():
        if isinstance(value, int) and value < 1:
            raise UserError(f'{option} {value}: begins at 1')
    if args.hours is not None and not 0 < args.hours < math.inf:
        raise UserError(f'--hours {args.hours:g}: more than 0')
    if args.seed < 0:
        raise UserError(f'--seed {args.seed}: begins at 0')
    if args.hours and args.no_measure:
        raise UserError('--hours is measured; leave out --no-measure')
    if args.weights and not args.weights.is_file():
        raise UserError(f'--weights: there is no file {args.weights}')
    if args.start and (args.model or args.size or args.weights):
        raise UserError(
            '--from says which model: leave out --model, --size and --weights'
        )
    if args.start:
        # Refuses a name that is none before anything is written.
        find_weights(args.start)


def _write_start(name: str, config: Config, path: Path) -> None:
    from mmseg_plugin.weights.use import checkpoint_for

    result = checkpoint_for(find_weights(name), config, path)
    print(
        f'{path}: {len(result.state)} weights of {name}, '
        f'{len(result.fresh)} of this model start anew'
    )


def _choice(facts: DataFacts, args: argparse.Namespace) -> tuple[Choice, list]:
    """What was chosen, and why."""
    weights = str(args.weights.resolve()) if args.weights else None
    batch = None if args.batch == 'auto' else args.batch
    start = find_weights(args.start) if args.start else None
    wishes = Wishes(args.model, args.size, args.epochs, batch, weights, start)
    made = choose(facts, wishes)
    if args.batch == 'auto':
        from .step_time import fitting_batch

        usual = usual_batch(made.size)
        fits, said = fitting_batch(_built(facts, made), usual, facts.images)
        made = choose(facts, replace(wishes, batch=fits))
        made.why.append(f'batch {fits}: {said}')
    step = None
    if not args.no_measure:
        from .step_time import measure_step

        step = measure_step(_built(facts, made), made.batch)
        if args.hours:
            made.epochs = _epochs(facts, made, step, args.hours)
        made.validations = _validations(facts, made, step)
    if start:
        path = args.out.resolve()
        made.load_from = str(path.with_name(f'{path.stem}_start.pth'))
    return made, [*made.why, _length(facts, made, step)]


def _built(facts: DataFacts, made: Choice) -> Config:
    """The config as MMEngine reads it, before it is written."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'config.py'
        text = config_text(facts, replace(made, why=[]))
        path.write_text(text, encoding='utf-8')
        return read_config(path)


def _epochs(
    facts: DataFacts, made: Choice, step: StepTime, hours: float
) -> int:
    """As many as fit into the hours, with the evaluations between them."""
    steps = steps_an_epoch(facts, made.batch)
    once = step.hours(0, facts.tested)
    left = hours * USED_TIME / (1 + TEST_TIME) - once
    epochs = math.floor(left / step.hours(steps, 0)) if left > 0 else 0
    if not epochs:
        least = (step.hours(steps, 0) + once) * (1 + TEST_TIME) / USED_TIME
        raise UserError(
            f'--hours {hours:g} is less than one epoch takes here; give it '
            f'{math.ceil(100 * least) / 100:g} at least'
        )
    return epochs


def _validations(facts: DataFacts, made: Choice, step: StepTime) -> int:
    """As many as do not take long beside the training, ten at most."""
    steps = steps_an_epoch(facts, made.batch) * made.epochs
    room = TEST_TIME * step.hours(steps, 0) / step.hours(0, facts.tested)
    return max(1, min(made.validations, math.floor(room)))


def _length(facts: DataFacts, made: Choice, step: StepTime | None) -> str:
    steps = steps_an_epoch(facts, made.batch)
    said = (
        f'{counted(facts.images, "image")} / batch {made.batch} = '
        f'{counted(steps, "iteration")} an epoch; '
        f'{counted(made.epochs, "epoch")} = '
        f'{counted(made.epochs * steps, "iteration")}'
    )
    if step is None:
        return said
    hours = step.hours(made.epochs * steps, tests(made) * facts.tested)
    return (
        f'{said}, about {duration(hours)} here (measured: {step.step:.2g} s '
        f'an iteration, {step.test:.2g} s a validation image)'
    )

"""Runs a step again that NonFiniteGuard has captured, and finds the cause.

Names the first module whose output is not finite, the losses, and where the
first bad gradient arrives. The file is read as data; no code of it runs.
"""

import argparse
import pickle
from pathlib import Path

from mmseg_plugin.apis.replay import Replay, replay
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.engine.captures import image_ids, read_capture


def parse_args() -> argparse.Namespace:
    parser = ToolParser(description=__doc__)
    parser.add_argument(
        'file', type=Path, help='work_dirs/RUN/non_finite/iter_N_rank_R.pth'
    )
    parser.add_argument(
        '--device', default='cpu', help='cpu (default) or cuda:0'
    )
    return parser.parse_args()


def lines_of(found: Replay) -> list[str]:
    """What to print, the cause first."""
    lines = []
    if found.weights:
        lines.append(
            'weights: not finite before the step: '
            + ', '.join(found.weights[:5])
        )
    if found.module:
        inputs = 'finite' if found.inputs_finite else 'not finite either'
        lines.append(
            f'forward: first output that is not finite: {found.module}; '
            f'its inputs are {inputs}'
        )
    bad = {k: v for k, v in found.losses.items() if v - v != 0}
    lines += [f'loss: {name} is {value}' for name, value in bad.items()]
    if found.gradient:
        lines.append(
            'backward: first gradient that is not finite: that of the '
            f'output of {found.gradient}'
        )
    if found.parameters:
        lines.append(
            f'gradients: {len(found.parameters)} parameters, for instance '
            + ', '.join(found.parameters[:5])
        )
    return lines or ['everything is finite this time, on this device']


def main() -> None:
    args = parse_args()
    try:
        capture = read_capture(args.file)
        print(
            f'iteration {capture["iteration"] + 1}, images '
            + (', '.join(image_ids(capture['batch'])) or 'unknown')
        )
        found = replay(capture, args.device)
    except (FileNotFoundError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(str(error)) from None
    print('\n'.join(lines_of(found)))


if __name__ == '__main__':
    run(main)

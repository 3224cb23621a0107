"""CPU time from the start of the train tool to the first iteration.

What `mim train mmdet` runs, on four scenes of 128 pixels: imports, config,
model, log and the first batch. Prints the least of several rounds, and that
of another checkout in turn: ``python benchmarks/startup.py --against FOLDER``.
"""

import argparse
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = 'configs/mask2former/mask2former_tiny_demo_scenes-panoptic.py'
WORD = 'seconds'
HERE = Path(__file__).resolve()


def child(tool: str, *arguments: str) -> None:
    """Runs the tool up to its first iteration, then says how long it took."""
    # The tool imports it anyway.
    from mmengine.hooks import RuntimeInfoHook

    def stop(*_args: object, **_kwargs: object) -> None:
        # User and system time, its children's too.
        print(WORD, sum(os.times()[:4]), flush=True)
        os._exit(0)

    RuntimeInfoHook.before_train_iter = stop
    sys.argv = [tool, *arguments]
    runpy.run_path(tool, run_name='__main__')


def seconds(checkout: Path, tool: Path, data: Path) -> float:
    """CPU time of one start."""
    options = [
        *('train_dataloader.num_workers=0', 'val_cfg=None'),
        *('train_dataloader.persistent_workers=False', 'val_dataloader=None'),
        'val_evaluator=None',
        f'train_dataloader.dataset.data_root={data}/',
    ]
    done = subprocess.run(
        [
            *(sys.executable, str(HERE), '--child', str(tool)),
            *(str(checkout / CONFIG), '--work-dir', str(data / 'run')),
            *('--cfg-options', *options),
        ],
        env={**os.environ, 'PYTHONPATH': str(checkout)},
        cwd=data,
        capture_output=True,
        text=True,
    )
    lines = [x for x in done.stdout.splitlines() if x.startswith(WORD)]
    if not lines:
        sys.exit(f'the training did not start:\n{done.stderr}')
    return float(lines[0].split()[1])


def main() -> None:
    if sys.argv[1:2] == ['--child']:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--against', type=Path, help='another checkout')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    from mmseg_plugin.stack import mim_folder

    folder = mim_folder('mmdet')
    if folder is None:
        sys.exit('mmdet is not installed')
    checkouts = [HERE.parents[1]]
    if args.against:
        checkouts.append(args.against.resolve())
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / 'scenes'
        subprocess.run(
            [
                *(sys.executable, '-m', 'mmseg_plugin', 'make_scenes'),
                *(str(data), '--train', '4', '--val', '1'),
            ],
            env={**os.environ, 'PYTHONPATH': str(checkouts[0])},
            check=True,
            capture_output=True,
        )
        rounds = [
            [
                seconds(one, folder / 'tools' / 'train.py', data)
                for one in checkouts
            ]
            for _ in range(args.rounds)
        ]
    for one, times in zip(checkouts, zip(*rounds, strict=True), strict=True):
        print(f'{min(times):.2f} s  {one}')


if __name__ == '__main__':
    main()

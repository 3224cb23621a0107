"""Trains a small model on synthetic scenes in minutes and draws results."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mmseg_plugin.cli.after_training import NO_REPORT
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config

CONFIG = 'maskdino_tiny_demo_scenes'
DRAWN_IMAGES = 8
PARTS = ('scenes', 'run', 'predictions', 'curves', 'metrics', 'report')


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        epilog='Replaces what an earlier demo left in OUT. OUT/metrics.json '
        'is written last.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument(
        '--train', type=int, default=1440, help='number of training scenes'
    )
    parser.add_argument(
        '--val', type=int, default=100, help='number of unseen scenes'
    )
    parser.add_argument(
        '--config', default=CONFIG, help='a model for the synthetic scenes'
    )
    parser.add_argument(
        '--epochs', type=int, default=5, help='times that it sees each scene'
    )
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def clear(out: Path) -> None:
    """Removes an earlier demo, but never a folder with anything else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f'{out} is not a folder; name another --out')
    for path in out.iterdir():
        # Hidden ones are what a killed demo was writing.
        if path.name.lstrip('.').partition('.')[0] not in PARTS:
            raise UserError(
                f'{out} holds {path.name}, which is not of a demo; name '
                'another --out'
            )
    shutil.rmtree(out)


def mask_metric(name: str, root: Path) -> str:
    """Key of the metric that judges masks on the scenes.

    Args:
        name: path or name of a config.
        root: folder of the scenes.

    Raises:
        UserError: the config has other data or does not judge masks.
    """
    config = read_model_config(name)
    data = (config.get('train_dataloader') or {}).get('dataset', {})
    evaluators = config.get('val_evaluator') or {}
    keys = {'val_evaluator': evaluators}
    if isinstance(evaluators, list):
        keys = {f'val_evaluator.{i}': e for i, e in enumerate(evaluators)}
    for key, evaluator in keys.items():
        is_coco = evaluator.get('type', '').endswith(
            ('CocoMetric', 'CocoInstanceMetric')
        )
        if is_coco and data.get('data_root') == f'{root}/':
            return key
    raise UserError(
        f'--config {name} does not learn masks of the synthetic scenes; take '
        f'{CONFIG} or another *_demo_scenes'
    )


def call(tool: str, *args: object) -> None:
    """Runs a tool in a process of its own."""
    command = [sys.executable, '-m', 'mmseg_plugin', tool, *map(str, args)]
    print(f'\n== {" ".join(command[1:])}', flush=True)
    process = subprocess.Popen(command)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # It was interrupted too, and removes what is half-written.
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    if code:
        raise UserError(f'{tool} failed with exit code {code}, see above')


def read_metrics(work_dir: Path) -> dict[str, float]:
    """The last evaluation of a run."""
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.open()]
    metrics = [line for line in lines if 'coco/segm_mAP' in line][-1]
    return {
        key.partition('/')[2]: value
        for key, value in metrics.items()
        if key.startswith(('coco/', 'coco_panoptic/'))
    }


def main() -> None:
    args = parse_args()
    for name in ('train', 'val'):
        if getattr(args, name) < DRAWN_IMAGES:
            raise UserError(
                f'--{name} must be at least {DRAWN_IMAGES}, '
                f'got {getattr(args, name)}'
            )
    if args.epochs < 1:
        raise UserError(f'--epochs must be at least 1, got {args.epochs}')
    start = time.monotonic()
    out = args.out.resolve()
    root, work_dir = out / 'scenes', out / 'run'
    # Where configs find the scenes, here and in the processes started.
    os.environ['SCENES_ROOT'] = f'{root}/'
    metric = mask_metric(args.config, root)
    clear(out)
    counts = ['--train', args.train, '--val', args.val]
    call('make_scenes', root, *counts, '--seed', args.seed)
    # Kept for compare_runs, which would evaluate once more otherwise.
    results = f'{metric}.outfile_prefix={work_dir}/results'
    options = ['--cfg-options', f'randomness.seed={args.seed}', results]
    options += [
        f'{key}={args.epochs}'
        for key in (
            'train_cfg.max_epochs',
            'train_cfg.val_interval',
            'param_scheduler.1.T_max',
        )
    ]
    call('train', args.config, '--work-dir', work_dir, NO_REPORT, *options)
    checkpoint = (work_dir / 'last_checkpoint').read_text()
    drawing = ['--out', out / 'predictions', '--limit', DRAWN_IMAGES]
    call('predict', args.config, checkpoint, root / 'val', *drawing)
    call('compare_runs', work_dir, '--out', out / 'curves')
    call('report', work_dir, '--out', out / 'report.html')
    metrics = read_metrics(work_dir)
    seconds = time.monotonic() - start
    with atomic_path(out / 'metrics.json') as path:
        path.write_text(json.dumps({**metrics, 'seconds': seconds}, indent=2))
    panoptic = f', PQ {metrics["PQ"]:.1f}' if 'PQ' in metrics else ''
    print(
        f'\nThe demo took {seconds / 60:.1f} minutes.\n'
        f'{args.val} unseen scenes:  mask AP50 {metrics["segm_mAP_50"]:.3f}, '
        f'mask AP {metrics["segm_mAP"]:.3f}, '
        f'box AP {metrics["bbox_mAP"]:.3f}{panoptic}\n'
        f'results beside the ground truth:  {args.out}/predictions/drawn\n'
        f'loss and precision-recall curves: {args.out}/curves\n'
        f'report of the run:                {args.out}/report.html\n'
        f'all figures:                      {args.out}/metrics.json'
    )


if __name__ == '__main__':
    run(main)

"""Measures models of the zoos and ours on the same images, in one table."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction
from tqdm import tqdm

from mmseg_plugin.apis.predictor import find_images
from mmseg_plugin.benchmark.report import markdown
from mmseg_plugin.benchmark.zoo_configs import find_any_config, published
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        epilog='Each model is measured in a process of its own. Results are '
        'kept in OUT, one file for each model, and not measured again; zoo.md '
        'and zoo.json have them all.',
    )
    parser.add_argument(
        'models',
        nargs='+',
        metavar='CONFIG[=CHECKPOINT]',
        help='config file, name of a shipped config, or mmdet::NAME or '
        'mmseg::NAME of a zoo; with weights, metrics are measured too, on '
        "the config's validation data",
    )
    parser.add_argument(
        '--images',
        type=Path,
        required=True,
        help='image or folder that all models are timed on',
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='folder to write to'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='of the images (default: what each config resizes them to)',
    )
    parser.add_argument('--num-images', type=int, default=8, metavar='N')
    parser.add_argument(
        '--batch', type=int, default=2, help='images of a training step'
    )
    parser.add_argument(
        '--rounds', type=int, default=3, help='of which the fastest counts'
    )
    parser.add_argument(
        '--device', default='cuda:0' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='changes of every config',
    )
    return parser.parse_args()


def make_jobs(args: argparse.Namespace) -> list[dict[str, Any]]:
    """What to measure of each model.

    Raises:
        UserError: bad input, before anything is measured.
    """
    for name in ('num_images', 'batch', 'rounds'):
        if getattr(args, name) < 1:
            option = name.replace('_', '-')
            raise UserError(
                f'--{option} must be at least 1, got {getattr(args, name)}'
            )
    if args.size and min(args.size) < 32:
        raise UserError(f'--size must be at least 32 32, got {args.size}')
    images = find_images(args.images)[: args.num_images]
    jobs = []
    for model in dict.fromkeys(args.models):
        name, _, checkpoint = model.partition('=')
        if checkpoint and '://' not in checkpoint:
            path = Path(checkpoint)
            if not path.is_file():
                raise UserError(f'checkpoint {path} of {name} is not a file')
            checkpoint = str(path.resolve())
        jobs.append(
            {
                'model': model,
                'config': str(find_any_config(name)),
                'checkpoint': checkpoint or None,
                # As a result file gives it back: no tuples.
                'options': json.loads(json.dumps(args.cfg_options)),
                'images': [str(path.resolve()) for path in images],
                'size': args.size,
                'batch': args.batch,
                'rounds': args.rounds,
                'device': args.device,
            }
        )
    return jobs


def result_of(job: dict[str, Any], path: Path) -> dict[str, Any]:
    """What is stored about a job, or nothing but the job."""
    stored = json.loads(path.read_text()) if path.is_file() else {}
    return stored if stored.get('job') == job else {'job': job}


def measured(job: dict[str, Any], path: Path) -> dict[str, Any]:
    """Runs a job in a process of its own, whose output goes to a log."""
    request, log = path.with_suffix('.job'), path.with_suffix('.log')
    request.write_text(json.dumps(job))
    with log.open('w') as file:
        done = subprocess.run(
            [sys.executable, '-m', 'mmseg_plugin.benchmark', request, path],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    request.unlink()
    result = result_of(job, path)
    if done.returncode:
        why = f'its process ended with code {done.returncode}, see {log.name}'
        result['failed'] = {'model': why}
    return result


def main() -> None:
    args = parse_args()
    jobs = make_jobs(args)
    args.out.mkdir(parents=True, exist_ok=True)
    results = []
    for job in tqdm(jobs, unit='model', disable=None):
        name = re.sub(r'[^\w.-]+', '_', job['model'])
        path = args.out / f'{name}.json'
        result = result_of(job, path)
        # What failed may work now.
        if result.get('failed', True):
            result = measured(job, path)
        result['published'] = published(Path(job['config']))
        results.append(result)
        for part, why in result['failed'].items():
            tqdm.write(f'{job["model"]}, {part}: {why}')
        write_tables(args.out, results)
    print(markdown(results))


def write_tables(folder: Path, results: list[dict[str, Any]]) -> None:
    texts = {
        'zoo.md': markdown(results),
        'zoo.json': json.dumps(results, indent=1, default=str),
    }
    for name, text in texts.items():
        with atomic_path(folder / name) as part:
            part.write_text(text)


if __name__ == '__main__':
    run(main)

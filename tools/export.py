"""Writes a trained model as an ONNX file, and proves that it is the same."""

import argparse
from pathlib import Path

from mmengine.config import Config

from mmseg_plugin.apis.predictor import Predictor, find_images
from mmseg_plugin.apis.runs import Run
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.exporting.attention import SAMPLING
from mmseg_plugin.exporting.export import Options, write_onnx
from mmseg_plugin.exporting.parity import (
    Case,
    Parity,
    merged_csv,
    run_parity,
    training_images,
    validation_cases,
)
from mmseg_plugin.exporting.quantizing import KINDS, quantize
from mmseg_plugin.exporting.session import OnnxModel, onnx_packages

_DYNAMIC = ('batch', 'size')
# Images that static quantisation looks at.
_CALIBRATION = 16
_TOLERANCE = {'float32': 1e-3, 'float16': 2e-2}


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        epilog='The file is loaded, checked and run beside the model; '
        'parity.csv, in its folder, says how far they agree. If that is not '
        'far enough, no file is written and the exit code is not 0.',
    )
    parser.add_argument(
        'source', help='work_dir of a run; or path or name of a config'
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='weights; of a run the best or last by default',
    )
    parser.add_argument('--to', choices=('onnx',), default='onnx')
    parser.add_argument(
        '--out', type=Path, help='file to write (default: <source>.onnx)'
    )
    _add_file_options(parser)
    _add_proof_options(parser)
    return parser.parse_args()


def _add_file_options(parser: ToolParser) -> None:
    """What the file takes, computes with and gives."""
    parser.add_argument(
        '--dynamic',
        default='',
        metavar='batch,size',
        help='which sides of the input are free: batch, size or both',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help='of the input, without --dynamic size; images are resized to '
        'fit and padded',
    )
    parser.add_argument(
        '--results',
        choices=('original', 'input'),
        help='size of masks and maps: that of the original image or of the '
        'input (default: original, with --dynamic batch input)',
    )
    parser.add_argument(
        '--masks',
        choices=('whole', 'crop'),
        default='whole',
        help='masks at the size of the results, or their pixels inside the '
        'rectangles around them, one after the other',
    )
    parser.add_argument(
        '--preprocess',
        action='store_true',
        help='take the pixels of one image, RGB, uint8 (height, width, 3)',
    )
    parser.add_argument(
        '--half',
        action='store_true',
        help='weights in float16: half the file, computed with in float32',
    )
    parser.add_argument(
        '--int8',
        choices=KINDS,
        help='network in 8-bit integers: dynamic changes linear layers, '
        'static convolutions too, by what they see in 16 images of the '
        'training set (or in --images)',
    )
    parser.add_argument(
        '--sampling',
        choices=SAMPLING,
        default='grid',
        help='deformable attention by GridSample, or by gathering pixels',
    )


def _add_proof_options(parser: ToolParser) -> None:
    """How far it has to agree, and on what."""
    parser.add_argument(
        '--images',
        type=Path,
        help='image or folder to compare on (default: the validation set)',
    )
    parser.add_argument(
        '--limit', type=int, default=8, help='images to compare (default: 8)'
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        help='most mean difference of scores; ten times that is the largest '
        'share of instances and pixels that may differ (default: 1e-3, with '
        '--half 2e-2, with --int8 any)',
    )


def read_options(args: argparse.Namespace) -> Options:
    """Checks the options against each other.

    Raises:
        UserError: they do not fit.
    """
    dynamic = [word for word in args.dynamic.split(',') if word]
    unknown = sorted(set(dynamic) - set(_DYNAMIC))
    if unknown:
        raise UserError(f'--dynamic takes batch and size, not {unknown[0]!r}')
    if args.limit < 1:
        raise UserError(f'--limit must be 1 or more, got {args.limit}')
    batch = 'batch' in dynamic
    if args.size is not None and 'size' in dynamic:
        raise UserError('--size fixes what --dynamic size leaves free')
    if args.size is not None and min(args.size) < 1:
        raise UserError(f'--size must be positive, got {args.size}')
    if args.size is None and 'size' not in dynamic and not args.preprocess:
        raise UserError('give --size HEIGHT WIDTH or --dynamic size')
    if args.half and args.int8 is not None:
        raise UserError('give --half or --int8, not both')
    if batch and args.preprocess:
        raise UserError('--preprocess takes one image: no --dynamic batch')
    if batch and args.results == 'original':
        raise UserError(
            'original images of a batch differ in size: with --dynamic '
            'batch results are those of the input'
        )
    return Options(
        size=None if args.size is None else tuple(args.size),
        batch=batch,
        pixels=args.preprocess,
        results=args.results or ('input' if batch else 'original'),
        crops=args.masks == 'crop',
        sampling=args.sampling,
        half=args.half,
    )


def read_source(args: argparse.Namespace) -> tuple[Config, str, Path]:
    """Config, checkpoint, and where a file goes by default."""
    folder = Path(args.source)
    if folder.is_dir():
        found = Run(folder)
        weights = args.checkpoint or str(found.best or found.checkpoint)
        return found.config, weights, folder / 'model.onnx'
    config = read_model_config(args.source)
    if args.checkpoint is None:
        raise UserError('give a checkpoint beside the config')
    return config, args.checkpoint, Path(f'{Path(args.source).stem}.onnx')


def comparison_cases(
    args: argparse.Namespace, config: Config, predictor: Predictor
) -> list[Case]:
    """Images to compare on."""
    if args.images is None:
        return validation_cases(config, predictor, args.limit)
    paths = find_images(args.images)[: args.limit]
    return [Case(predictor.read(path)) for path in paths]


def write_csv(out: Path, parity: Parity) -> Path:
    """Writes ``parity.csv`` beside the file."""
    path = out.with_name('parity.csv')
    text = path.read_text(encoding='utf-8') if path.is_file() else ''
    with atomic_path(path) as part:
        part.write_text(merged_csv(text, out.name, parity.table()))
    return path


def main() -> None:
    args = parse_args()
    options = read_options(args)
    onnx_packages()
    config, checkpoint, default = read_source(args)
    out = args.out or default
    if out.is_dir():
        raise UserError(f'--out {out} is a folder; name a file')
    predictor = Predictor(config, checkpoint, 'cpu')
    cases = comparison_cases(args, config, predictor)
    tolerance = args.tolerance
    if tolerance is None and args.int8 is None:
        tolerance = _TOLERANCE['float16' if args.half else 'float32']
    with atomic_path(out) as part:
        write_onnx(predictor.model, predictor.meta, config, options, part)
        if args.int8 is not None:
            images = [case.image for case in cases]
            if args.int8 == 'static' and args.images is None:
                images = training_images(config, predictor, _CALIBRATION)
            quantize(part, args.int8, images)
        parity = run_parity(predictor.model, OnnxModel(part), cases, config)
        table = write_csv(out, parity)
        print(*parity.lines(), sep='\n')
        faults = [] if tolerance is None else parity.faults(tolerance)
        if faults:
            raise UserError(
                f'{out} was not written, it differs from the model by more '
                f'than --tolerance {tolerance:g}: {"; ".join(faults)} '
                f'({table})'
            )
        size = part.stat().st_size / 2**20
    print(f'{out}: {size:.1f} MiB, opset {OnnxModel(out).meta["opset"]}')


if __name__ == '__main__':
    run(main)

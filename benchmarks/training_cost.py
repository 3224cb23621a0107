"""What a published schedule costs, from the cost of one image.

Prints the table of docs/scale.md: ``python benchmarks/training_cost.py``.
Every number it starts from is an option.
"""

import argparse
from typing import NamedTuple


class Schedule(NamedTuple):
    """Images that a training sees, and what one of them costs.

    Attributes:
        name: of the data and the model.
        images: in the training set.
        epochs: times that each is seen.
        weight: cost of an image, that of Mask2Former R50 at 1024 being one.
        gigabytes: of a checkpoint with AdamW's state, float32.
    """

    name: str
    images: int
    epochs: int
    weight: float
    gigabytes: float

    def hours(self, seconds: float, gpus: int, efficiency: float) -> float:
        """Wall-clock time.

        Args:
            seconds: of one GPU for an image of weight one.
            gpus: that share the images.
            efficiency: share of linear speed-up that several nodes keep.
        """
        total = self.images * self.epochs * self.weight * seconds
        kept = 1.0 if gpus <= 8 else efficiency
        return total / gpus / kept / 3600

    def loaders(self, seconds: float, core_seconds: float) -> float:
        """Cores of each GPU that prepare its images as fast as it learns."""
        return core_seconds / (self.weight * seconds)


def schedules(flops: float) -> list[Schedule]:
    """Those of the page.

    Args:
        flops: of Mask DINO Swin-L, as multiples of R50's.
    """
    # Parameters in millions: 44 and 223; weight and two moments each.
    small, large = 44e6 * 12 / 1e9, 223e6 * 12 / 1e9
    return [
        Schedule('COCO, Mask2Former R50', 118_287, 50, 1.0, small),
        Schedule('COCO, Mask DINO Swin-L', 118_287, 50, flops, large),
        Schedule('Objects365, Mask2Former R50', 1_742_289, 26, 1.0, small),
        Schedule('Objects365, Mask DINO Swin-L', 1_742_289, 26, flops, large),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--seconds',
        type=float,
        default=3 * 24 * 3600 / 368_750 * 8 / 16,
        help='of one GPU for an image (default: 3 days for 368,750 '
        'iterations of 16 images on 8 V100)',
    )
    parser.add_argument('--efficiency', type=float, default=0.9)
    parser.add_argument(
        '--flops', type=float, default=1326 / 286, help='Swin-L over R50'
    )
    parser.add_argument(
        '--core-seconds',
        type=float,
        default=0.244 / 8,
        help='of one core for an image, input_pipeline_instances',
    )
    args = parser.parse_args()
    print(f'an image costs {args.seconds:.3f} s of one GPU')
    print('| | GPU hours | 8 GPUs | 64 GPUs | cores a GPU | checkpoint |')
    print('|---|---|---|---|---|---|')
    for one in schedules(args.flops):
        eight, many = (
            one.hours(args.seconds, gpus, args.efficiency) for gpus in (8, 64)
        )
        cores = one.loaders(args.seconds, args.core_seconds)
        print(
            f'| {one.name}, {one.epochs} epochs | {8 * eight:,.0f} | '
            f'{eight / 24:.1f} days | {many:.0f} hours | {cores:.2f} | '
            f'{one.gigabytes:.1f} GB |'
        )


if __name__ == '__main__':
    main()

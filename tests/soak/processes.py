"""Trains each method in several processes and in one, and compares them.

The same images with the same noise: N processes with one image each (two
for Intra-Batch Supervision) against one process with all of them. Losses,
gradients and weights after 5 steps must agree to 1e-5 in float32. Sums are
added up in another order, and with three and more a step of some methods makes
ten times as much of that; these must agree to 1e-9 in float64, where what
processes really do otherwise is as large.

Where an image counts the same, one batch of all images is the measure. What
the published codes divide by a number of the process itself is measured by
`mean of processes`: each one's images alone, gradients averaged, with the
mean number of targets where they share that.
"""

import argparse
import copy
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from mmengine.dist import all_reduce
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.models.criterions import query_criterion
from mmseg_plugin.models.losses import point_sampler
from tests import small_models
from tests.two_ranks import on_ranks

# Name of each method to its config and whether losses of images that count
# the same are those of the whole batch.
METHODS = {
    'mask2former': ('mask2former_tiny_demo_scenes-panoptic', True),
    'maskformer': ('maskformer_r50_ms-16xb1-75e_coco-panoptic', True),
    'mask_dino': ('maskdino_tiny_demo_scenes', True),
    'mask2former_ibs': ('mask2former-ibs_tiny_demo_scenes-panoptic', True),
    'panoptic_fcn': ('panoptic-fcn_tiny_demo_scenes', False),
    'panoptic_fcn_ibs': ('panoptic-fcn-ibs_tiny_demo_scenes', False),
    'efpn': ('mask-rcnn_tiny_efpn_joint_demo_scenes', False),
    'mask_rcnn': ('mask-rcnn_tiny_fpn_demo_scenes', False),
}
STEPS = 5
TOLERANCE = 1e-5
TOLERANCES = {torch.float32: TOLERANCE, torch.float64: 1e-9}
# What rounding grows too far in, with three and more processes.
IN_FLOAT64 = ('mask2former', 'maskformer', 'mask_dino', 'panoptic_fcn_ibs')
OBJECTS = [(30, 36), (44, 20), (20, 44), (36, 36)]


def images_of(name: str) -> int:
    """How many a process takes at least."""
    return 2 if name.endswith('_ibs') else 1


def build(name: str) -> tuple[nn.Module, dict]:
    """A small model without dropout, and its config."""
    config = small_models.shrink(read_model_config(METHODS[name][0]).model)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config)
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
        elif hasattr(module, 'pairing'):
            module.pairing = 'adjacent'
        # Of mmcv's attention and of torch's own.
        if isinstance(getattr(module, 'dropout', None), float):
            module.dropout = 0.0
    # mmcv sets biases of deformable attention in float32.
    return model.to(torch.get_default_dtype()), config


def shards_of(config: dict, counts: list[int], each: int) -> list[dict]:
    """The batch of each process.

    Args:
        config: of the model.
        counts: objects of each image, of the same sizes at other places.
        each: images of a process.
    """
    draw = torch.Generator().manual_seed(3)
    size = small_models.SIZE
    boxes = []
    for count in counts:
        found = []
        for i in range(count):
            w, h = OBJECTS[i % len(OBJECTS)]
            x = int(torch.randint(size - w, (), generator=draw))
            y = int(torch.randint(size - h, (), generator=draw))
            found.append([x, y, x + w, y + h])
        boxes.append(found)
    whole = small_models.batch(config, boxes)
    for sample in whole['data_samples']:
        objects = sample.gt_instances
        objects.bboxes = objects.bboxes.to(torch.get_default_dtype())
    return [
        {key: part[i : i + each] for key, part in whole.items()}
        for i in range(0, len(counts), each)
    ]


def _spread(shape: tuple[int, ...]) -> torch.Tensor:
    """Numbers in [0, 1) that are the same for every image and object."""
    points = len(shape) > 1 and shape[-1] == 2
    size = shape[-2:] if points else (shape[0],) + (1,) * (len(shape) - 1)
    draw = torch.Generator().manual_seed(1)
    return torch.rand(size, generator=draw).expand(shape).contiguous()


@contextmanager
def same_noise():
    """Whatever is drawn does not depend on the batch it is drawn for."""
    real = torch.rand

    def rand(*shape, generator=None, **kwargs):
        if generator is not None:
            return real(*shape, generator=generator, **kwargs)
        return _spread(shape)

    def uniform_(tensor, low=0.0, high=1.0):
        with mock.patch('torch.rand', real):
            return tensor.copy_(_spread(tensor.shape) * (high - low) + low)

    patches = {
        'torch.rand': rand,
        'torch.randperm': lambda n, **kwargs: torch.arange(n),
        'torch.randint_like': lambda t, low, *_, **kw: torch.ones_like(t),
        'torch.Tensor.uniform_': uniform_,
        # What takes its place on a CPU.
        f'{point_sampler.__name__}._fill_uniform': lambda t: uniform_(t, -1),
    }
    with ExitStack() as stack:
        for name, function in patches.items():
            stack.enter_context(mock.patch(name, function))
        yield


@contextmanager
def computing_in(dtype: torch.dtype):
    """What is made without a type, or made float32, is of this one."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with mock.patch('torch.Tensor.float', lambda t: t.to(dtype)):
            yield
    finally:
        torch.set_default_dtype(before)


def train(
    model: nn.Module, shards: list[dict], processes: bool = False
) -> dict:
    """Losses of each step, last gradients and weights.

    Args:
        model: bare.
        shards: batches whose gradients are averaged.
        processes: the others have other shards; averages over them too.
    """
    bare = model
    if processes:
        model = MMDistributedDataParallel(bare, find_unused_parameters=False)
    optimizer = torch.optim.SGD(bare.parameters(), lr=0.01)
    losses = []
    with same_noise():
        for _ in range(STEPS):
            optimizer.zero_grad()
            logs = []
            for shard in shards:
                data = bare.data_preprocessor(copy.deepcopy(shard), True)
                loss, log = bare.parse_losses(model(**data, mode='loss'))
                (loss / len(shards)).backward()
                logs.append(torch.stack([v.detach() for v in log.values()]))
            mean = torch.stack(logs).mean(0)
            if processes:
                all_reduce(mean, 'mean')
            losses.append(mean)
            nn.utils.clip_grad_norm_(bare.parameters(), 1.0)
            optimizer.step()
    named = dict(bare.named_parameters())
    grads = {k: p.grad for k, p in named.items() if p.grad is not None}
    weights = {k: p.detach() for k, p in named.items()}
    return {'losses': losses, 'grads': grads, 'weights': weights}


def in_one_process(name: str, counts: list[int], whole: bool) -> dict:
    """What several processes have to give."""
    model, config = build(name)
    each = images_of(name)
    if whole:
        return train(model, shards_of(config, counts, len(counts)))
    shards = shards_of(config, counts, each)
    # Targets are counted over all processes, where heads count queries.
    seen: list[float] = []

    def count(targets, *args):
        seen.append(sum(len(target.labels) for target in targets))
        return torch.ones(())

    where = (query_criterion, 'target_count')
    with mock.patch.object(*where, count), torch.no_grad(), same_noise():
        for shard in shards:
            data = model.data_preprocessor(copy.deepcopy(shard), True)
            model(**data, mode='loss')
    mean = torch.tensor(sum(seen) / max(len(seen), 1))
    with mock.patch.object(*where, lambda *args: mean):
        return train(model, shards)


def _rank(
    rank: int, runs: list[tuple[str, list[int]]], dtype: torch.dtype
) -> list:
    found = []
    for name, counts in runs:
        # Weights are drawn in this type too.
        with computing_in(dtype):
            model, config = build(name)
            shards = shards_of(config, counts, images_of(name))
            one = train(model, [shards[rank]], processes=True)
        # The weights of the others are compared by their sum.
        total = sum(w.double().sum() for w in one['weights'].values())
        found.append(one if rank == 0 else {'total': total})
        found[-1]['total'] = total
    return found


def differences(one: dict, two: dict) -> dict[str, float]:
    """Largest of losses, gradients and weights, of values up to 1."""

    def largest(a, b):
        return float(((a - b).abs() / a.abs().clamp(min=1)).max())

    if one['grads'].keys() != two['grads'].keys():
        raise RuntimeError('other parameters have gradients')
    found = {
        'losses': max(map(largest, one['losses'], two['losses'])),
    }
    for part in ('grads', 'weights'):
        found[part] = max(
            largest(one[part][key], two[part][key]) for key in one[part]
        )
    return found


def counts_of(name: str, processes: int, same: bool) -> list[int]:
    """Objects of each image."""
    images = processes * images_of(name)
    return [2] * images if same else [3, 1, 2, 4, 1, 3][:images]


def compare(
    names: list[str],
    processes: int,
    folder: Path,
    dtype: torch.dtype = torch.float32,
) -> dict:
    """Differences of each method, by name and by what is the measure."""
    runs = [
        (name, counts_of(name, processes, same))
        for name in names
        for same in (True, False)
        if METHODS[name][1] or not same
    ]
    ranks = on_ranks(
        partial(_rank, runs=runs, dtype=dtype),
        *(folder, processes, 60 + 60 * len(runs)),
    )
    found = {}
    for i, (name, counts) in enumerate(runs):
        totals = [float(rank[i]['total']) for rank in ranks]
        if max(totals) != min(totals):
            raise RuntimeError(f'{name}: ranks have other weights: {totals}')
        same = len(set(counts)) == 1
        measure = 'whole batch' if same else 'mean of processes'
        with computing_in(dtype):
            one = in_one_process(name, counts, same)
        found[name, measure] = differences(one, ranks[0][i])
    return found


def report(names: list[str], processes: int, kind: str) -> list[str]:
    """Prints differences in a type; those that are too large."""
    dtype = getattr(torch, kind)
    with tempfile.TemporaryDirectory() as folder:
        found = compare(names, processes, Path(folder), dtype)
    missed = []
    for (name, measure), parts in found.items():
        words = ', '.join(f'{k} {v:.1e}' for k, v in parts.items())
        line = f'{processes} x {name}, {kind}, {measure}: {words}'
        print(line, flush=True)
        if not max(parts.values()) <= TOLERANCES[dtype]:
            missed.append(line)
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', default=list(METHODS))
    parser.add_argument('--processes', type=int, nargs='+', default=[2, 3])
    parser.add_argument(
        '--dtype',
        choices=('float32', 'float64'),
        help='by default float32, but float64 with three and more processes '
        f'for {", ".join(IN_FLOAT64)}',
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    missed = []
    for processes in args.processes:
        groups: dict[str, list[str]] = {}
        for name in args.names:
            is_double = processes > 2 and name in IN_FLOAT64
            kind = args.dtype or ('float64' if is_double else 'float32')
            groups.setdefault(kind, []).append(name)
        for kind, names in groups.items():
            missed += report(names, processes, kind)
    if missed:
        raise SystemExit('processes differ:\n' + '\n'.join(missed))


if __name__ == '__main__':
    main()

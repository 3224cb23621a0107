"""Measures one model, in a process that does nothing else."""

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmseg_plugin.apis.predictor import load_weights
from mmseg_plugin.benchmark.inputs import add_targets, as_batch, read_images


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Everything about one model.

    Args:
        job: ``config`` (path), ``options`` (changes of the config),
            ``checkpoint`` (or None), ``images`` (paths), ``size`` (height and
            width, or None), ``batch`` (images of a training step),
            ``rounds`` and ``device``.

    Returns:
        ``threads``, ``params`` and what the functions in :data:`PARTS`
        return; ``failed`` has the name of each that did not work and why.
    """
    results: dict[str, Any] = {'threads': torch.get_num_threads()}
    failed: dict[str, str] = {}
    # A config is a program, and each failure is a result.
    try:
        subject = Subject(job)
    except Exception as error:
        return results | {'failed': {'model': reason(error)}}
    results['params'] = sum(p.numel() for p in subject.model.parameters())
    for name, part in PARTS.items():
        try:
            results |= part(subject)
        except Exception as error:
            failed[name] = reason(error)
    return results | {'failed': failed}


def reason(error: Exception) -> str:
    """Kind and first line of an error."""
    return f'{type(error).__name__}: {str(error).strip()}'.split('\n')[0]


class Subject:
    """A model and its inputs.

    Args:
        job: see :func:`measure`.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.config = Config.fromfile(job['config'])
        self.config.merge_from_dict(job['options'])
        init_default_scope(self.config.get('default_scope', 'mmdet'))
        torch.manual_seed(0)
        self.model: BaseModel = revert_sync_batchnorm(
            MODELS.build(self.config.model)
        )
        if job['checkpoint']:
            load_weights(self.model, job['checkpoint'])
        self.model.to(job['device']).eval()
        self.images = read_images(
            self.config, [Path(path) for path in job['images']], job['size']
        )

    def seconds(
        self, call: Callable[[Any], object], inputs: Sequence[Any]
    ) -> float:
        """Time of a call: mean over the inputs, best of the rounds.

        On a single CPU thread its CPU time, so that other programs do not
        count; else wall time.
        """
        clock = time.perf_counter
        if self.job['device'] == 'cpu' and torch.get_num_threads() == 1:
            clock = time.process_time
        call(inputs[0])
        rounds = []
        for _ in range(self.job['rounds']):
            self._synchronize()
            start = clock()
            for each in inputs:
                call(each)
            self._synchronize()
            rounds.append((clock() - start) / len(inputs))
        return min(rounds)

    def peak_mb(self) -> float:
        """Peak so far: of the GPU's memory, or of the whole process."""
        if self.job['device'].startswith('cuda'):
            return torch.cuda.max_memory_allocated() / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

    def _synchronize(self) -> None:
        if self.job['device'].startswith('cuda'):
            torch.cuda.synchronize()

    def prepared(self) -> list[dict]:
        """Each image as a normalised batch of one."""
        return [
            self.model.data_preprocessor(as_batch([image]), False)
            for image in self.images
        ]


@torch.no_grad()
def forward(subject: Subject) -> dict[str, float]:
    """Seconds of one image without post-processing."""
    return {'forward_s': _seconds(subject, 'tensor')}


@torch.no_grad()
def inference(subject: Subject) -> dict[str, float]:
    """Seconds of one image with post-processing, and memory."""
    return {
        'predict_s': _seconds(subject, 'predict'),
        'inference_mb': subject.peak_mb(),
    }


def _seconds(subject: Subject, mode: str) -> float:
    return subject.seconds(
        lambda batch: subject.model(**batch, mode=mode), subject.prepared()
    )


def training(subject: Subject) -> dict[str, float]:
    """Seconds and memory of a step with the config's optimizer.

    Its rate is zero, so that every step does the same work.
    """
    config = subject.config.optim_wrapper
    config.optimizer.lr = 0.0
    optimizer = build_optim_wrapper(subject.model, config)
    images = (subject.images * subject.job['batch'])[: subject.job['batch']]
    add_targets(images, subject.config.model)
    subject.model.train()
    try:
        seconds = subject.seconds(
            lambda batch: subject.model.train_step(as_batch(batch), optimizer),
            [images],
        )
    finally:
        subject.model.eval()
    return {'step_s': seconds, 'training_mb': subject.peak_mb()}


def complexity(subject: Subject) -> dict[str, float]:
    """Multiply-adds of convolutions and matrix products, post-processing out.

    Attention is taken apart for the count, whose kernel would hide it; ops
    that mmcv compiled stay uncounted.
    """
    batch = subject.prepared()[0]
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        subject.model(**batch, mode='tensor')
    return {
        'macs': counter.get_total_flops() // 2,
        'input_size': list(batch['inputs'].shape[-2:]),
    }


def evaluation(subject: Subject) -> dict[str, dict]:
    """Metrics on the config's validation data, if there are weights."""
    if not subject.job['checkpoint']:
        return {}
    config = subject.config.copy()
    config.test_cfg = {'type': 'TestLoop'}
    config.test_dataloader = config.val_dataloader
    config.test_evaluator = config.val_evaluator
    config.load_from = subject.job['checkpoint']
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir = folder
        return {'metrics': Runner.from_cfg(config).test()}


# Memory is a peak: what needs most comes last, what is no measure of it
# behind that.
PARTS: dict[str, Callable[[Subject], dict]] = {
    'forward': forward,
    'inference': inference,
    'training': training,
    'complexity': complexity,
    'evaluation': evaluation,
}

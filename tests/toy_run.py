"""A run of milliseconds an iteration, with everything a checkpoint holds."""

import mmengine.runner.runner as mmengine_runner
import torch
from mmengine.dataset import InfiniteSampler, pseudo_collate
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

import mmseg_plugin.registry  # noqa: F401

# It asks the compilers of the machine for their versions.
mmengine_runner.collect_env = dict


class Noise(Dataset):
    """Draws from the random states that a data loader's workers have."""

    metainfo = {'classes': ('one',)}

    def __init__(self, opened=None):
        self.opened = opened if opened is not None else []

    def __len__(self):
        return 50

    def __getitem__(self, index):
        self.opened.append(index)
        return torch.full((4,), index / 50) + 0.1 * torch.rand(4)


class Score(BaseMetric):
    """Says 0.5 of anything."""

    def process(self, data_batch, data_samples):
        self.results.append(0.5)

    def compute_metrics(self, results):
        return {'acc': sum(results) / len(results)}


class Toy(BaseModel):
    """Regression with dropout and injected noise."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout()
        )
        self.losses = []

    def forward(self, *inputs, mode='tensor'):
        out = self.layers(torch.stack(inputs))
        loss = (out + 0.1 * torch.randn_like(out)).pow(2).mean()
        if mode == 'predict':
            return [{}] * len(inputs[0])
        self.losses.append(loss.item())
        return {'loss': loss}


def toy_runner(work_dir, max_iters=40, resume=False, **options):
    """A runner of iterations.

    Args:
        work_dir: of the run.
        max_iters: of the run.
        resume: as ``--resume``.
        **options: ``checkpoint`` (changes of the hook), ``hooks``,
            ``num_workers``, ``by_epoch``, ``data``, ``sampler`` (its class),
            ``optim_wrapper``,
            ``default_hooks``, ``log_processor``, ``log_level``, ``launcher``,
            ``validate``
            (with a score of 0.5).
    """
    data = options.get('data') or Noise()
    by_epoch = options.get('by_epoch', False)
    loop = {'type': 'IterBasedTrainLoop', 'max_iters': max_iters}
    if by_epoch:
        loop = {'type': 'EpochBasedTrainLoop', 'max_epochs': max_iters}
    hook = {
        'type': 'mmseg_plugin.SafeCheckpointHook',
        'interval': 3,
        'by_epoch': by_epoch,
        'max_keep_ckpts': 1,
    }
    wrapper = {
        'optimizer': {'type': 'AdamW', 'lr': 0.01, 'weight_decay': 0.1},
        'constructor': 'mmseg_plugin.MergedOptimWrapperConstructor',
        'paramwise_cfg': {'norm_decay_mult': 0.0},
        'clip_grad': {'max_norm': 1.0},
    }
    validate = {}
    if options.get('validate'):
        validate = {
            'val_dataloader': DataLoader(data, collate_fn=pseudo_collate),
            'val_evaluator': Evaluator(Score()),
            'val_cfg': {'type': 'ValLoop'},
        }
    seed = options.get('seed', 7)
    sampler = options.get('sampler', InfiniteSampler)
    torch.manual_seed(seed)
    return Runner(
        Toy(),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(
            data,
            sampler=None if by_epoch else sampler(data, seed=seed),
            batch_size=2,
            num_workers=options.get('num_workers', 0),
            collate_fn=pseudo_collate,
        ),
        train_cfg=loop,
        optim_wrapper=wrapper | options.get('optim_wrapper', {}),
        param_scheduler={'type': 'CosineAnnealingLR', 'T_max': 99},
        default_hooks={
            'checkpoint': hook | options.get('checkpoint', {}),
            **options.get('default_hooks', {}),
        },
        log_processor=options.get('log_processor'),
        custom_hooks=[{'type': 'EMAHook'}, *options.get('hooks', [])],
        resume=resume,
        launcher=options.get('launcher', 'none'),
        randomness={'seed': seed},
        experiment_name=f'{work_dir}{id(data)}'.replace('/', '_'),
        log_level=options.get('log_level', 'WARNING'),
        **validate,
    )

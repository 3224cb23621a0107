"""mmdet's Mask2Former and ours, of one size and with equal weights."""

from pathlib import Path

import torch
from mmdet.models.dense_heads import Mask2FormerHead as PeerHead
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hub import get_config

from mmseg_plugin.models.dense_heads import Mask2FormerHead
from mmseg_plugin.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs' / 'mask2former'
R50 = 'mask2former_r50_8xb2-lsj-50e_coco.py'


def r50_configs() -> tuple[Config, Config]:
    """Our config and the one in mmdet's zoo that it inherits."""
    ours = Config.fromfile(CONFIGS / R50)
    peer = get_config(f'mmdet::mask2former/{R50}')
    for config in (ours, peer):
        config.model.backbone.init_cfg = None
    return ours, peer


def demo_configs() -> tuple[Config, Config]:
    """Those of the size that learns on a CPU."""
    end = '_tiny_demo_scenes-panoptic.py'
    ours, peer = (
        Config.fromfile(CONFIGS / (start + end))
        for start in ('mask2former', 'mask2former-mmdet')
    )
    return ours, peer


def both_heads(
    num_queries: int = 100,
    num_points: int = 12544,
    shared_points: bool = False,
) -> tuple[Mask2FormerHead, PeerHead]:
    """Heads of the R50 models; ours normalises its losses as mmdet does.

    Args:
        num_queries: of both.
        num_points: of both, in matching and losses.
        shared_points: our loss draws its points once for all masks of an
            image.
    """
    ours, peer = (config.model for config in r50_configs())
    head = ours.panoptic_head
    head.normalizer = 'mmdet'
    head.loss_mask.update(num_points=num_points, shared_points=shared_points)
    ours.train_cfg.assigner.num_points = num_points
    peer.train_cfg.num_points = num_points
    configs = []
    for model in (ours, peer):
        model.panoptic_head.num_queries = num_queries
        configs.append({**model.panoptic_head, 'train_cfg': model.train_cfg})
    return with_equal_weights(*configs)


def with_equal_weights(ours: dict, peer: dict) -> tuple:
    """Builds both and loads our weights into the peer, strictly."""
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    built = MODELS.build(ours), MMDET_MODELS.build(peer)
    built[1].load_state_dict(built[0].state_dict())
    return built

"""What benchmarks compare with is the published computation."""

import numpy as np
import pytest
import torch
from peers import mask_dino_criterion as mask_dino
from peers.full_ibs_loss import full_ibs_loss
from peers.full_mask_loss import full_mask_losses
from peers.panoptic_quality import count_images, quality
from peers.published_panoptic_fcn import published_losses
from torch import Tensor

from mmseg_plugin.structures import MaskLogits, Matches, Targets
from tests.golden import Case, collect_cases, compare, golden_dir
from tests.golden.ibs import predictions
from tests.golden.mask_dino import mask_dino_targets
from tests.golden.mask_dino_criterion import official_loss_name
from tests.golden.matching import dense_predictions
from tests.golden.panoptic_fcn_case import (
    case_maps,
    gradients,
    make_targets,
    official_head,
)
from tests.golden.panoptic_quality import images

CASES = collect_cases(golden_dir())


def cases(kind: str) -> pytest.MarkDecorator:
    found = [case for case in CASES if case.kind == kind]
    return pytest.mark.parametrize('case', found, ids=lambda case: case.name)


def matches_of(pairs: list[tuple[Tensor, Tensor]]) -> Matches:
    """One layer's matches from the query and target numbers of each image."""
    queries, targets = (torch.cat(part) for part in zip(*pairs, strict=True))
    counts = [len(query) for query, _ in pairs]
    image = torch.arange(len(pairs)).repeat_interleave(torch.tensor(counts))
    layer = torch.zeros_like(image)
    return Matches(layer, image, queries, targets, tuple((n,) for n in counts))


@cases('pq')
def test_panoptic_quality(case):
    data = [
        [
            case[image + key]
            for key in ('gt_ids', 'pred_ids', 'gt_segments', 'pred_segments')
        ]
        for image in images(case)
    ]
    counts = count_images(data)
    rows = [counts[int(label)] for label in case['in/categories'][:, 0]]
    table = [(c.iou, c.hits, c.wrong, c.missed) for c in rows]
    compare(case, 'out/per_class_iou_tp_fp_fn', np.array(table))
    compare(case, 'out/All', np.array(quality(rows)))


@cases('mf_criterion')
def test_dice_of_full_masks(case):
    num_images = int(case['target/num'])
    targets = [
        Targets(
            case.tensor(f'target/{i}/labels'), case.tensor(f'target/{i}/masks')
        )
        for i in range(num_images)
    ]
    count = max(sum(len(target.labels) for target in targets), 1)
    layers = {'final': ''}
    while f'in/outputs/aux_{len(layers) - 1}/pred_masks' in case:
        layers[f'aux_{len(layers) - 1}'] = f'_{len(layers) - 1}'
    for name, suffix in layers.items():
        path = 'in/outputs/' if name == 'final' else f'in/outputs/{name}/'
        layer = dense_predictions(
            case.tensor(f'{path}pred_logits')[None],
            case.tensor(f'{path}pred_masks')[None],
        )
        pairs = [
            tuple(
                case.tensor(f'out/match/{name}/{i}/{side}')
                for side in ('src', 'tgt')
            )
            for i in range(num_images)
        ]
        _, dice = full_mask_losses(
            layer.masks, targets, matches_of(pairs), count
        )
        compare(case, f'loss/loss_dice{suffix}', dice[0])


@cases('ibs_m2f')
def test_intra_batch_supervision(case):
    embed = predictions(case)[1][None]
    masks = MaskLogits(embed, case.tensor('in/mask_features'))
    pairs = [
        tuple(
            case.tensor(f'target/img{i}/matched_{side}')
            for side in ('query', 'gt')
        )
        for i in range(len(masks.features))
    ]
    matches = matches_of(pairs)

    def loss(kept: Tensor) -> Tensor:
        chosen = Matches(*(part[kept] for part in matches[:4]), ())
        return full_ibs_loss(masks, chosen, case.tensor('in/partner')[None])[0]

    sampled = case.config['ibs_point_sampling']
    name = 'info_dense_ibs' if sampled else 'loss_mask_ibs'
    compare(case, f'loss/{name}', loss(case.tensor('out/used_in_ibs')))
    if not sampled:
        things = loss(case.tensor('out/is_thing'))
        compare(case, 'loss/fixed_loss_mask_ibs', things)


@cases('pfcn_losses')
def test_panoptic_fcn(case):
    head = official_head(case)
    maps = case_maps(case)
    sizes = [tuple(size) for size in case.entry['feat_shapes']]
    losses = published_losses(head, maps, make_targets(case, head, sizes))
    sum(losses.values()).backward()
    got = {f'loss/{name}': value for name, value in losses.items()}
    for key, value in (got | gradients(maps)).items():
        compare(case, key, value)


class MaskDinoCase:
    """A golden case as sets of dense predictions."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.targets = mask_dino_targets(case)
        self.count = max(sum(len(t.labels) for t in self.targets), 1)
        self.leaves: dict[str, Tensor] = {}
        self.total = torch.zeros(())

    def dense_set(self, path: str) -> mask_dino.DenseSet:
        keys = [path + key for key in ('logits', 'masks', 'boxes')]
        leaves = [self.case.tensor(f'in/{key}', grad=True) for key in keys]
        names = [key.removeprefix('outputs/') for key in keys]
        self.leaves |= dict(zip(names, leaves, strict=True))
        return mask_dino.DenseSet(*leaves)

    def check(
        self,
        dense: mask_dino.DenseSet,
        pairs: list[tuple[Tensor, Tensor]],
        name: str,
        prefix: str,
    ) -> None:
        """Losses of all images against the recorded ones.

        Args:
            dense: predictions of one layer.
            pairs: queries and targets of each image.
            name: of the layer in the case.
            prefix: of the losses in our names.
        """
        counts = [len(query) for query, _ in pairs]
        points = self.case.tensor(f'in/points/loss/{name}').split(counts)
        groups = sum(counts) / self.count if 'dn' in name else 1
        sums = []
        for i, target in enumerate(self.targets):
            at = torch.zeros(1, dense.logits.shape[1], *points[i].shape[1:])
            at[0, pairs[i][0]] = points[i]
            one = mask_dino.DenseSet(*(part[i : i + 1] for part in dense))
            sums.append(
                mask_dino.losses_of_pairs(
                    one, target, pairs[i], self.count * groups, at
                )
            )
        for loss, weight in mask_dino.WEIGHTS.items():
            value = sum(part[loss] for part in sums)
            self.total = self.total + value
            key = f'loss/{official_loss_name(prefix + loss)}'
            compare(self.case, key, value / weight)

    def matched(self, dense: mask_dino.DenseSet, name: str) -> list:
        """Pairs of each image, held against the recorded ones."""
        found = []
        for i, target in enumerate(self.targets):
            points = self.case.tensor(f'in/points/match/{name}/{i}')[None]
            found.append(mask_dino.match(dense, i, target, points))
            for side, got in zip(('src', 'tgt'), found[-1], strict=True):
                compare(self.case, f'out/match/{name}/{i}/{side}', got)
        return found

    def noisy(self) -> list[tuple[Tensor, Tensor]]:
        """Denoising queries and targets, group after group."""
        groups = self.case.entry['dn_scalar']
        starts = (
            torch.arange(groups) * self.case.entry['dn_pad_size'] // groups
        )
        found = []
        for target in self.targets:
            index = torch.arange(len(target.labels))
            query = (starts[:, None] + index).flatten()
            found.append((query, index.repeat(groups)))
        return found


@cases('maskdino_criterion')
def test_mask_dino(case):
    if case.entry['semantic_ce_loss'] or case.entry['dn'] != 'seg':
        pytest.skip('the peer has focal class loss and denoises masks')
    published = MaskDinoCase(case)
    layers = {'final': ('', '')}
    if 'in/outputs/interm/pred_logits' in case:
        layers['interm'] = 'interm/', 'enc_'
    for i in range(case.entry['overrides']['DEC_LAYERS']):
        layers[f'aux_{i}'] = f'aux_{i}/', f'd{i}.'
    for name, (path, prefix) in layers.items():
        dense = published.dense_set(f'outputs/{path}pred_')
        pairs = published.matched(dense, name)
        published.check(dense, pairs, name, prefix)
        if case.entry['dn_scalar'] and name != 'interm':
            dense = published.dense_set(f'dn/{path}pred_')
            name = 'dn' if name == 'final' else f'dn_{name}'
            published.check(dense, published.noisy(), name, f'{prefix}dn_')
    compare(case, 'loss_total_weighted', published.total)
    published.total.backward()
    for key, leaf in published.leaves.items():
        compare(case, f'grad/{key}', leaf.grad)

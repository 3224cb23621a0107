"""Intra-Batch Supervision of both hosts."""

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.datasets.transforms import FilterAnnotations, RandomFlip
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from torch import Tensor, nn

from mmseg_plugin.datasets.transforms.object_crop import (
    CropAroundObject,
    CropObject,
    ResizeToObject,
)
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNMaps,
)
from mmseg_plugin.models.losses import IntraBatchLoss, PointMaskLoss
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargets,
)
from mmseg_plugin.structures import MaskLogits, Matches, Targets
from tests.golden import Case, runner
from tests.golden.panoptic_fcn_case import (
    case_maps,
    gradients,
    make_targets,
    official_head,
)
from tests.golden.panoptic_fcn_config import official


def _matches(case: Case, targets: list[Targets]) -> tuple[Matches, Tensor]:
    """Recorded pairs by target, and their places in the case's order."""
    image, query, target, repeats = [], [], [], []
    for i, truth in enumerate(targets):
        matched = case.tensor(f'target/img{i}/matched_gt').long()
        image.append(torch.full_like(matched, i))
        query.append(case.tensor(f'target/img{i}/matched_query').long())
        target.append(matched)
        counts = matched.bincount(minlength=len(truth.labels))
        repeats.append(tuple(counts.tolist()))
    image, query, target = (torch.cat(x) for x in (image, query, target))
    order = (image * 1000 + target).argsort(stable=True)
    pairs = Matches(
        torch.zeros_like(image),
        image[order],
        query[order],
        target[order],
        tuple(repeats),
    )
    return pairs, order


def _linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f'{name}.weight'], state[f'{name}.bias'])


def predictions(case: Case) -> tuple[Tensor, Tensor]:
    """Class logits (B, Q, C + 1) and mask embeddings (B, Q, D)."""
    state = case.group('state/')
    query = case.tensor('in/decoder_output').transpose(0, 1)
    norm = nn.LayerNorm(query.shape[-1]).to(query)
    norm.load_state_dict(
        {k: state[f'decoder_norm.{k}'] for k in ('weight', 'bias')}
    )
    query = norm(query)
    embed = query
    layers = [k for k in state if k.startswith('mask_embed.layers.')]
    last = max(int(key.split('.')[2]) for key in layers)
    for layer in range(last + 1):
        embed = _linear(state, f'mask_embed.layers.{layer}', embed)
        embed = embed.relu() if layer < last else embed
    return _linear(state, 'class_embed', query), embed


def _uniform(case: Case, sampling: int) -> Tensor | None:
    """The random points of one sampling: candidates, then the rest."""
    config = case.config
    chosen = int(config['importance_sample_ratio'] * config['num_points'])
    # Without a rest nothing is drawn for it.
    draws = 1 + (chosen < config['num_points'])
    keys = [f'in/rand_{sampling * draws + i}' for i in range(draws)]
    if keys[0] not in case:
        return None
    uniform = torch.cat([case.tensor(key) for key in keys], 1)
    return uniform.to(case.tensor('in/mask_features').dtype)


def _own_losses(
    case: Case, masks: MaskLogits, targets: list[Targets], matches: Matches
) -> dict:
    """Losses on the image itself; none if no random points are recorded."""
    config = case.config
    uniform = _uniform(case, 0)
    _, order = _matches(case, targets)
    if uniform is None and len(order):
        return {}
    loss = PointMaskLoss(
        config['num_points'],
        config['oversample_ratio'],
        config['importance_sample_ratio'],
        mask_weight=1.0,
        dice_weight=1.0,
    )
    points = masks.features.new_zeros(0, config['num_points'], 2)
    if len(order):
        maps = masks.dense().detach()
        maps = maps.reshape(masks.num_layers, *maps.shape[-4:])
        maps = maps[matches.layer, matches.image, matches.query]
        places, _ = loss.sampler.draw(maps, 2 * uniform[order] - 1)
        points = (places + 1) / 2
    values = loss(masks, targets, matches, config['num_masks'], points)
    return dict(
        zip(
            ('loss/loss_mask', 'loss/loss_dice'), map(sum, values), strict=True
        )
    )


@runner('ibs_m2f')
def run_mask2former(case: Case) -> dict:
    config = case.config
    targets = []
    while f'target/img{len(targets)}/labels' in case:
        data = case.group(f'target/img{len(targets)}/')
        masks = data['masks'].bool()
        targets.append(Targets(data['labels'].long(), masks))
    matches, order = _matches(case, targets)
    cls_logits, embed = predictions(case)
    features = case.tensor('in/mask_features')
    partner = case.tensor('in/partner').long().cpu()
    masks = MaskLogits(embed, features)
    cross = MaskLogits(embed, features[partner]).dense()
    options = {
        'thing_classes': config['thing_classes'],
        'alpha': config['alpha'],
        'gamma': config['gamma'],
        'first_layer': 0,
    }
    dense = IntraBatchLoss(**options, num_points=None)
    sampled = IntraBatchLoss(
        **options,
        num_points=config['num_points']
        if config['ibs_point_sampling']
        else None,
        oversample_ratio=config['oversample_ratio'],
        importance_sample_ratio=config['importance_sample_ratio'],
        skip_class_zero=True,
    )
    matched = [
        target.labels[case.tensor(f'target/img{i}/matched_gt').long()]
        for i, target in enumerate(targets)
    ]
    matched = torch.cat(matched)
    used = sampled.is_used(matched.cpu()).to(case.device)
    uniform = _uniform(case, 1)
    if uniform is not None:
        # From the case's order of pairs to ours.
        place = used.cumsum(0) - 1
        uniform = uniform[place[order][used[order]]]
    given = {'partners': partner[None], 'uniform': uniform}
    # Every cross-image map as a feature of its own has a gradient.
    leaf = cross.detach().requires_grad_()
    rows, batch, queries = len(leaf.flatten(0, 1)), *leaf.shape[:2]
    own = leaf.new_zeros(batch, rows, *leaf.shape[2:])
    for image, other in enumerate(partner.tolist()):
        part = slice(image * queries, (image + 1) * queries)
        own = own.index_put(
            (torch.tensor(other), torch.arange(rows)[part]), leaf[image]
        )
    eye = torch.eye(rows).to(leaf).view(batch, queries, rows)
    loss = sampled(MaskLogits(eye, own), targets, matches, **given).sum()
    loss.backward()
    skipping = IntraBatchLoss(**options, num_points=None, skip_class_zero=True)
    return _own_losses(case, masks, targets, matches) | {
        'out/pred_masks': masks.dense(),
        'out/pred_masks_ibs': cross,
        'out/pred_logits': cls_logits,
        'out/matched_label': matched,
        'out/used_in_ibs': used,
        'out/is_thing': dense.is_used(matched.cpu()),
        'out/grad_pred_masks_ibs': leaf.grad,
        'loss/loss_mask_ibs': sampled(masks, targets, matches, **given).sum(),
        'loss/info_dense_ibs': skipping(
            masks, targets, matches, partners=partner[None]
        ).sum(),
        'loss/fixed_loss_mask_ibs': dense(
            masks, targets, matches, partners=partner[None]
        ).sum(),
    }


@runner('ibs_pfcn')
def run_panoptic_fcn(case: Case) -> dict:
    head = official_head(case)
    maps = case_maps(case)
    sizes = [tuple(size) for size in case.entry['feat_shapes']]
    targets = make_targets(case, head, sizes)
    partner = None
    if case.config.get('APPLY_IBS', 'in/partner' in case):
        partner = case.tensor('in/partner').long().cpu()
        head.loss_ibs = _supervision(case, partner)
    given = None if partner is None else partner[None]
    losses = head.loss_by_feat(maps, targets, given)
    sum(losses.values()).backward()
    got = {f'loss/{name}': value for name, value in losses.items()}
    if partner is not None:
        got['loss/loss_ibs_th'] = got.pop('loss/loss_ibs')
        mean, std = _cross_statistics(case, head, maps, targets, partner)
        got['out/cross_logit_mean'] = mean
        got['out/cross_logit_std'] = std
    return got | gradients(maps)


def _supervision(case: Case, partner: Tensor) -> IntraBatchLoss:
    """The case's loss, which would draw the recorded neighbours too."""
    config = official(case)
    adjacent = case.config.get('INPUT.NEW_SAMPLING', False)
    weight = case.config.get('IBS_WEIGHT', 1.0)
    loss = IntraBatchLoss(
        range(config['POSITION_HEAD.THING.NUM_CLASSES']),
        loss_weight=weight * config['LOSS_WEIGHT.SEGMENT'],
        num_points=None,
        alpha=config['LOSS_WEIGHT.FOCAL_LOSS_ALPHA'],
        gamma=config['LOSS_WEIGHT.FOCAL_LOSS_GAMMA'],
        pairing='adjacent' if adjacent else 'random',
        first_layer=0,
    )
    if adjacent:
        assert torch.equal(loss.draw_partners(1, len(partner))[0], partner)
    return loss


def _cross_statistics(
    case: Case,
    head: nn.Module,
    maps: PanopticFCNMaps,
    targets: PanopticFCNTargets,
    partner: Tensor,
) -> tuple[Tensor, Tensor]:
    """Mean and spread of each cross-image map, in the official layout."""
    masks, things, _, weights = head._thing_masks(maps, targets)
    with torch.no_grad():
        cross = MaskLogits(masks.embed, maps.features[partner]).dense()
    # Slots without a thing, and kernels of weight zero, mean nothing.
    found = [case.tensor(f'out/cross_logit_{x}') for x in ('mean', 'std')]
    pairs = torch.cat([level.thing for level in targets.levels])
    where = pairs.argsort(stable=True).argsort()
    image = targets.image[pairs]
    first = F.pad(image.bincount(minlength=len(partner)), (1, 0)).cumsum(0)
    start = number = 0
    for level in targets.levels:
        count = targets.image[level.thing].bincount(minlength=len(partner))
        seen = [0] * len(partner)
        for _ in level.thing:
            i = int(image[number])
            pair = int(where[number])
            for k, weight in enumerate(weights[pair]):
                row = (pair - first[i]) * head.num_kernels + k
                slot = (start + seen[i]) * head.num_kernels + k
                if weight > 0:
                    found[0][i, slot] = cross[i, row].mean()
                    found[1][i, slot] = cross[i, row].std()
            seen[i] += 1
            number += 1
        start += int(count.max())
    return found[0], found[1]


def _crop_transforms(
    config: dict,
) -> tuple[ResizeToObject, CropAroundObject]:
    resize = ResizeToObject(
        (config['shortest_side_min'], config['shortest_side_max']),
        config['overall_max'],
        config['min_size_train'],
        config['max_size_train'],
    )
    height, width = config['crop_size_hw']
    return resize, CropAroundObject((width, height))


@runner('ibs_crop_augs')
def run_crop_augmentations(case: Case) -> dict:
    resize, crop = _crop_transforms(case.config)
    rows, ranges = [], []
    for (height, width, *box, scale, _), recorded in zip(
        case['in/rows'], case['out/resize_crop'], strict=True
    ):
        resize._stuff_side = lambda side=recorded[-1]: side
        wanted = scale if scale > 0 else None
        size = resize.new_size((int(height), int(width)), tuple(box), wanted)
        factors = np.array([size[1] / width, size[0] / height] * 2)
        low_high = crop.offset_ranges(size, tuple(np.array(box) * factors))
        ranges.append(np.concatenate(low_high))
        # The recorded draws, which have to lie in our range.
        y, x = (
            min(max(drawn, int(low)), int(high) - 1)
            for drawn, (low, high) in zip(
                recorded[3:1:-1], low_high, strict=True
            )
        )
        crop_h, crop_w = crop._get_crop_size(size)
        rows.append([*size, x, y, crop_w, crop_h, recorded[-1]])
    return {'out/resize_crop': rows, 'out/crop_ranges': np.stack(ranges)}


@runner('ibs_crop_mapper')
def run_crop_mapper(case: Case) -> dict:
    config = case.config
    contiguous = dict(case['in/category_to_contiguous'].tolist())
    rows, got = [], {}
    for number, row in enumerate(case['out/rows'].tolist()):
        category, thing, scale, _, index, chosen, *_ = row
        name = config['imgs_per_cat'][str(category)][index]
        segments = case[f'in/{name}/segments']
        same = segments[segments[:, 1] == category]
        box = same[chosen, 3:].astype(float)
        box[2:] += box[:2]
        crop_object = CropObject(
            contiguous[category], tuple(box), scale if thing else None
        )
        results = _cropped(case, name, crop_object, row[6:])
        sample = f'out/sample{number // 2}_{number % 2}'
        got[f'{sample}/classes'] = results['gt_bboxes_labels']
        got[f'{sample}/masks'] = results['gt_masks'].masks
        got[f'{sample}/image'] = results['img'].transpose(2, 0, 1)
        rows.append(
            [category, category in config['things'], scale, int(name[2:])]
            + [index, chosen, *results['size'], *row[8:10]]
            + [*results['img'].shape[1::-1], row[12]]
        )
    return got | {'out/rows': rows}


def _cropped(
    case: Case, name: str, crop_object: CropObject, recorded: list[int]
) -> dict:
    """One image through our pipeline, with the recorded draws."""
    height, width, x, y, _, _, flipped = recorded
    ids = case[f'in/{name}/segment_ids']
    contiguous = dict(case['in/category_to_contiguous'].tolist())
    segments = [s for s in case[f'in/{name}/segments'] if not s[2]]
    masks = [(ids == segment[0]).astype(np.uint8) for segment in segments]
    boxes = np.array([s[3:] for s in segments], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    results = {
        'img': _coordinates_image(ids.shape, int(name[2:])),
        'gt_masks': BitmapMasks(masks, *ids.shape),
        'gt_bboxes': HorizontalBoxes(boxes),
        'gt_bboxes_labels': np.array(
            [contiguous[s[1]] for s in segments], np.int64
        ),
        'gt_ignore_flags': np.zeros(len(segments), bool),
        'crop_object': crop_object,
    }
    resize, crop = _crop_transforms(case.config)
    if crop_object.scale is None:
        _replay_side(resize, ids.shape, (height, width))
    results = resize(results)
    results['size'] = results['img'].shape[:2]
    crop._rand_offset = lambda margin: (y, x)
    results = crop(results)
    keep = FilterAnnotations(
        by_box=False, by_mask=True, min_gt_mask_area=2, keep_empty=False
    )
    results = keep(results)
    return RandomFlip(prob=float(flipped))(results)


def _replay_side(
    resize: ResizeToObject, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    """Makes an image of stuff draw the side that gives the recorded size."""
    sides = resize.stuff_sides
    # Some recipes draw from the whole range.
    for side in (*sides, *range(min(sides), max(sides) + 1)):
        resize._stuff_side = lambda side=side: side
        if resize.new_size(size, (0, 0, 0, 0), None) == wanted:
            return
    raise ValueError(f'no side of {sides} resizes {size} to {wanted}')


def _coordinates_image(size: tuple[int, int], number: int) -> np.ndarray:
    """The case's image: column, row and number of each source pixel."""
    rows, columns = np.indices(size)
    image = (columns, rows, np.full(size, number * 40))
    return np.stack(image, -1).astype(np.uint8)

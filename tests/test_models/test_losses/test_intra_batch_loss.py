import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.losses import IntraBatchLoss
from mmseg_plugin.structures import MaskLogits, Matches, Targets
from mmseg_plugin.utils.host import host_copies

LAYERS, BATCH, QUERIES, DIMS = 3, 3, 4, 5


def data(labels=((0, 1), (2, 0), (3,)), size=(6, 8)):
    """Mask logits with one query for each target, in order."""
    torch.manual_seed(0)
    embed = torch.randn(LAYERS, BATCH, QUERIES, DIMS, dtype=torch.float64)
    features = torch.randn(BATCH, DIMS, *size, dtype=torch.float64)
    masks = MaskLogits(embed.requires_grad_(), features.requires_grad_())
    targets = [
        Targets(torch.tensor(image, dtype=torch.long), torch.zeros(0, *size))
        for image in labels
    ]
    queries = [torch.arange(len(image))[:, None] for image in labels]
    return masks, targets, Matches.fixed(queries, LAYERS)


def dense_loss(**options):
    return IntraBatchLoss(
        thing_classes=[0, 1, 2], **{'num_points': None, **options}
    )


def reference(masks, labels, partners, first_layer, used=(0, 1, 2)):
    """The published formula, dense, layer by layer."""
    values = []
    for layer in range(LAYERS):
        rows = []
        for image, classes in enumerate(labels):
            other = masks.features[partners[layer, image]]
            for query, label in enumerate(classes):
                if label in used and layer >= first_layer:
                    embed = masks.embed[layer, image, query]
                    x = torch.einsum('d,dhw->hw', embed, other)
                    focal = 0.75 * x.sigmoid() ** 2 * F.softplus(x)
                    rows.append(focal.mean())
        total = torch.stack(rows).mean() if rows else torch.zeros(())
        values.append(total.double())
    return torch.stack(values)


def test_by_hand():
    masks = MaskLogits(torch.zeros(1, 2, 1, 1), torch.ones(2, 1, 2, 2))
    targets = [Targets(torch.tensor([0]), torch.zeros(1, 2, 2))] * 2
    matches = Matches.fixed([torch.zeros(1, 1, dtype=torch.long)] * 2, 1)
    loss = dense_loss(loss_weight=4.0)
    # Logit 0: 0.75 * 0.25 * log 2, four times.
    value = loss(masks, targets, matches).item()
    assert value == pytest.approx(4 * 0.75 * 0.25 * math.log(2))


@pytest.mark.parametrize('chunk_size', [1, 100, 2**22])
def test_is_the_published_formula(chunk_size):
    labels = ((0, 1), (2, 0), (3,))
    masks, targets, matches = data(labels)
    partners = torch.tensor([[1, 2, 0], [2, 0, 0], [1, 0, 1]])
    loss = dense_loss(chunk_size=chunk_size)
    value = loss(masks, targets, matches, partners=partners, num_initial=1)
    expected = reference(masks, labels, partners, first_layer=1)
    torch.testing.assert_close(value, expected)
    assert value[0] == 0
    weights = torch.rand(LAYERS, dtype=torch.float64)
    grads = torch.autograd.grad(value @ weights, masks)
    wanted = torch.autograd.grad(expected @ weights, masks)
    for grad, want in zip(grads, wanted, strict=True):
        torch.testing.assert_close(grad, want)


def test_gradient_at_points():
    masks, targets, matches = data(size=(3, 4))
    loss = IntraBatchLoss([0, 1, 2], num_points=6, chunk_size=12)
    partners = torch.tensor([[1, 2, 0]] * LAYERS)
    # All candidates and all the rest: the choice does not depend on values.
    loss.sampler.num_candidates = loss.sampler.num_uncertain = 6
    uniform = torch.rand(8, 6, 2, dtype=torch.float64)

    def run(embed, features):
        again = MaskLogits(embed, features)
        return loss(
            *(again, targets, matches),
            partners=partners,
            uniform=uniform,
            num_initial=1,
        )

    assert torch.autograd.gradcheck(run, tuple(masks))


def test_points_are_taken_where_the_other_image_is_uncertain():
    # Uncertain in three columns; everywhere else surely negative.
    features = torch.full((2, 1, 8, 8), -8.0)
    features[1, 0, :, 2:5] = 0
    masks = MaskLogits(torch.ones(1, 2, 1, 1), features)
    none = torch.zeros(0, dtype=torch.long)
    targets = [
        Targets(torch.tensor([0]), torch.zeros(1, 8, 8)),
        Targets(none, torch.zeros(0, 8, 8)),
    ]
    queries = [torch.zeros(1, 1, dtype=torch.long), none.view(0, 1)]
    matches = Matches.fixed(queries, 1)
    torch.manual_seed(0)
    shared = {'thing_classes': [0]}
    sampled = IntraBatchLoss(num_points=64, **shared)(masks, targets, matches)
    dense = IntraBatchLoss(num_points=None, **shared)(masks, targets, matches)
    assert sampled > 1.5 * dense


def test_stuff_is_never_used_and_class_zero_only_by_option():
    labels = ((0, 3), (3, 3), (1,))
    masks, targets, matches = data(labels)
    partners = torch.tensor([[1, 2, 0]] * LAYERS)
    given = {'partners': partners, 'num_initial': 1}
    value = dense_loss()(masks, targets, matches, **given)
    torch.testing.assert_close(value, reference(masks, labels, partners, 1))
    skipped = dense_loss(skip_class_zero=True)
    torch.testing.assert_close(
        skipped(masks, targets, matches, **given),
        reference(masks, labels, partners, 1, used=(1, 2)),
    )


def test_weights_and_avg_factor():
    masks, targets, matches = data()
    partners = torch.tensor([[1, 2, 0]] * LAYERS)
    loss = dense_loss()
    num = len(matches.image)
    each = [
        loss(
            masks,
            targets,
            matches,
            weights=F.one_hot(torch.tensor(i), num).double(),
            avg_factor=2,
            partners=partners,
        )
        for i in range(num)
    ]
    weights = torch.rand(num, dtype=torch.float64)
    value = loss(masks, targets, matches, weights, 2, partners)
    torch.testing.assert_close(value, weights @ torch.stack(each))


def test_pairs_that_the_host_knows_are_not_copied():
    masks, targets, matches = data()
    labels = torch.cat([target.labels for target in targets])
    pairs = torch.stack(matches[:4]).numpy()
    sizes = [len(target.labels) for target in targets]
    known = Matches.of_pairs(pairs, sizes, labels.device, labels)
    partners = torch.tensor([[1, 2, 0]] * LAYERS)
    values = []
    for pairs, copies in ((matches, 1), (known, 0)):
        host_copies.clear()
        loss = dense_loss()
        values.append(loss(masks, targets, pairs, partners=partners))
        assert host_copies.total() == copies
    assert torch.equal(*values)


def test_no_things_is_zero_and_keeps_the_graph():
    masks, targets, matches = data(((3,), (), ()))
    for loss in (dense_loss(), IntraBatchLoss([0], num_points=4)):
        value = loss(masks, targets, matches)
        value.sum().backward()
        assert value.tolist() == [0] * LAYERS
    assert masks.embed.grad is not None
    assert masks.features.grad is not None


def test_partner_is_another_image_and_reproducible():
    loss = dense_loss()
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append(loss.draw_partners(500, 4))
    assert torch.equal(*draws)
    assert not (draws[0] == torch.arange(4)).any()
    # Every other image, equally often: a third of 500 each.
    counts = F.one_hot(draws[0], 4).sum(0)
    assert counts.diagonal().eq(0).all()
    others = counts[~torch.eye(4, dtype=torch.bool)]
    assert ((others - 500 / 3).abs() < 45).all()


def test_adjacent_pairs():
    loss = dense_loss(pairing='adjacent')
    partners = loss.draw_partners(2, 4)
    assert partners.tolist() == [[1, 0, 3, 2]] * 2
    with pytest.raises(ValueError, match='even number'):
        loss.draw_partners(1, 3)


def test_one_image_and_unknown_pairing_are_refused():
    with pytest.raises(ValueError, match='at least 2 images'):
        dense_loss().draw_partners(1, 1)
    with pytest.raises(ValueError, match='pairing'):
        dense_loss(pairing='nearest')


def test_fp32_under_autocast():
    masks, targets, matches = data()
    half = MaskLogits(masks.embed.bfloat16(), masks.features.bfloat16())
    with torch.autocast('cpu', torch.bfloat16):
        value = dense_loss()(half, targets, matches)
    assert value.dtype == torch.float32
    assert value.isfinite().all()

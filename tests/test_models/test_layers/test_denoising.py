import pytest
import torch

from mmseg_plugin.models.layers.denoising import (
    DenoisingQueryGenerator,
    NoiseDraws,
)
from mmseg_plugin.structures import Targets


def targets(*counts, num_classes=5):
    generator = torch.Generator().manual_seed(0)
    found = []
    for count in counts:
        labels = torch.randint(num_classes, (count,), generator=generator)
        size = 0.1 + 0.2 * torch.rand(count, 2, generator=generator)
        centre = 0.4 + 0.2 * torch.rand(count, 2, generator=generator)
        masks = torch.zeros(count, 8, 8, dtype=torch.uint8)
        boxes = torch.cat((centre, size), 1)
        found.append(Targets(labels, masks, boxes))
    return found


def generator(**options):
    torch.manual_seed(0)
    return DenoisingQueryGenerator(
        **({'num_classes': 5, 'embed_dims': 4} | options)
    )


@pytest.mark.parametrize(
    ('counts', 'groups'),
    [((1,), 100), ((7, 2), 14), ((0, 33), 3), ((51, 50), 1), ((100,), 1)],
)
def test_groups_fill_the_queries_of_the_fullest_image(counts, groups):
    noise = generator()(targets(*counts))
    assert noise.num_groups == groups
    assert noise.content.shape[:2] == (len(counts), groups * max(counts))
    assert [part.shape for part in noise.queries] == [
        (count, groups) for count in counts
    ]
    assert noise.num_dropped == 0
    assert noise.queries_per_target == groups


@pytest.mark.parametrize('policy', ['cap', 'published'])
def test_nothing_to_denoise(policy):
    assert generator(crowd_policy=policy)(targets(0, 0)) is None


def test_crowded_image_keeps_as_many_targets_as_there_are_queries():
    batch = targets(2, 13)
    noise = generator(num_queries=10)(batch)
    assert noise.num_groups == 1
    assert noise.num_dropped == 3
    # What the losses are divided by, next to the number of all targets.
    assert noise.queries_per_target == 12 / 15
    assert [len(part.labels) for part in noise.targets] == [2, 10]
    # A choice of the image's targets, none of them twice.
    kept, given = noise.targets[1].boxes, batch[1].boxes
    same = (kept[:, None] == given).all(-1)
    assert same.sum(1).tolist() == [1] * 10
    assert same.sum(0).max() == 1
    assert generator(num_queries=10, crowd_policy='published')(batch) is None


def test_unknown_crowd_policy():
    with pytest.raises(ValueError, match='crowd_policy'):
        generator(crowd_policy='off')


def test_without_noise_queries_are_the_targets():
    batch = targets(2, 3)
    layer = generator(num_queries=7, label_noise=0.0, box_noise=0.0)
    noise = layer(batch)
    assert noise.num_groups == 2
    for image, target in enumerate(batch):
        for group in range(2):
            query = noise.queries[image][:, group]
            torch.testing.assert_close(
                noise.box_logits[image, query].sigmoid(), target.boxes
            )
            expected = layer.label_embedding(target.labels)
            assert torch.equal(noise.content[image, query], expected)
    # The first image has a place for a third target in each group.
    assert noise.content[0, [2, 5]].abs().sum() == 0
    assert noise.box_logits[0, [2, 5]].abs().sum() == 0


def test_given_draws_decide():
    labels = torch.tensor([1, 2])
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.9, 0.5, 0.4, 0.2]])
    draws = NoiseDraws(
        torch.tensor([0.19, 0.2]),
        torch.tensor([4, 4]),
        torch.tensor([[1.0, 0.0, 0.5, 1.0], [1.0, 0.5, 1.0, 0.0]]),
    )
    noisy_labels, noisy = generator().add_noise(labels, boxes, draws)
    assert noisy_labels.tolist() == [4, 2]
    expected = [[0.54, 0.42, 0.2, 0.56], [0.98, 0.5, 0.56, 0.12]]
    torch.testing.assert_close(noisy, torch.tensor(expected))


def test_noisy_boxes_stay_in_the_image():
    boxes = torch.tensor([[0.99, 0.01, 0.9, 0.9]])
    draws = NoiseDraws(
        torch.ones(1),
        torch.zeros(1, dtype=torch.long),
        torch.tensor([[1.0, 0.0, 1.0, 1.0]]),
    )
    _, noisy = generator().add_noise(torch.tensor([0]), boxes, draws)
    assert noisy.tolist() == [[1, 0, 1, 1]]


def test_statistics_of_many_draws():
    layer = generator(num_classes=5)
    count = 40000
    labels = torch.zeros(count, dtype=torch.long)
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4]]).expand(count, 4)
    noisy_labels, noisy = layer.add_noise(labels, boxes, layer.draw(labels))
    # A fifth of the labels are drawn anew, a fifth of those stay the same.
    changed = (noisy_labels != 0).float().mean().item()
    assert changed == pytest.approx(0.2 * 0.8, abs=0.01)
    share = torch.bincount(noisy_labels, minlength=5)[1:] / count
    torch.testing.assert_close(
        share, torch.full((4,), 0.04), atol=0.006, rtol=0
    )
    shift = (noisy - boxes) / torch.tensor([0.04, 0.08, 0.08, 0.16])
    assert shift.abs().max() <= 1 + 1e-5
    assert shift.abs().max() > 0.99
    assert shift.mean(0).abs().max() < 0.02
    # Uniform in [-1, 1], each of the four by itself.
    torch.testing.assert_close(
        shift.T.cov(), torch.eye(4) / 3, atol=0.02, rtol=0
    )


def test_labels_flip_to_another_one_on_request():
    layer = generator(num_classes=5, flip_to_other=True)
    labels = torch.full((40000,), 3)
    draws = layer.draw(labels)
    assert not (draws.labels == 3).any()
    noisy, _ = layer.add_noise(labels, torch.zeros(40000, 4), draws)
    share = torch.bincount(noisy, minlength=5) / 40000
    expected = torch.tensor([0.05, 0.05, 0.05, 0.8, 0.05])
    torch.testing.assert_close(share, expected, atol=0.006, rtol=0)


def test_one_class_has_no_other_to_flip_to():
    layer = generator(num_classes=1, flip_to_other=True)
    assert layer.draw(torch.zeros(9, dtype=torch.long)).labels.tolist() == (
        [0] * 9
    )


def test_attention_mask_of_two_groups_and_one_matching_query():
    noise = generator(num_queries=5)(targets(2))
    blocked = noise.attn_mask(1)
    expected = [
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0],
    ]
    assert blocked.int().tolist() == expected


def test_crowded_image_without_masks():
    empty = torch.zeros(13, 0, 0)
    batch = [target._replace(masks=empty) for target in targets(13)]
    (kept,) = generator(num_queries=10)(batch).targets
    assert kept.masks.shape == (10, 0, 0)
    assert len(kept.boxes) == 10


def test_targets_without_boxes():
    batch = [target._replace(boxes=None) for target in targets(3)]
    with pytest.raises(ValueError, match='boxes'):
        generator()(batch)

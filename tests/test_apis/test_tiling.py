import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from mmseg_plugin.apis.fragments import Fragment, Window, merge_fragments
from mmseg_plugin.apis.segments import Segment, segments_of
from mmseg_plugin.apis.tiling import TiledPredictor, _looked_up, tiles_of

SIZE = (100, 130)
# x1, y1, x2, y2 of squares that seams of tiles of 48, overlap 16, cut.
SQUARES = [
    (2, 3, 10, 9),
    (30, 30, 44, 44),
    (40, 5, 50, 17),
    (36, 50, 46, 60),
    (60, 70, 74, 84),
    (118, 88, 130, 100),
    (90, 20, 100, 34),
]
LARGE = (20, 30, 95, 92)


def painted(squares, size=SIZE):
    """Squares of class 0, stuff of class 1 left of column 65, class 2."""
    image = np.zeros((*size, 3), np.uint8)
    for x1, y1, x2, y2 in squares:
        image[y1:y2, x1:x2, 2] = 255
    image[:, :65, 0] = 255
    return image


class Finder:
    """Finds every red blob that it can see at least 4 pixels of."""

    def __init__(self, kinds, least=4, most=10**6, scores=False):
        self.kinds = kinds
        self.least = least
        self.most = most
        self.scores = scores
        self.shapes = []

    def __call__(self, image):
        self.shapes.append(image.shape[:2])
        number, parts = cv2.connectedComponents(
            (image[..., 2] > 127).astype(np.uint8)
        )
        stuff = np.where(image[..., 0] > 127, 1, 2)
        masks = [parts == i for i in range(1, number)]
        masks = [m for m in masks if self.least <= m.sum() <= self.most]
        sample = BaseDataElement()
        if 'instances' in self.kinds:
            stacked = np.array(masks).reshape(-1, *image.shape[:2])
            scores = [min(m.sum() / 1000, 1) for m in masks]
            sample.set_field(
                InstanceData(
                    bboxes=torch.zeros(len(masks), 4),
                    labels=torch.zeros(len(masks), dtype=torch.long),
                    scores=torch.tensor(scores),
                    masks=torch.from_numpy(stacked).bool(),
                ),
                'pred_instances',
            )
        if 'panoptic' in self.kinds:
            ids = stuff.copy()
            for i, mask in enumerate(masks, 1):
                ids[mask] = 1000 * i
            ids = torch.from_numpy(ids)[None]
            sample.set_field(PixelData(sem_seg=ids), 'pred_panoptic_seg')
        if 'semantic' in self.kinds:
            labels = torch.from_numpy(np.where(parts, 0, stuff))[None]
            sample.set_field(PixelData(data=labels), 'pred_sem_seg')
        if self.scores:
            onehot = torch.nn.functional.one_hot(labels[0], 3)
            onehot = onehot.permute(2, 0, 1).float()
            sample.set_field(PixelData(data=onehot), 'seg_logits')
        return sample


def run(image, *kinds, tile=48, overlap=16, **options):
    finder = Finder(kinds, **options)
    return TiledPredictor(finder, 3, tile, overlap)(image), finder


def boxes(segments, label=0):
    return sorted(
        tuple(s.box.astype(int).tolist()) for s in segments if s.label == label
    )


@pytest.mark.parametrize('size', [(100, 130), (48, 48), (48, 49), (20, 300)])
@pytest.mark.parametrize('overlap', [0, 16, 47])
def test_tiles_cover_the_image(size, overlap):
    tiles = tiles_of(size, 48, overlap)
    seen = np.zeros(size, int)
    for tile in tiles:
        x1, y1, x2, y2 = tile.window
        assert 0 <= x1 < x2 <= size[1]
        assert 0 <= y1 < y2 <= size[0]
        assert max(x2 - x1, y2 - y1) <= 48
        assert tile.window.intersect(tile.core) == tile.core
        seen[tile.core.slices] += 1
    assert (seen == 1).all()
    spans = sorted({(t.window.x1, t.window.x2) for t in tiles})
    for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
        assert end - start >= overlap


@pytest.mark.parametrize(('tile', 'overlap'), [(48, 48), (48, -1), (0, 0)])
def test_impossible_tiles(tile, overlap):
    with pytest.raises(ValueError, match=f'overlap {overlap} must be'):
        TiledPredictor(Finder(()), 3, tile, overlap)


def test_small_image_is_seen_once():
    found, finder = run(painted(SQUARES), 'instances', tile=130)
    assert finder.shapes == [SIZE]
    assert boxes(found['instances']) == sorted(SQUARES)


def at_input_size(finder, side):
    """Resizes what it gets, as test pipelines do, and its masks back."""

    def predict(image):
        height, width = image.shape[:2]
        factor = min(side / max(height, width), 1)
        shape = (round(width * factor), round(height * factor))
        sample = finder(cv2.resize(image, shape, interpolation=cv2.INTER_AREA))
        masks = sample.pred_instances.masks.byte().numpy()
        resized = [cv2.resize(mask, (width, height)) for mask in masks]
        stacked = np.array(resized).reshape(-1, height, width)
        sample.pred_instances.masks = torch.from_numpy(stacked).bool()
        return sample

    return predict


def found_of(segments, squares):
    """Whether some segment has an IoU of 0.5 or more with each square."""
    found = [segment.cropped().box for segment in segments]
    ious = bbox_overlaps(
        torch.tensor(squares).float(),
        torch.tensor(np.array(found)).float().reshape(-1, 4),
    )
    return (ious >= 0.5).any(dim=1)


def test_recall_of_small_objects_is_greater_with_tiles():
    generator = np.random.default_rng(0)
    steps = range(0, 384, 24)
    corners = [(x + 2, y + 3) for x in steps for y in steps]
    sides = generator.integers(4, 13, len(corners)).tolist()
    squares = [
        (x, y, x + side, y + side)
        for (x, y), side in zip(corners, sides, strict=True)
    ]
    image = painted(squares, (384, 384))
    # It has to see 16 pixels of an object; the whole image it sees halved.
    predict = at_input_size(Finder(('instances',), least=16), 192)
    whole = segments_of(predict(image), 3)['instances']
    tiles = TiledPredictor(predict, 3, 192, 48)(image)['instances']
    small = torch.tensor(sides) < 8
    in_whole, in_tiles = found_of(whole, squares), found_of(tiles, squares)
    assert not in_whole[small].any()
    assert in_whole[~small].float().mean() > 0.8
    assert in_tiles.all()
    assert len(tiles) == len(squares)


@pytest.mark.parametrize('overlap', [0, 2, 8, 16, 24])
def test_instances_on_seams_come_back_once(overlap):
    image = painted(SQUARES)
    found, _ = run(image, 'instances', overlap=overlap)
    assert len(found['instances']) == len(SQUARES)
    if overlap >= 16:
        assert boxes(found['instances']) == sorted(SQUARES)
        for segment in found['instances']:
            x1, y1, x2, y2 = segment.box.astype(int)
            assert segment.mask.shape == (y2 - y1, x2 - x1)
            assert segment.mask.all()
            assert segment.score == pytest.approx(
                segment.mask.sum() / 1000, abs=1e-3
            )


def test_instance_larger_than_a_tile_comes_from_the_whole_image():
    found, _ = run(painted([LARGE]), 'instances')
    (segment,) = found['instances']
    np.testing.assert_allclose(segment.box, LARGE, atol=3)
    # Not seen in the shrunk image: the parts in the tiles are joined.
    found, _ = run(painted([LARGE]), 'instances', least=700)
    (segment,) = found['instances']
    assert segment.box.tolist() == list(LARGE)
    assert segment.mask.all()


def test_neighbours_stay_apart():
    squares = [(34, 34, 42, 42), (43, 34, 51, 42), (34, 43, 42, 51)]
    found, _ = run(painted(squares), 'instances')
    assert boxes(found['instances']) == sorted(squares)


def test_blob_of_the_shrunk_image_gives_way_to_its_objects():
    mask = np.ones((10, 10), bool)
    left = Segment(0, mask, np.array([0.0, 0, 10, 10]), 0.9)
    right = left._replace(
        box=np.array([12.0, 0, 22, 10]), offset=(12, 0), score=0.8
    )
    blob = Segment(0, np.ones((10, 22), bool), np.array([0.0, 0, 22, 10]), 0.7)
    tile, image = Window(0, 0, 48, 48), Window(0, 0, 100, 100)
    fine = [Fragment(left, tile, 0), Fragment(right, tile, 0)]

    def scores(coarse):
        seen = Fragment(coarse, image, 1, coarse=True)
        return [s.score for s in merge_fragments([*fine, seen])]

    assert scores(blob) == [0.9, 0.8]
    # Of another class, or the better one, it stays.
    assert scores(blob._replace(label=1)) == [0.9, 0.8, 0.7]
    assert scores(blob._replace(score=0.95)) == [0.95, 0.9, 0.8]


def fragment(box, score, number, cut=False):
    x1, y1, x2, y2 = box
    mask = np.ones((y2 - y1, x2 - x1), bool)
    segment = Segment(0, mask, np.array(box, float), score, (x1, y1))
    window = Window(*[(0, 0, 48, 48), (32, 0, 80, 48)][number])
    return Fragment(segment, window, number, cut)


def test_rest_of_an_object_that_a_better_find_covers_is_dropped():
    whole = fragment((30, 10, 44, 24), 0.9, 0)
    parts = [
        fragment((32, 10, 44, 24), 0.8, 1, cut=True),
        fragment((32, 10, 38, 30), 0.7, 1, cut=True),
    ]
    (one,) = merge_fragments([whole, *parts])
    assert one.score == 0.9
    # What one tile shows twice without a seam is up to the model.
    twice = [
        fragment((34, 10, 44, 24), 0.8, 1),
        fragment((34, 10, 40, 24), 0.7, 1),
    ]
    found = merge_fragments([whole, *twice])
    assert [segment.score for segment in found] == [0.9, 0.7]


def test_box_in_a_box_is_an_object():
    boxes_only = [
        part._replace(segment=part.segment._replace(mask=None))
        for part in (
            fragment((33, 4, 47, 44), 0.9, 0),
            fragment((35, 8, 40, 14), 0.8, 1),
        )
    ]
    assert len(merge_fragments(boxes_only)) == 2


def test_boxes_without_masks():
    parts = [
        Fragment(Segment(0, None, np.array(box), score), window, i, cut=True)
        for i, (box, score, window) in enumerate(
            [
                ([30.0, 10, 48, 30], 0.6, Window(0, 0, 48, 48)),
                ([32.0, 10, 60, 30], 0.7, Window(32, 0, 80, 48)),
            ]
        )
    ]
    (joined,) = merge_fragments(parts)
    assert joined.box.tolist() == [30, 10, 60, 30]
    assert (joined.score, joined.mask) == (0.7, None)
    assert merge_fragments([]) == []
    tiny = Segment(0, None, np.array([3.1, 5.2, 3.4, 5.4]), 0.5)
    alone = Fragment(tiny, Window(0, 0, 48, 48), 0)
    assert merge_fragments([alone]) == [tiny]


@pytest.mark.parametrize('overlap', [0, 8, 16])
def test_panoptic_things_on_seams_are_one(overlap):
    image = painted(SQUARES)
    found, _ = run(image, 'panoptic', overlap=overlap)
    things = [s for s in found['panoptic'] if s.label == 0]
    assert boxes(things) == sorted(SQUARES)
    whole = sum(s.whole_mask(SIZE).astype(int) for s in found['panoptic'])
    assert (whole == 1).all()
    red = image[..., 2] > 0
    for label, truth in ((1, image[..., 0] > 0), (2, image[..., 0] == 0)):
        (region,) = [s for s in found['panoptic'] if s.label == label]
        np.testing.assert_array_equal(region.whole_mask(SIZE), truth & ~red)


def test_panoptic_thing_that_no_tile_sees_comes_from_the_whole_image():
    found, _ = run(painted([LARGE]), 'panoptic')
    (thing,) = [s for s in found['panoptic'] if s.label == 0]
    assert thing.box.tolist() == list(LARGE)
    # Tiles see stuff there, but an object of this size cannot fit into one.
    found, _ = run(painted([LARGE]), 'panoptic', most=800)
    (thing,) = [s for s in found['panoptic'] if s.label == 0]
    np.testing.assert_allclose(thing.box, LARGE, atol=3)


@pytest.mark.parametrize('scores', [False, True])
def test_semantic_map_has_no_seams(scores):
    image = painted(SQUARES)
    found, _ = run(image, 'semantic', scores=scores)
    regions = {s.label: s.whole_mask(SIZE) for s in found['semantic']}
    red = image[..., 2] > 0
    expected = np.where(red, 0, np.where(image[..., 0] > 0, 1, 2))
    got = sum(label * mask for label, mask in regions.items())
    assert (got == expected).mean() > 0.97
    if not scores:
        np.testing.assert_array_equal(got, expected)


def test_scores_of_the_whole_image_decide_where_tiles_waver():
    def predict(image):
        whole = image.shape[0] < 40
        scores = torch.zeros(3, *image.shape[:2])
        scores[0] = 0.5
        scores[1] = 0.4 + 0.3 * whole
        sample = BaseDataElement()
        sample.set_field(PixelData(data=scores), 'seg_logits')
        labels = scores.argmax(dim=0, keepdim=True)
        sample.set_field(PixelData(data=labels), 'pred_sem_seg')
        return sample

    found = TiledPredictor(predict, 3, 48, 16)(painted([]))
    assert [s.label for s in found['semantic']] == [1]


def test_the_threshold_of_a_single_score_is_the_models():
    """Of one score for two classes no largest can be taken."""

    def predict(image):
        score = torch.from_numpy(image[..., 2] > 127)[None].float()
        sample = BaseDataElement()
        sample.set_field(PixelData(data=score), 'seg_logits')
        sample.set_field(PixelData(data=score.long()), 'pred_sem_seg')
        return sample

    image = painted(SQUARES)
    found = TiledPredictor(predict, 2, 48, 16)(image)
    (red,) = [s for s in found['semantic'] if s.label == 1]
    np.testing.assert_array_equal(red.whole_mask(SIZE), image[..., 2] > 127)


def test_void_of_tiles_is_filled_by_the_whole_image():
    def predict(image):
        label = 2 if image.shape[0] < 40 else 255
        labels = torch.full((1, *image.shape[:2]), label)
        sample = BaseDataElement()
        sample.set_field(PixelData(sem_seg=labels), 'pred_sem_seg')
        return sample

    found = TiledPredictor(predict, 3, 48, 16)(painted([]))
    assert [s.label for s in found['semantic']] == [2]


def test_no_window_is_larger_than_a_tile():
    for size in ((400, 60), (333, 777), (1, 500)):
        image = painted([], size)
        _, finder = run(image, 'instances', 'panoptic', 'semantic')
        assert np.max(finder.shapes) == 48
        assert len(finder.shapes) > 10


@pytest.mark.parametrize('size', [(100, 130), (96, 64), (77, 300)])
def test_scores_are_looked_up_at_the_middle_of_each_pixel(size):
    """Of a plane every pixel has its own value; 0.4 pixels off shows."""
    small = (25, 26)
    rows, columns = torch.meshgrid(
        torch.arange(small[0]) + 0.5,
        torch.arange(small[1]) + 0.5,
        indexing='ij',
    )
    # In pixels of the large image.
    scores = torch.stack(
        [columns * size[1] / small[1], rows * size[0] / small[0]]
    )
    for tile in tiles_of(size, 48, 16):
        found = _looked_up(scores, tile, size)
        x1, y1, x2, y2 = tile.window
        # Beyond the outermost values the border is repeated.
        reach = size[1] / small[1] / 2, size[0] / small[0] / 2
        x = torch.arange(x1, x2) + 0.5
        y = torch.arange(y1, y2) + 0.5
        x = x.clamp(reach[0], size[1] - reach[0])
        y = y.clamp(reach[1], size[0] - reach[1])
        want = torch.stack(torch.meshgrid(x, y, indexing='xy'))
        torch.testing.assert_close(found, want, rtol=0, atol=1e-3)

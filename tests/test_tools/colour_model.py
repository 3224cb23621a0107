"""A model that finds coloured squares without training, and data for it."""

import json
import sys

import cv2
import mmcv
import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModel
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as mask_utils

CLASSES = ('red', 'green')
SIZE = (40, 60)
# (label, x, y, w, h) of the squares in each image.
SCENES = {
    'a.png': [(0, 5, 5, 10, 20), (1, 30, 10, 20, 20)],
    'sub/b.png': [(1, 2, 2, 8, 8), (1, 20, 2, 8, 8)],
    'empty.png': [],
}
CONFIG = """
default_scope = 'mmdet'
model = dict(type='mmdet.ColourModel', kinds={kinds!r})
load = dict(type='LoadImageFromFile')
# Cannot even be built without panopticapi.
annotations = dict(type='mmdet.LoadPanopticAnnotations')
pack = dict(
    type='mmdet.PackDetInputs',
    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdet.CocoDataset',
        data_root={root!r},
        ann_file={ann!r},
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('red', 'green')),
        test_mode=True,
        pipeline=[load, annotations, pack],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=test_dataloader['sampler'],
    dataset=dict(test_dataloader['dataset'], pipeline=[load, pack]),
)
val_cfg = dict()
val_evaluator = [
    dict(
        type='mmdet.CocoMetric',
        metric=['bbox', 'segm'],
        ann_file={root!r} + '/ann.json',
        proposal_nums=(1, 10, 300),
    )
]
"""


@MODELS.register_module()
class ColourModel(BaseModel):
    """Knows where squares are, with a weight that shifts their score."""

    def __init__(self, kinds=('instances',), rle=False):
        super().__init__({'type': 'mmdet.DetDataPreprocessor'})
        self.kinds = kinds
        self.rle = rle
        self.score = torch.nn.Parameter(torch.tensor(0.0))

    def forward(self, inputs, data_samples, mode='tensor'):
        for image, sample in zip(inputs, data_samples, strict=True):
            # OpenCV's order is blue, green, red.
            labels = torch.full(image.shape[1:], 2)
            labels[image[2] > 127] = 0
            labels[image[1] > 127] = 1
            self._add_results(sample, labels)
        return data_samples

    def _add_results(self, sample, labels):
        masks, names = [], []
        ids = labels.clone()
        for label in range(2):
            number, parts = cv2.connectedComponents(
                (labels == label).numpy().astype(np.uint8)
            )
            for i in range(1, number):
                masks.append(torch.from_numpy(parts == i))
                names.append(label)
                ids[masks[-1]] = label + 1000 * i
        if 'instances' in self.kinds:
            stacked = torch.stack(masks) if masks else labels.bool()[:0]
            sample.pred_instances = InstanceData(
                bboxes=torch.zeros(len(masks), 4),
                labels=torch.tensor(names, dtype=torch.long),
                masks=self._masks(stacked.reshape(-1, *labels.shape)),
                scores=self.score.detach().sigmoid().expand(len(masks)),
            )
        if 'panoptic' in self.kinds:
            sample.pred_panoptic_seg = PixelData(sem_seg=ids[None])
        if 'semantic' in self.kinds:
            sample.pred_sem_seg = PixelData(data=labels[None])

    def _masks(self, masks):
        """As ``test_cfg.rle`` has them, or as they are."""
        if not self.rle:
            return masks
        columns = [np.asfortranarray(mask, np.uint8) for mask in masks]
        return [mask_utils.encode(mask) for mask in columns]


def rle_of(square, size=SIZE):
    """Compressed RLE of x, y, w, h in an image."""
    x, y, w, h = square
    mask = np.zeros(size, np.uint8, order='F')
    mask[y : y + h, x : x + w] = 1
    rle = mask_utils.encode(mask)
    return {**rle, 'counts': rle['counts'].decode()}


def _annotation(number, image_id, square):
    label, x, y, w, h = square
    return {
        'id': number,
        'image_id': image_id,
        'category_id': 7 + label,
        'bbox': [x, y, w, h],
        'area': w * h,
        'iscrowd': 0,
        'segmentation': rle_of(square[1:]),
    }


def write_data(root):
    """Writes ``images/`` and ``ann.json``."""
    images, annotations = [], []
    for image_id, (name, squares) in enumerate(SCENES.items(), 100):
        image = np.zeros((*SIZE, 3), np.uint8)
        for square in squares:
            label, x, y, w, h = square
            image[y : y + h, x : x + w, 2 - label] = 255
            annotations.append(
                _annotation(len(annotations) + 1, image_id, square)
            )
        mmcv.imwrite(image, str(root / 'images' / name))
        images.append(
            {
                'id': image_id,
                'file_name': name,
                'height': SIZE[0],
                'width': SIZE[1],
            }
        )
    categories = [{'id': 7 + i, 'name': n} for i, n in enumerate(CLASSES)]
    (root / 'ann.json').write_text(
        json.dumps(
            {
                'images': images,
                'annotations': annotations,
                'categories': categories,
            }
        )
    )


def write_model(
    root, kinds=('instances',), ann='ann.json', score=2.0, rle=False
):
    """Writes ``config.py`` and ``model.pth``; returns their paths."""
    config = root / 'config.py'
    text = CONFIG.format(kinds=kinds, root=str(root), ann=ann)
    if rle:
        text = text.replace("ColourModel',", "ColourModel', rle=True,")
    config.write_text(text)
    checkpoint = root / 'model.pth'
    model = ColourModel()
    model.score.data.fill_(score)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, checkpoint)
    return config, checkpoint


def call(main, monkeypatch, *arguments):
    """Runs a tool's ``main`` in this process."""
    monkeypatch.setattr(sys, 'argv', ['tool', *map(str, arguments)])
    main()

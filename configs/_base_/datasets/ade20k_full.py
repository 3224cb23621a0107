"""ADE20K-full, 847 classes, in crops of 512; as published for MaskFormer.

The files are those of prepare_ade20k_full_sem_seg.py of MaskFormer and
Mask2Former. classes.txt beside them has one name a line, in the order of the
trainId of that script.
"""

_base_ = './ade20k.py'

data_root = '{{$ADE20K_FULL_ROOT:data/ade/ADE20K_2021_17_01/}}'
# Label of no class: maps of 16 bits.
void = 65535

load = dict(type='mmseg_plugin.LoadSemanticAnnotations', ignore_index=void)
train_pipeline = list(_base_.train_pipeline)
train_pipeline[1] = load
test_pipeline = list(_base_.test_pipeline)
test_pipeline[2] = load
dataset = dict(
    _delete_=True,
    type='mmseg_plugin.SemanticDataset',
    data_root=data_root,
    seg_map_suffix='.tif',
    metainfo=dict(classes=data_root + 'classes.txt'),
)
train_dataloader = dict(
    dataset=dict(
        dataset,
        data_prefix=dict(
            img_path='images_detectron2/training',
            seg_map_path='annotations_detectron2/training',
        ),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        dataset,
        data_prefix=dict(
            img_path='images_detectron2/validation',
            seg_map_path='annotations_detectron2/validation',
        ),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader

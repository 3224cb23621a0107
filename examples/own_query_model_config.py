_base_ = '../configs/mask2former/mask2former_tiny_demo_scenes-panoptic.py'
custom_imports = dict(imports=['own_query_model'])
head = _base_.model.panoptic_head
model = dict(
    panoptic_head=dict(
        _delete_=True,
        type='mmdet.PlainQueryHead',
        in_channels=[16, 32, 64, 128],
        num_queries=40,
        num_things_classes=head.num_things_classes,
        num_stuff_classes=head.num_stuff_classes,
        loss_cls=head.loss_cls,
        loss_mask=head.loss_mask,
    )
)

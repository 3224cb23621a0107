"""What a Swin-B or Swin-L backbone changes: no decay on its norms.

A value: `optim_wrapper = _base_.swin_optim_wrapper`.
"""

swin_norm = dict(lr_mult=0.1, decay_mult=0.0)
swin_depths = (2, 2, 18, 2)
swin_optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'backbone.patch_embed.norm': swin_norm,
            'backbone.norm': swin_norm,
            'relative_position_bias_table': swin_norm,
            **{
                f'backbone.stages.{stage}.blocks.{block}.norm': swin_norm
                for stage, depth in enumerate(swin_depths)
                for block in range(depth)
            },
            **{
                f'backbone.stages.{stage}.downsample.norm': swin_norm
                for stage in range(len(swin_depths) - 1)
            },
        }
    )
)

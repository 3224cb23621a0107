"""What a run takes from the plugin's engine, for configs of any base.

Values: `optim_wrapper = dict(constructor=_base_.merged_groups)`.
"""

merged_groups = 'mmseg_plugin.MergedOptimWrapperConstructor'
safe_checkpoint = dict(type='mmseg_plugin.SafeCheckpointHook')

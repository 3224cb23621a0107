"""mmcv's operators in plain PyTorch, where no compiled ones are.

:mod:`mmseg_plugin.ops.ext` is what ``import mmcv._ext`` gives there, and
:mod:`mmseg_plugin.ops.finder` makes Python find it. Nothing here imports
mmcv, which imports these modules while it is imported itself.

Every function has the signature of mmcv's compiled one, as its Python code
calls it: results are written to tensors that the caller made. Half-precision
inputs are computed in float32.
"""

"""Networks in float16, their results in float32."""

from typing import Any

from mmseg_plugin.exporting.quantizing import NETWORK


def to_half(proto: Any) -> Any:
    """Weights and network of an ``onnx.ModelProto`` in float16.

    Inputs, outputs and the results' nodes stay as they are.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    rest = [
        node.name
        for node in proto.graph.node
        if not any(part in node.name for part in NETWORK)
    ]
    model = OnnxModel(
        convert_float_to_float16(
            proto, keep_io_types=True, node_block_list=rest
        )
    )
    # Casts are appended, behind what reads them.
    model.topological_sort()
    return model.model

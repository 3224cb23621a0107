"""Weights in float16, half the file, computed with in float32."""

from typing import Any

import numpy as np

# Smaller ones are constants of the network, not worth it.
_LEAST = 64


def halve_weights(proto: Any) -> None:
    """Keeps the large float32 weights of an ``onnx.ModelProto`` as float16.

    They are cast back where the graph begins, which runtimes do once, when
    they load the file.

    Args:
        proto: changed in place.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = proto.graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        with np.errstate(over='ignore'):
            half = values.astype(np.float16)
        if values.size < _LEAST or not np.isfinite(half).all():
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f'{name}.half'))
        casts.append(
            helper.make_node(
                *('Cast', [f'{name}.half'], [name], f'{name}.cast'),
                to=TensorProto.FLOAT,
            )
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)

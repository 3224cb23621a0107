"""Exported files in eight-bit integers, by ONNX Runtime."""

import tempfile
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_plugin.exporting.session import KEY, OnnxModel, onnx_packages

# What modules of a network are named in a graph; the rest are its results.
NETWORK = (
    *('/backbone/', '/neck/', '/panoptic_head/', '/decode_head/'),
    *('/rpn_head/', '/bbox_head/', '/mask_head/'),
)
KINDS = ('dynamic', 'static')
_DYNAMIC = ('MatMul', 'Gemm')
_STATIC = ('Conv', *_DYNAMIC)


class _Feeds:
    """Inputs of images, one after the other, as calibration asks for."""

    def __init__(self, feeds: Iterator[dict[str, np.ndarray]]) -> None:
        self.feeds = feeds

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next inputs, None after the last."""
        return next(self.feeds, None)


def _put_in_order(graph: Any) -> None:
    """Nodes behind those whose outputs they use, inside of loops too.

    ONNX Runtime's tools look at a node's own inputs alone when they sort.
    """
    nodes = list(graph.node)
    makers = {name: i for i, node in enumerate(nodes) for name in node.output}
    needs = {
        i: {makers[name] for name in _used(node) if name in makers}
        for i, node in enumerate(nodes)
    }
    order = list(TopologicalSorter(needs).static_order())
    del graph.node[:]
    graph.node.extend(nodes[i] for i in order)


def _used(node: Any) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _used(inner)


def quantize(path: Path, kind: str, images: Sequence[np.ndarray]) -> None:
    """Changes the network of a file to int8; its results stay float32.

    Args:
        path: of the file, changed in place.
        kind: ``'dynamic'``: weights of linear layers, inputs as they come.
            ``'static'``: weights and inputs of convolutions and linear
            layers, for which ``images`` are looked at.
        images: BGR, uint8 (h, w, 3).
    """
    onnx, _ = onnx_packages()
    from onnxruntime import quantization

    proto = onnx.load(str(path))
    rest = [
        node.name
        for node in proto.graph.node
        if not any(part in node.name for part in NETWORK)
    ]
    kept = {item.key: item.value for item in proto.metadata_props}
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / 'int8.onnx'
        common: dict[str, Any] = {
            'nodes_to_exclude': rest,
            'weight_type': quantization.QuantType.QInt8,
            'per_channel': True,
            # Seven bits of weights: where a CPU has no VNNI, ONNX Runtime adds
            # two products in 16 bits, in which eight by eight overflow.
            'reduce_range': True,
        }
        if kind == 'dynamic':
            quantization.quantize_dynamic(
                str(path),
                str(small),
                op_types_to_quantize=list(_DYNAMIC),
                **common,
            )
        else:
            model = OnnxModel(path)
            quantization.quantize_static(
                str(path),
                str(small),
                _Feeds(model.feed(image)[0] for image in images),
                op_types_to_quantize=list(_STATIC),
                quant_format=quantization.QuantFormat.QDQ,
                extra_options={'MatMulConstBOnly': True},
                **common,
            )
        proto = onnx.load(str(small))
    _put_in_order(proto.graph)
    description = kept[KEY].replace('"float32"', f'"int8 {kind}"')
    onnx.helper.set_model_props(proto, {**kept, KEY: description})
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))

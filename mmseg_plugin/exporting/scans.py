"""Maps at the size of the results, one after the other inside a graph.

All of them at once would be the largest tensors of a file many times over.
torch's exporter has no form for ONNX's ``Scan``: it writes a node of a domain
of our own, which :func:`write_scans` replaces.
"""

from typing import Any

import torch
from torch import Tensor

from mmseg_plugin.exporting.frames import Frame

_DOMAIN = 'mmseg_plugin'
# Nothing scores less, queries that are left out not either.
_WORST = -2.0


class _Masks(torch.autograd.Function):
    """Masks uint8 (n, B, H, W), their areas and sums of probabilities."""

    @staticmethod
    def forward(
        ctx: Any, low: Tensor, rows: Tensor, columns: Tensor, threshold: float
    ) -> tuple[Tensor, ...]:
        maps = rows @ low @ columns
        inside = maps > threshold
        area = inside.float().sum((2, 3))
        total = (maps.sigmoid() * inside).sum((2, 3))
        masks = inside.to(torch.uint8)
        return tuple(part.transpose(0, 1) for part in (masks, area, total))

    @staticmethod
    def symbolic(
        g: Any, low: Any, rows: Any, columns: Any, threshold: float
    ) -> Any:
        masks, *sums = g.op(
            f'{_DOMAIN}::Masks',
            *(low, rows, columns),
            threshold_f=threshold,
            outputs=3,
        )
        _set_type(masks, low, 4, torch.uint8)
        for value in sums:
            _set_type(value, low, 2)
        return masks, *sums


class _Contest(torch.autograd.Function):
    """Which query holds each pixel; twice its number, plus one inside it."""

    @staticmethod
    def forward(
        ctx: Any,
        low: Tensor,
        rows: Tensor,
        columns: Tensor,
        scores: Tensor,
        threshold: float,
    ) -> tuple[Tensor, Tensor]:
        probs = (rows @ low @ columns).sigmoid()
        winner = (probs * scores[..., None, None]).argmax(1, keepdim=True)
        own = probs >= threshold
        code = winner * 2 + own.gather(1, winner)
        return code[:, 0].float(), own.float().sum((2, 3)).transpose(0, 1)

    @staticmethod
    def symbolic(
        g: Any,
        low: Any,
        rows: Any,
        columns: Any,
        scores: Any,
        threshold: float,
    ) -> Any:
        code, areas = g.op(
            f'{_DOMAIN}::Contest',
            *(low, rows, columns, scores),
            threshold_f=threshold,
            outputs=2,
        )
        _set_type(code, low, 3)
        _set_type(areas, low, 2)
        return code, areas


class _Pasted(torch.autograd.Function):
    """Masks uint8 (n, H, W) of maps (n, s, s), each with its own matrices."""

    @staticmethod
    def forward(
        ctx: Any, low: Tensor, rows: Tensor, columns: Tensor, threshold: float
    ) -> Tensor:
        return (rows @ low @ columns >= threshold).to(torch.uint8)

    @staticmethod
    def symbolic(
        g: Any, low: Any, rows: Any, columns: Any, threshold: float
    ) -> Any:
        masks = g.op(
            f'{_DOMAIN}::Pasted', low, rows, columns, threshold_f=threshold
        )
        _set_type(masks, low, 3, torch.uint8)
        return masks


def _set_type(
    value: Any, like: Any, rank: int, dtype: torch.dtype = torch.float32
) -> None:
    """Says what an exporter cannot know of a node of our own."""
    kind = like.type().with_dtype(dtype)
    value.setType(kind.with_sizes([None] * rank))


def masks_of(
    low: Tensor, frame: Frame, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks at the size of the results.

    Args:
        low: logits (B, n, h, w).
        frame: sizes of the results.
        threshold: logit above which a pixel is inside.

    Returns:
        Masks uint8 (B, n, *out), their areas and the sums of the
        probabilities inside them, float32 (B, n).
    """
    masks, area, total = _Masks.apply(low, *frame.factors(low), threshold)
    # A reshape copies nothing.
    one = low.shape[0] == 1
    masks = masks.flatten(0, 1)[None] if one else masks.transpose(0, 1)
    return masks, area.transpose(0, 1), total.transpose(0, 1)


def contest_of(
    low: Tensor, scores: Tensor, frame: Frame, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gives every pixel to the query with the highest score there.

    Args:
        low: logits (B, n, h, w).
        scores: (B, n), factors of the probabilities, above -2.
        frame: sizes of the results.
        threshold: probability from which a pixel is in a query's own mask.

    Returns:
        Numbers of the queries int64 (B, *out), whether the pixel is in the
        mask of its query, bool, and areas of the queries' masks (B, n).
    """
    code, own = _Contest.apply(low, *frame.factors(low), scores, threshold)
    winner = (code / 2).floor()
    return winner.long(), code > 2 * winner, own.transpose(0, 1)


def pasted(
    low: Tensor, rows: Tensor, columns: Tensor, threshold: float
) -> Tensor:
    """Masks of boxes in a whole image.

    Args:
        low: probabilities inside each box (n, s, s).
        rows: what each row of the image takes of those of a box, (n, H, s).
        columns: the same of columns, (n, s, W).
        threshold: probability from which a pixel is inside.

    Returns:
        uint8 (n, H, W).
    """
    return _Pasted.apply(low, rows, columns, threshold)


def write_scans(proto: Any) -> None:
    """Replaces the nodes of this module by those of ONNX.

    Args:
        proto: an ``onnx.ModelProto``, changed in place.
    """
    kinds = {
        'Masks': _masks_scan,
        'Contest': _contest_scan,
        'Pasted': _pasted_scan,
    }
    nodes = []
    for node in proto.graph.node:
        ours = node.domain == _DOMAIN
        nodes += kinds[node.op_type](node) if ours else [node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    opsets = [o for o in proto.opset_import if o.domain != _DOMAIN]
    del proto.opset_import[:]
    proto.opset_import.extend(opsets)


# From `low` (B, h, w) to `maps` (B, H, W) and probabilities. Matrices go from
# turn to turn: OpenVINO counts what a body takes from outside as an input.
_ENLARGE = """
    same_rows = Identity(rows)
    same_columns = Identity(columns)
    wide = MatMul(low, columns)
    maps = MatMul(rows, wide)
    probs = Sigmoid(maps)
    pixels = Constant<value_ints=[1, 2]>()
    least = Constant<value_float=0.5>()
"""
_MASKS = f"""masks (float[y, h] rows, float[w, x] columns, float[b, h, w] low)
    => (float[y, h] same_rows, float[w, x] same_columns,
        uint8[b, y, x] mask, float[b] area, float[b] total) {{
    {_ENLARGE}
    inside = Greater(maps, least)
    mask = Cast<to=2>(inside)
    hit = Cast<to=1>(inside)
    area = ReduceSum<keepdims=0>(hit, pixels)
    held = Mul(probs, hit)
    total = ReduceSum<keepdims=0>(held, pixels)
}}"""
# Numbers rise: the last that was better is the largest.
_CONTEST = f"""contest (float[y, h] rows, float[w, x] columns,
        float[b, y, x] best, float[b, y, x] code, float n,
        float[b, h, w] low, float[b] score)
    => (float[y, h] same_rows, float[w, x] same_columns,
        float[b, y, x] most, float[b, y, x] codes, float m, float[b] area) {{
    {_ENLARGE}
    inside = GreaterOrEqual(probs, least)
    hit = Cast<to=1>(inside)
    area = ReduceSum<keepdims=0>(hit, pixels)
    factor = Unsqueeze(score, pixels)
    rank = Mul(probs, factor)
    better = Greater(rank, best)
    won = Cast<to=1>(better)
    most = Max(rank, best)
    both = Add(hit, n)
    mine = Mul(won, both)
    codes = Max(code, mine)
    two = Constant<value_float=2.0>()
    m = Add(n, two)
}}"""
# Nothing goes from turn to turn.
_PASTED = """pasted (float[s, s] low, float[y, s] rows, float[s, x] columns)
    => (uint8[y, x] mask) {
    wide = MatMul(low, columns)
    maps = MatMul(rows, wide)
    least = Constant<value_float=0.5>()
    inside = GreaterOrEqual(maps, least)
    mask = Cast<to=2>(inside)
}"""
# What a contest begins with.
_FIRST = f"""first (float low, float rows, float columns) => (float n) {{
    batch = Shape<start=0, end=1>(low)
    height = Shape<start=0, end=1>(rows)
    width = Shape<start=1, end=2>(columns)
    shape = Concat<axis=0>(batch, height, width)
    best = ConstantOfShape<value=float[1] {{{_WORST}}}>(shape)
    code = ConstantOfShape<value=float[1] {{0.0}}>(shape)
    n = Constant<value_float=0.0>()
}}"""


def _masks_scan(node: Any) -> list[Any]:
    low, *states = node.input
    return [_scan(node, _MASKS, states, [low], list(node.output))]


def _pasted_scan(node: Any) -> list[Any]:
    inputs, outputs = list(node.input), list(node.output)
    return [_scan(node, _PASTED, [], inputs, outputs, axis=0)]


def _contest_scan(node: Any) -> list[Any]:
    from onnx import parser

    low, rows, columns, scores = node.input
    known = {'rows': rows, 'columns': columns, 'low': low}
    first = parser.parse_graph(_FIRST)
    for made in first.node:
        for names in (made.input, made.output):
            new = [known.get(n, f'{node.name}/{n}') for n in names]
            del names[:]
            names.extend(new)
        made.name = made.output[0]
    states = [f'{node.name}/{part}' for part in ('best', 'code', 'n')]
    best, number = (f'{states[i]}_last' for i in (0, 2))
    code, areas = node.output
    scan = _scan(
        *(node, _CONTEST, [rows, columns, *states], [low, scores]),
        [best, code, number, areas],
    )
    return [*first.node, scan]


def _scan(
    node: Any,
    text: str,
    states: list[str],
    inputs: list[str],
    outputs: list[str],
    axis: int = 1,
) -> Any:
    """A node ``Scan`` over one dimension of inputs.

    Args:
        node: what it stands for.
        text: of its body.
        states: names of the matrices, and what else goes from turn to turn.
        inputs: what is gone through.
        outputs: those behind the matrices.
        axis: the dimension.
    """
    from onnx import helper, parser

    body = parser.parse_graph(text)
    for inner in body.node:
        if inner.output[0] == 'least':
            threshold = helper.get_node_attr_value(node, 'threshold')
            inner.attribute[0].f = threshold
        inner.name = f'{node.name}/{inner.output[0]}'
    # Those of the matrices, if they are states.
    same = [f'{node.name}/{part}' for part in ('rows', 'columns') if states]
    return helper.make_node(
        'Scan',
        [*states, *inputs],
        [*same, *outputs],
        node.name,
        body=body,
        num_scan_inputs=len(inputs),
        scan_input_axes=[axis] * len(inputs),
    )

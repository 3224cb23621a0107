"""What one query of a query model does, layer by layer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmseg_plugin.models.layers import DeformableAttention
from mmseg_plugin.structures import MaskLogits
from mmseg_plugin.visualization.fonts import set_line


class LayerView(NamedTuple):
    """One prediction of the query, in units of the padded image.

    Attributes:
        name: of the layer.
        label: class with the highest score.
        score: of that class.
        mask: probabilities (h, w).
        box: (cx, cy, w, h) in [0, 1]; None for a model without boxes.
        points: where the layer's attention looked, (N, 2) as (x, y) in
            [0, 1], and its weights (N,); None without such attention.
    """

    name: str
    label: int
    score: float
    mask: np.ndarray
    box: np.ndarray | None
    points: tuple[np.ndarray, np.ndarray] | None


class ModelViews(NamedTuple):
    """A row of the picture.

    Attributes:
        title: of the model.
        views: of its layers.
        image: RGB (h, w, 3), as its network sees it, without padding.
        size: height and width with padding.
        classes: names of its labels.
    """

    title: str
    views: list[LayerView]
    image: np.ndarray
    size: tuple[int, int]
    classes: Sequence[str]


@contextmanager
def _sampled(layers: nn.ModuleList) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Collects points (B, Q, N, 2) and weights (B, Q, N) of each layer."""
    found: list[tuple[Tensor, Tensor]] = []

    def record(attention: DeformableAttention, _: tuple, given: dict) -> None:
        query = given['query'] + given['query_pos']
        points = attention._locations(
            query, given['reference_points'], given['spatial_shapes']
        )
        weights = attention._weights(query)
        found.append((points.flatten(2, 4), weights.flatten(2)))

    handles = [
        layer.cross_attn.register_forward_pre_hook(record, with_kwargs=True)
        for layer in layers
        if isinstance(layer.cross_attn, DeformableAttention)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def query_views(
    model: Any,
    image: Tensor,
    sample: BaseDataElement,
    query: int | None = None,
    at: tuple[float, float] | None = None,
) -> tuple[int, list[LayerView]]:
    """Follows one query of one image through a detector.

    Args:
        model: detector whose ``panoptic_head`` is a :class:`MaskQueryHead`.
        image: (1, 3, H, W), padded.
        sample: of the image.
        query: which one; None takes the one with the best class score.
        at: (x, y) in [0, 1]; the best among the queries whose last mask
            covers this point.

    Returns:
        The number of the query and what it predicts, first layer first.

    Raises:
        ValueError: there is no such query.
    """
    head = model.panoptic_head
    layers = head.transformer_decoder.layers
    with _sampled(layers) as sampled:
        output = head(model.extract_feat(image), [sample])
    logits, masks, boxes = getattr(output, 'matching', output)
    if logits.shape[-1] == head.num_classes:
        scores = logits.sigmoid()[:, 0]
    else:
        scores = logits.softmax(-1)[:, 0, :, :-1]
    if query is None:
        query = _best_query(scores[-1].amax(-1), masks, at)
    if not 0 <= query < scores.shape[1]:
        raise ValueError(
            f'query {query} is not one of the {scores.shape[1]} of the model'
        )
    embed = masks.embed[:, :, query : query + 1]
    probs = MaskLogits(embed, masks.features).dense().sigmoid()[:, 0, 0]
    first = len(scores) - len(layers)
    views = []
    for i, layer in enumerate(scores[:, query]):
        score, label = layer.max(0)
        points = None
        if sampled and i >= first:
            where, weights = (part[0, query] for part in sampled[i - first])
            points = where.cpu().numpy(), weights.cpu().numpy()
        views.append(
            LayerView(
                _layer_name(i - first, head),
                int(label),
                float(score),
                probs[i].cpu().numpy(),
                None if boxes is None else boxes[i, 0, query].cpu().numpy(),
                points,
            )
        )
    return query, views


def _best_query(
    scores: Tensor, masks: MaskLogits, at: tuple[float, float] | None
) -> int:
    if at is None:
        return int(scores.argmax())
    last = MaskLogits(masks.embed[-1:], masks.features).dense()[0, 0]
    height, width = last.shape[-2:]
    row = min(int(at[1] * height), height - 1)
    column = min(int(at[0] * width), width - 1)
    covers = last[:, row, column] > 0
    if not covers.any():
        raise ValueError(f'no mask covers the point {at[0]:.2f}, {at[1]:.2f}')
    return int(scores.where(covers, -1).argmax())


def _layer_name(number: int, head: nn.Module) -> str:
    """Of a prediction; negative numbers precede the first layer."""
    if number >= 0:
        return f'layer {number + 1}'
    if number == -2 or (
        getattr(head, 'two_stage', False)
        and not getattr(head, 'initial_pred', True)
    ):
        return 'encoder'
    return 'start'


def draw_views(rows: Sequence[ModelViews]) -> Figure:
    """One row of pictures for each model, one picture for each layer.

    Args:
        rows: models may see the image at different sizes, and have other
            classes, or the same in another order.
    """
    columns = max(len(row.views) for row in rows)
    figure = Figure(figsize=(1.9 * columns, 2.1 * len(rows)))
    for i, row in enumerate(rows):
        # The last layers of all models stand below each other.
        for j, view in enumerate(row.views, columns - len(row.views)):
            axes = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            _draw_view(axes, row, view)
            if view is row.views[0]:
                set_line(axes.set_ylabel(''), row.title, 8)
    figure.tight_layout()
    return figure


def _draw_view(axes: Axes, row: ModelViews, view: LayerView) -> None:
    image, (height, width) = row.image, row.size
    axes.imshow(image)
    axes.imshow(
        np.ma.masked_less(view.mask, 0.5),
        extent=(0, width, height, 0),
        cmap='autumn',
        alpha=0.5,
        vmin=0,
        vmax=1,
    )
    if view.box is not None:
        cx, cy, w, h = view.box * [width, height, width, height]
        corner = (cx - w / 2, cy - h / 2)
        axes.add_patch(Rectangle(corner, w, h, fill=False, color='cyan'))
    if view.points is not None:
        points, weights = view.points
        x, y = (points * [width, height]).T
        axes.scatter(
            x,
            y,
            s=40 * weights / weights.max(),
            color='white',
            edgecolors='black',
            linewidths=0.4,
        )
    axes.set_xlim(0, image.shape[1])
    axes.set_ylim(image.shape[0], 0)
    axes.set_xticks([])
    axes.set_yticks([])
    name = f'{row.classes[view.label]} {view.score:.2f}'
    set_line(axes.set_title(''), f'{view.name}: {name}', 7)

"""What the queries of a query model do: which match, and how steadily."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.registry import DATASETS, MODELS, init_default_scope

from mmseg_plugin.apis.predictor import load_weights
from mmseg_plugin.reporting.run_files import RunFiles


class ImageMatches(NamedTuple):
    """Matching of one batch.

    Attributes:
        layer: of each pair, (M,).
        image: of each pair, (M,), numbered over all batches.
        query: of each pair, (M,).
        target: of each pair, (M,).
        no_object: share of queries whose best class is none, (L,).
    """

    layer: np.ndarray
    image: np.ndarray
    query: np.ndarray
    target: np.ndarray
    no_object: np.ndarray


@dataclass
class QueryFacts:
    """Over some training samples; layers are predictions, the first first.

    Attributes:
        samples: number of images.
        targets: number of their objects.
        queries: Q.
        matched: queries that matched at least once, by layer.
        stable: share of the targets of which the next layer takes the same
            query, by layer but the last.
        no_object: share of queries whose best class is none, by layer.
    """

    samples: int
    targets: int
    queries: int
    matched: list[int]
    stable: list[float]
    no_object: list[float]

    def to_json(self) -> dict:
        """As a report keeps it."""
        return asdict(self)


def query_facts(
    batches: Sequence[ImageMatches], queries: int, samples: int
) -> QueryFacts:
    """Sums batches up.

    Args:
        batches: of the same model.
        queries: Q.
        samples: number of images.
    """
    layer, image, query, target = (
        np.concatenate([getattr(b, name) for b in batches])
        for name in ('layer', 'image', 'query', 'target')
    )
    layers = len(batches[0].no_object)
    matched = [len(np.unique(query[layer == i])) for i in range(layers)]
    pairs = zip(layer, image, target, strict=True)
    table = dict(zip(pairs, query, strict=True))
    stable = []
    for i in range(layers - 1):
        same = [
            table.get((i + 1, *key[1:])) == q
            for key, q in table.items()
            if key[0] == i
        ]
        stable.append(float(np.mean(same)) if same else float('nan'))
    last = layer == layers - 1
    return QueryFacts(
        samples,
        int(last.sum()),
        queries,
        matched,
        stable,
        np.mean([b.no_object for b in batches], 0).tolist(),
    )


def criterion_of(model: Any) -> Any:
    """The criterion of a query model; None of any other."""
    for name in ('panoptic_head', 'decode_head'):
        found = getattr(getattr(model, name, None), 'criterion', None)
        if found is not None:
            return found
    return None


@contextmanager
def _recorded(criterion: Any) -> Iterator[list[tuple]]:
    """Predictions and matches of every call of the assigner."""
    found: list[tuple] = []
    assign = criterion.assigner.assign

    def record(predictions: Any, *args: Any, **kwargs: Any) -> Any:
        matches = assign(predictions, *args, **kwargs)
        found.append((predictions, matches))
        return matches

    criterion.assigner.assign = record
    try:
        yield found
    finally:
        del criterion.assigner.assign


def measure_queries(
    run: RunFiles, samples: int, device: str
) -> QueryFacts | None:
    """Matches training samples by the run's checkpoint.

    Args:
        run: with a checkpoint.
        samples: number of training images, augmented.
        device: for instance ``'cpu'``.

    Returns:
        None if the model has no queries.
    """
    init_default_scope(run.config.get('default_scope', 'mmdet'))
    model = MODELS.build(run.config.model)
    criterion = criterion_of(model)
    if criterion is None or run.checkpoint is None:
        return None
    load_weights(model, str(run.checkpoint))
    model.to(device).eval()
    data = DATASETS.build(run.config.train_dataloader.dataset)
    count = min(samples, len(data))
    batches = []
    with torch.no_grad(), _recorded(criterion) as found:
        for i in range(count):
            sample = data[i]
            batch = model.data_preprocessor(
                {
                    'inputs': [sample['inputs']],
                    'data_samples': [sample['data_samples']],
                },
                True,
            )
            model(**batch, mode='loss')
            predictions, matches = found[-1]
            batches.append(
                _batch(predictions, matches, i, criterion.num_classes)
            )
            found.clear()
    return query_facts(batches, criterion.num_queries, count)


def _batch(
    predictions: Any, matches: Any, number: int, num_classes: int
) -> ImageMatches:
    logits = predictions.cls_logits
    # Either a last column of no object, or a sigmoid for each class.
    if logits.shape[-1] > num_classes:
        none = logits.argmax(-1) == num_classes
    else:
        none = logits.amax(-1) < 0
    share = none.float().flatten(1).mean(1)
    layer, image, query, target = (
        getattr(matches, name).cpu().numpy()
        for name in ('layer', 'image', 'query', 'target')
    )
    return ImageMatches(
        layer, image + number, query, target, share.cpu().numpy()
    )

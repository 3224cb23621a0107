"""Chooses model, batch, epochs and learning rate for a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config, read_config
from mmseg_plugin.weights.table import Weights

from .data_facts import DataFacts
from .new_bases import SMALL, choose_base, fitting_model, fitting_size
from .new_pipelines import Scale, choose_scale

if TYPE_CHECKING:
    from mmengine.config import Config

PUBLISHED_BATCH = 16
# Iterations where nothing else is said, on images of USUAL_OBJECTS objects.
SMALL_ITERATIONS = 800
LARGE_ITERATIONS = 5000
USUAL_OBJECTS = 8
# As often COCO's images are seen in the shortest published recipes.
LARGE_EPOCHS = 12
MOST_EPOCHS = 300


@dataclass(frozen=True)
class Wishes:
    """What the user says; None: it is chosen.

    Attributes:
        model: one of ``MODELS``.
        size: one of ``SIZES``.
        epochs: times that each image is seen.
        batch: images a step.
        weights: file with weights of the backbone.
        start: published weights of a whole model, to start from.
    """

    model: str | None = None
    size: str | None = None
    epochs: int | None = None
    batch: int | None = None
    weights: str | None = None
    start: Weights | None = None


@dataclass
class Choice:
    """A config in the making.

    Attributes:
        base: name of the shipped config.
        size: one of ``SIZES``.
        batch: images a step.
        epochs: times that each image is seen.
        lr: peak learning rate.
        config: the shipped config.
        scale: of the images; None: the recipe's own.
        weights: file with weights of the backbone; None: the recipe's own.
        validations: about as many in the run.
        load_from: checkpoint to start from.
        why: what was chosen, in sentences.
    """

    base: str
    size: str
    batch: int
    epochs: int
    lr: float
    config: Config
    scale: Scale | None
    weights: str | None = None
    validations: int = 10
    load_from: str | None = None
    why: list[str] = field(default_factory=list)


def choose(facts: DataFacts, wishes: Wishes) -> Choice:
    """Chooses what the user does not say.

    Args:
        facts: of the data.
        wishes: of the user.

    Raises:
        UserError: there is no such model for this task.
    """
    size, base, why = _base(facts, wishes)
    config = read_config(find_config(base))
    batch = max(1, min(wishes.batch or usual_batch(size), facts.images))
    epochs = wishes.epochs or usual_epochs(facts, size, batch)
    made = Choice(
        base,
        size,
        batch,
        epochs,
        learning_rate(config, size, batch),
        config,
        choose_scale(facts, size),
        wishes.weights,
    )
    made.why += [
        *why,
        f'learning rate {made.lr:.2g}: that of {base}, scaled to the batch',
    ]
    if made.scale:
        made.why.append(made.scale.sentence())
    return made


def _base(facts: DataFacts, wishes: Wishes) -> tuple[str, str, list[str]]:
    """Size, shipped config, and why these."""
    if wishes.start:
        return _base_of_weights(facts, wishes.start)
    model, why = wishes.model or '', []
    if not model:
        model, reason = fitting_model(facts.kind)
        why = [f'model {model}: {reason}']
    weights = bool(wishes.weights)
    size, base = choose_base(facts.kind, model, wishes.size, weights)
    if wishes.size is None:
        why.append(f'size {size}: {fitting_size(weights)[1]}')
    return size, base, why


def _base_of_weights(
    facts: DataFacts, start: Weights
) -> tuple[str, str, list[str]]:
    if start.task != facts.kind:
        raise UserError(
            f'{start.name} is for {start.task} data, {facts.root} is '
            f'{facts.kind}; fitting ones: mmseg-plugin weights list '
            f'{facts.kind}'
        )
    # Swin-S and Swin-B are trained as these are.
    size = 'swin-l' if '_swin-l' in start.config else 'r50'
    return size, start.config, [f'model {start.config}: that of {start.name}']


def interval(made: Choice) -> int:
    """Epochs between two validations."""
    return max(1, made.epochs // made.validations)


def tests(made: Choice) -> int:
    """How often the run is validated."""
    return math.ceil(made.epochs / interval(made))


def usual_batch(size: str) -> int:
    return 4 if size in SMALL else 2


def steps_an_epoch(facts: DataFacts, batch: int) -> int:
    return math.ceil(facts.images / batch)


def usual_epochs(facts: DataFacts, size: str, batch: int) -> int:
    """Epochs by the numbers of images and objects.

    Images with many objects teach more a step, so that fewer steps do.
    """
    total = float(SMALL_ITERATIONS if size in SMALL else LARGE_ITERATIONS)
    if facts.kind == 'instances':
        share = USUAL_OBJECTS * facts.images / facts.objects
        total *= min(1.5, max(0.5, share**0.5))
    steps = steps_an_epoch(facts, batch)
    least = 3 if size in SMALL else LARGE_EPOCHS
    return min(MOST_EPOCHS, max(least, round(total / steps)))


def learning_rate(config: Config, size: str, batch: int) -> float:
    """The recipe's learning rate, in proportion to the batch."""
    base_batch = PUBLISHED_BATCH
    if size in SMALL:
        base_batch = config.train_dataloader.batch_size
    return config.optim_wrapper.optimizer.lr * batch / base_batch

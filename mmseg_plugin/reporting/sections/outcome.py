"""What was trained on what, and what came of it."""

from datetime import timedelta

from mmseg_plugin.reporting.html import facts, number, paragraph
from mmseg_plugin.reporting.measures import objects_by_class
from mmseg_plugin.reporting.view import KIND_WORDS, RunView


def outcome(run: RunView) -> str:
    """The main measures, the model, the data and what is missing."""
    parts = [
        f'<div class="outcome">{facts(headline(run))}</div>'
        if headline(run)
        else paragraph('No result: nothing was predicted.', 'note')
    ]
    parts += [paragraph(note, 'note') for note in run.notes]
    parts.append(facts(setting(run)))
    return ''.join(parts)


def headline(run: RunView) -> list[tuple[str, str]]:
    """Each kind's main measure, in percent."""
    found = []
    for kind in run.kinds:
        done = kind.measured
        word = f'{done.name} of {KIND_WORDS[kind.judged.kind]}'
        if counted := kind.judged.limit():
            word += f', {counted}'
        found.append((word, f'{number(100 * done.total, 1)} %'))
    if not found and run.files.val:
        last = run.files.val[-1]
        found = [
            (name.rpartition('/')[2], number(float(value)))
            for name, value in last.items()
            if name.endswith(('segm_mAP', 'segm_max_dets', 'PQ', 'mIoU'))
        ]
    return found


def setting(run: RunView) -> list[tuple[str, str | int | float | None]]:
    """Names and numbers of model, data and training."""
    config = run.files.config
    model = config.get('model') or {}
    backbone = str((model.get('backbone') or {}).get('type', 'none'))
    pairs: list[tuple[str, str | int | float | None]] = [
        ('model', str(model.get('type', '?')).rpartition('.')[2]),
        ('backbone', _backbone(backbone, model)),
        ('training data', _data(config.get('train_dataloader') or {})),
        ('validation data', _data(config.get('val_dataloader') or {})),
    ]
    if run.main is not None:
        judged = run.main.judged
        count = len(judged.classes)
        objects = objects_by_class(judged.images, count)[:, 0].sum()
        pairs += [
            ('validation images', len(judged.images)),
            ('objects in them', int(objects)),
            ('classes', count),
        ]
    if run.files.train:
        last = run.files.train[-1]
        seconds = _duration(run.files.train)
        pairs += [
            ('iterations', last['step']),
            ('images an iteration', config.train_dataloader.batch_size),
            ('training time', str(timedelta(seconds=int(seconds)))),
        ]
    if run.files.checkpoint is not None:
        pairs.append(('checkpoint', run.files.checkpoint.name))
    return pairs


def _backbone(name: str, model: dict) -> str:
    depth = (model.get('backbone') or {}).get('depth')
    name = name.rpartition('.')[2]
    return f'{name} {depth}' if depth else name


def _data(loader: dict) -> str:
    data = loader.get('dataset') or {}
    while inner := data.get('dataset') or data.get('datasets'):
        data = inner[0] if isinstance(inner, list) else inner
    root, file = data.get('data_root') or '', data.get('ann_file') or ''
    return f'{root}{file}' or '?'


def _duration(lines: list[dict]) -> float:
    """Seconds, from the mean time of an iteration between two lines."""
    total, before = 0.0, 0
    for line in lines:
        total += line.get('time', 0.0) * (line['step'] - before)
        before = line['step']
    return total

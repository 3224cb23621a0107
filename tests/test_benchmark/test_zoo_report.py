from mmseg_plugin.benchmark.report import markdown, published_text

JOB = {
    'model': 'm',
    'images': ['a', 'b'],
    'size': [32, 64],
    'batch': 2,
    'rounds': 3,
    'device': 'cpu',
}
FACTS = {
    'results': [
        {'task': 't', 'dataset': 'COCO', 'metrics': {'box AP': 38.2}},
    ],
    'memory_gb': 4.4,
    'inference': [{'value': 62.11, 'hardware': 'V100'}],
    'weights': None,
}
FULL = {
    'job': JOB,
    'threads': 1,
    'params': 1_234_567,
    'macs': 2.5e9,
    'forward_s': 0.05,
    'predict_s': 0.1,
    'step_s': 1.5,
    'inference_mb': 100.4,
    'training_mb': 200.6,
    'metrics': {'coco/bbox_mAP': 0.1, 'coco/bbox_mAP_s': 0.2, 'coco/x': 'y'},
    'published': FACTS,
    'failed': {},
}


def test_row_of_a_model():
    row = markdown([FULL]).splitlines()[2]
    assert row == (
        '| `m` | 1.23 | 2.50 | 50.0 | 20.00 | 100.0 | 10.00 | 1500.0 | 100 '
        '| 201 | bbox_mAP 0.1 | box AP 38.2 (COCO); 62.11 ms on V100; '
        'training 4.4 GB |'
    )


def test_failures_are_listed_below():
    broken = {'job': {**JOB, 'model': 'n'}, 'failed': {'model': 'No: why'}}
    text = markdown([FULL, broken])
    table = [line for line in text.splitlines() if line.startswith('|')]
    assert table[3] == '| `n` |' + ' – |' * 11
    assert {line.count('|') for line in table} == {13}
    assert text.endswith('Not measured:\n\n- `n`, model: No: why\n')
    assert '2 images, size 32x64; device cpu, 1 threads' in text


def test_published_text_of_nothing():
    assert published_text(None) == ''
    bare = {**FACTS, 'inference': [], 'memory_gb': None}
    assert published_text(bare) == 'box AP 38.2 (COCO)'

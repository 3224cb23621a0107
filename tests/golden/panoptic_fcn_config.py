"""Official config keys of Panoptic FCN, with their defaults, as our options.

Cases list only the keys that differ from the official defaults.
"""

from mmseg_plugin.models.task_modules.region_classes import RegionClasses
from tests.golden import Case

DEFAULTS = {
    'IGNORE_VALUE': 255,
    'FPN.OUT_CHANNELS': 256,
    'SEMANTIC_FPN.CONVS_DIM': 256,
    'SEMANTIC_FPN.NORM': 'GN',
    'POSITION_HEAD.NUM_CONVS': 3,
    'POSITION_HEAD.COORD': False,
    'POSITION_HEAD.DEFORM': True,
    'POSITION_HEAD.CONVS_DIM': 256,
    'POSITION_HEAD.NORM': 'GN',
    'POSITION_HEAD.THING.CENTER_TYPE': 'mass',
    'POSITION_HEAD.THING.POS_NUM': 7,
    'POSITION_HEAD.THING.NUM_CLASSES': 80,
    'POSITION_HEAD.THING.MIN_OVERLAP': 0.7,
    'POSITION_HEAD.THING.GAUSSIAN_SIGMA': 3,
    'POSITION_HEAD.THING.THRES': 0.05,
    'POSITION_HEAD.THING.TOP_NUM': 100,
    'POSITION_HEAD.STUFF.ALL_CLASSES': False,
    'POSITION_HEAD.STUFF.WITH_THING': True,
    'POSITION_HEAD.STUFF.NUM_CLASSES': 54,
    'POSITION_HEAD.STUFF.THRES': 0.05,
    'KERNEL_HEAD.INSTANCE_SCALES': (
        (1, 64),
        (32, 128),
        (64, 256),
        (128, 512),
        (256, 2048),
    ),
    'KERNEL_HEAD.NUM_CONVS': 3,
    'KERNEL_HEAD.DEFORM': False,
    'KERNEL_HEAD.COORD': True,
    'KERNEL_HEAD.CONVS_DIM': 256,
    'KERNEL_HEAD.NORM': 'GN',
    'FEATURE_ENCODER.NUM_CONVS': 3,
    'FEATURE_ENCODER.CONVS_DIM': 64,
    'FEATURE_ENCODER.DEFORM': False,
    'FEATURE_ENCODER.COORD': True,
    'FEATURE_ENCODER.NORM': '',
    'LOSS_WEIGHT.POSITION': 1.0,
    'LOSS_WEIGHT.SEGMENT': 3.0,
    'LOSS_WEIGHT.FOCAL_LOSS_ALPHA': 0.25,
    'LOSS_WEIGHT.FOCAL_LOSS_GAMMA': 2.0,
    'INFERENCE.INST_THRES': 0.4,
    'INFERENCE.SIMILAR_THRES': 0.9,
    'INFERENCE.CLASS_SPECIFIC': True,
    'INFERENCE.COMBINE.OVERLAP_THRESH': 0.5,
    'INFERENCE.COMBINE.STUFF_AREA_LIMIT': 4096,
    'INFERENCE.COMBINE.INST_THRESH': 0.2,
}
# What we have for one value only.
FIXED = {
    'SEMANTIC_FPN.IN_FEATURES': ['p2', 'p3', 'p4', 'p5'],
    'SEMANTIC_FPN.COMMON_STRIDE': 4,
    'FEATURE_ENCODER.IN_FEATURES': ['p3', 'p4', 'p5', 'p6', 'p7'],
    'INFERENCE.SIMILAR_TYPE': 'cosine',
    'INFERENCE.COMBINE.NO_OVERLAP': False,
}
# What no case can show: it has arrays instead of an image or a backbone, and
# its own weights and slots.
IRRELEVANT = (
    *('ANCHOR_GENERATOR.', 'BACKBONE.', 'FPN.', 'PANOPTIC_FPN.', 'RESNETS.'),
    *('PROPOSAL_GENERATOR.', 'RETINANET.', 'ROI_', 'RPN.', 'SEM_SEG_HEAD.'),
    *('DEVICE', 'KEYPOINT_ON', 'LOAD_PROPOSALS', 'MASK_ON', 'OPTIMIZER'),
    *('META_ARCHITECTURE', 'PIXEL_MEAN', 'PIXEL_STD', 'WEIGHTS'),
    *('INFERENCE.COMBINE.ENABLE', 'KERNEL_HEAD.TEST_SCALES', 'TENSOR_DIM'),
    'POSITION_HEAD.THING.BIAS_VALUE',
)
NORMS = {'': None, 'GN': {'type': 'GN', 'num_groups': 32}}


def official(case: Case) -> dict:
    """Every official ``MODEL`` key that has a meaning for us, without it.

    Raises:
        ValueError: the case sets a key that would be ignored.
    """
    given = {
        key.removeprefix('MODEL.'): value
        for key, value in case.config.items()
        if key.startswith('MODEL.')
    }
    for key, value in given.items():
        if key in DEFAULTS or key.startswith(IRRELEVANT):
            continue
        if key not in FIXED:
            raise ValueError(f'{case.name}: MODEL.{key} is not known here')
        if value != FIXED[key]:
            raise ValueError(f'{case.name}: MODEL.{key} is only {FIXED[key]}')
    return {**DEFAULTS, **given}


def _convs(config: dict, name: str) -> dict:
    """One of the head's stacks of convolutions."""
    return {
        'channels': config[f'{name}.CONVS_DIM'],
        'num_convs': config[f'{name}.NUM_CONVS'],
        'with_coord': config[f'{name}.COORD'],
        'conv_cfg': {'type': 'DCNv2'} if config[f'{name}.DEFORM'] else None,
        'norm_cfg': NORMS[config[f'{name}.NORM']],
    }


def _classes(config: dict) -> dict:
    """Numbers of classes, and what the region maps stand for."""
    things = config['POSITION_HEAD.THING.NUM_CLASSES']
    kind = 'stuff'
    if config['POSITION_HEAD.STUFF.WITH_THING']:
        kind = 'stuff_and_thing'
    if config['POSITION_HEAD.STUFF.ALL_CLASSES']:
        kind = 'all'
    not_stuff = len(RegionClasses(kind, things, 0))
    num_regions = config['POSITION_HEAD.STUFF.NUM_CLASSES']
    return {
        'num_things_classes': things,
        'num_stuff_classes': num_regions - not_stuff,
        'region_classes': kind,
    }


def _targets(case: Case, config: dict) -> dict:
    scales = config['KERNEL_HEAD.INSTANCE_SCALES']
    return {
        'instance_scales': scales[
            : len(case.entry.get('feat_shapes', scales))
        ],
        'center': config['POSITION_HEAD.THING.CENTER_TYPE'],
        'min_overlap': config['POSITION_HEAD.THING.MIN_OVERLAP'],
        'radius_per_sigma': config['POSITION_HEAD.THING.GAUSSIAN_SIGMA'],
    }


def _test_cfg(config: dict) -> dict:
    combine = 'INFERENCE.COMBINE'
    return {
        'center_thr': config['POSITION_HEAD.THING.THRES'],
        'region_thr': config['POSITION_HEAD.STUFF.THRES'],
        'max_per_image': config['POSITION_HEAD.THING.TOP_NUM'],
        'similarity_thr': config['INFERENCE.SIMILAR_THRES'],
        'class_specific': config['INFERENCE.CLASS_SPECIFIC'],
        'mask_thr': config['INFERENCE.INST_THRES'],
        'overlap_thr': config[f'{combine}.OVERLAP_THRESH'],
        'instance_thr': config[f'{combine}.INST_THRESH'],
        'stuff_area': config[f'{combine}.STUFF_AREA_LIMIT'],
    }


def head_config(case: Case) -> dict:
    """Our head's config from the official keys of a case."""
    config = official(case)
    channels = config['FPN.OUT_CHANNELS']
    return {
        **_classes(config),
        'in_channels': channels,
        'semantic_fpn': {
            'type': 'mmseg_plugin.SemanticFPN',
            'in_channels': channels,
            'out_channels': config['SEMANTIC_FPN.CONVS_DIM'],
            'norm_cfg': NORMS[config['SEMANTIC_FPN.NORM']],
        },
        'position_head': _convs(config, 'POSITION_HEAD'),
        'kernel_head': _convs(config, 'KERNEL_HEAD'),
        'feature_encoder': _convs(config, 'FEATURE_ENCODER'),
        'num_kernels': config['POSITION_HEAD.THING.POS_NUM'],
        'targets': _targets(case, config),
        'loss_position': {
            'type': 'mmseg_plugin.MapFocalLoss',
            'alpha': config['LOSS_WEIGHT.FOCAL_LOSS_ALPHA'],
            'gamma': config['LOSS_WEIGHT.FOCAL_LOSS_GAMMA'],
            'loss_weight': config['LOSS_WEIGHT.POSITION'],
        },
        'loss_mask': {
            'type': 'mmseg_plugin.WeightedDiceLoss',
            'loss_weight': config['LOSS_WEIGHT.SEGMENT'],
        },
        'test_cfg': _test_cfg(config),
    }

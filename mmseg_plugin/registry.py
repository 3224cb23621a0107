"""Child registries of the plugin.

MMEngine imports this module by itself when a config names a type with the
prefix ``mmseg_plugin.``, and ``locations`` says what to import to fill each
registry, so no config needs ``custom_imports``.
"""

from mmseg_plugin import check_stack

check_stack()

from mmengine.registry import DATASETS as MMENGINE_DATASETS  # noqa: E402
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS  # noqa: E402
from mmengine.registry import HOOKS as MMENGINE_HOOKS  # noqa: E402
from mmengine.registry import (  # noqa: E402
    LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS,
)
from mmengine.registry import LOOPS as MMENGINE_LOOPS  # noqa: E402
from mmengine.registry import METRICS as MMENGINE_METRICS  # noqa: E402
from mmengine.registry import MODELS as MMENGINE_MODELS  # noqa: E402
from mmengine.registry import (  # noqa: E402
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS  # noqa: E402
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS  # noqa: E402
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS  # noqa: E402
from mmengine.registry import Registry  # noqa: E402

from mmseg_plugin.engine.amp import register_cpu_amp  # noqa: E402
from mmseg_plugin.engine.checkpoint import (  # noqa: E402
    register_safe_loaders,
)
from mmseg_plugin.engine.config_text import keep_config_texts  # noqa: E402
from mmseg_plugin.engine.cpu_processes import (  # noqa: E402
    register_cpu_processes,
)
from mmseg_plugin.engine.deferred import defer_imports  # noqa: E402
from mmseg_plugin.engine.environment import (  # noqa: E402
    register_environment,
)
from mmseg_plugin.engine.preflight import register_preflight  # noqa: E402
from mmseg_plugin.engine.quiet import calm_imports  # noqa: E402

register_safe_loaders()
register_preflight()
register_cpu_amp()
register_cpu_processes()
register_environment()
keep_config_texts()
calm_imports()
defer_imports()


def _child(parent: Registry, *locations: str) -> Registry:
    return Registry(
        parent.name,
        parent=parent,
        scope='mmseg_plugin',
        locations=[f'mmseg_plugin.{place}' for place in locations],
    )


MODELS = _child(MMENGINE_MODELS, 'models')
TASK_UTILS = _child(MMENGINE_TASK_UTILS, 'models')
DATASETS = _child(MMENGINE_DATASETS, 'datasets.registered')
FUNCTIONS = _child(MMENGINE_FUNCTIONS, 'datasets.registered')
TRANSFORMS = _child(MMENGINE_TRANSFORMS, 'datasets.transforms')
METRICS = _child(MMENGINE_METRICS, 'evaluation')
VISUALIZERS = _child(MMENGINE_VISUALIZERS, 'visualization')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS, 'engine.optim'
)
HOOKS = _child(MMENGINE_HOOKS, 'engine.hooks', 'engine.logs', 'visualization')
LOOPS = _child(MMENGINE_LOOPS, 'engine.loops')
LOG_PROCESSORS = _child(MMENGINE_LOG_PROCESSORS, 'engine.logs')

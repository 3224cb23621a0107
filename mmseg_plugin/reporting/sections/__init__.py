"""The sections of a report, from top to bottom; one a file."""

from collections.abc import Callable

from mmseg_plugin.reporting.sections.calibration import calibration
from mmseg_plugin.reporting.sections.classes import classes
from mmseg_plugin.reporting.sections.confusion import confused
from mmseg_plugin.reporting.sections.curves import training_curves
from mmseg_plugin.reporting.sections.environment import environment
from mmseg_plugin.reporting.sections.images import images
from mmseg_plugin.reporting.sections.outcome import outcome
from mmseg_plugin.reporting.sections.precision import precision_recall
from mmseg_plugin.reporting.sections.queries import queries
from mmseg_plugin.reporting.sections.samples import samples
from mmseg_plugin.reporting.sections.sizes import sizes
from mmseg_plugin.reporting.view import RunView

# Title to what writes it; an empty text leaves the section out.
SECTIONS: dict[str, Callable[[RunView], str]] = {
    'Outcome': outcome,
    'Training': training_curves,
    'Classes': classes,
    'Best and worst images': images,
    'Confused with what': confused,
    'Precision and recall': precision_recall,
    'Are scores probabilities?': calibration,
    'Sizes': sizes,
    'Queries': queries,
    'What the model was shown': samples,
    'Environment and config': environment,
}

"""`train CONFIG --from NAME`: a run that starts from published weights."""

import sys

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.cli.launch import positional_places, work_dir_of
from mmseg_plugin.weights.table import find_weights


def start_from_weights() -> None:
    """Takes ``--from NAME`` off the command line, ``load_from`` comes in.

    Without a config on the command line, it is that of the weights. What of
    them fits is written into the folder of the run.

    Raises:
        UserError: no such weights, they cannot be fetched, or are those of
            another model.
    """
    parser = ToolParser(add_help=False)
    parser.add_argument('--from', dest='start', metavar='NAME')
    args, sys.argv[1:] = parser.parse_known_args()
    if args.start is None:
        return
    # Builds the model.
    from mmseg_plugin.weights.use import checkpoint_for

    weights = find_weights(args.start)
    if not positional_places():
        sys.argv.insert(1, weights.config)
    name = sys.argv[positional_places()[0]]
    config = read_model_config(name)
    path = work_dir_of(name).resolve() / 'start.pth'
    result = checkpoint_for(weights, config, path)
    print(
        f'{path}: {len(result.state)} weights of {weights.name}, '
        f'{len(result.fresh)} of this model start anew'
    )
    options = [f'load_from={path}']
    if config.model.get('backbone', {}).get('init_cfg'):
        options.append('model.backbone.init_cfg=None')
    if '--cfg-options' not in sys.argv:
        sys.argv.append('--cfg-options')
    place = sys.argv.index('--cfg-options') + 1
    sys.argv[place:place] = options

"""Lists published weights by name, and fetches them.

`weights list [PATTERN]` shows what there is; words and *.* patterns are looked
for in names, tasks, configs and metrics. `weights get NAME` downloads, checks
and prints where the file is; --mmdet converts it to mmdet's layout. They are
kept in $MMSEG_PLUGIN_WEIGHTS, or in ~/.cache/mmseg_plugin/weights.
"""

import argparse
import fnmatch

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.weights.fetch import fetch
from mmseg_plugin.weights.table import Weights, find_weights, read_table


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tasks = parser.add_subparsers(dest='task', required=True)
    listed = tasks.add_parser('list')
    listed.add_argument('pattern', nargs='?', default='*')
    got = tasks.add_parser('get')
    got.add_argument('name')
    got.add_argument(
        '--mmdet', action='store_true', help="convert it to mmdet's layout"
    )
    return parser.parse_args()


def lines(weights: Weights) -> list[str]:
    """What a user wants to know before a download."""
    facts = {
        'task': f'{weights.task}, {weights.metric or "no published metric"}',
        'config': weights.config,
        'licence': f'{weights.licence} ({weights.page})',
        'file': f'{weights.url} ({weights.layout} layout'
        + ''.join(f', {fact}' for fact in (weights.size, weights.hash) if fact)
        + ')',
        'note': weights.note,
    }
    if weights.by_hand:
        facts['note'] = f'by browser only; {weights.note}'.rstrip('; ')
    return [
        weights.name,
        *(f'    {key:8} {fact}' for key, fact in facts.items() if fact),
    ]


def matching(pattern: str) -> list[Weights]:
    """Weights of whose facts one fits the pattern.

    Raises:
        UserError: there are none.
    """
    wanted = f'*{pattern.lower()}*'
    found = [
        weights
        for weights in read_table().values()
        if any(
            fnmatch.fnmatchcase(fact.lower(), wanted)
            for fact in (weights.name, weights.task, weights.config)
            + (weights.metric, weights.licence)
        )
    ]
    if not found:
        raise UserError(f'no weights match {pattern!r}')
    return found


def main() -> None:
    args = parse_args()
    if args.task == 'list':
        for weights in matching(args.pattern):
            print(*lines(weights), sep='\n')
        return
    weights = find_weights(args.name)
    if args.mmdet:
        # Imports torch.
        from mmseg_plugin.weights.use import mmdet_checkpoint

        print(mmdet_checkpoint(weights))
    else:
        print(fetch(weights))


if __name__ == '__main__':
    run(main)

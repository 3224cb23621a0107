"""Trains a config: the train tool of the installed mmdet or mmseg."""

from mmseg_plugin.cli.cli import run
from mmseg_plugin.cli.launch import run_installed_tool


def main() -> None:
    run_installed_tool('train')


if __name__ == '__main__':
    run(main)

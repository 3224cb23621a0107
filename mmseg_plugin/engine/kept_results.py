"""Results of many files, kept one by one: shared by processes, resumable."""

import contextlib
import datetime
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from mmseg_plugin.engine.checkpoint import load_file
from mmseg_plugin.engine.cpu_processes import join_by_gloo
from mmseg_plugin.engine.files import write_checkpoint, write_text

_ASKED, _RECORDS = 'asked.json', 'records'


@contextlib.contextmanager
def processes() -> Iterator[tuple[int, int]]:
    """This process's number and how many ``torchrun`` has started.

    Inside they can meet by :func:`meet`.
    """
    count = int(os.environ.get('WORLD_SIZE', '1'))
    if count == 1:
        yield 0, 1
        return
    # One may be done long before another is.
    join_by_gloo(timeout=datetime.timedelta(days=30))
    try:
        yield dist.get_rank(), count
    finally:
        dist.destroy_process_group()


def meet() -> None:
    """Returns when all processes have come here."""
    if dist.is_initialized():
        dist.barrier()


class KeptResults:
    """A folder that gets its name when everything in it is done.

    Until then it is called ``NAME.part``. What was done by a run that was
    killed is found there by the next one.

    Args:
        out: the folder to be.
        asked: what the results depend on, as JSON.
        rank: number of this process; the first one makes the folder.

    Raises:
        ValueError: there are parts of something else, or nothing can be
            written there.
    """

    suffix = '.json'

    def __init__(self, out: Path, asked: dict[str, Any], rank: int) -> None:
        self.out = out
        self.rank = rank
        self.folder = out.with_name(f'{out.name}.part')
        self._records = self.folder / _RECORDS
        record = self.folder / _ASKED
        if rank == 0 and not (record.exists() and next(self._all(), None)):
            try:
                self._records.mkdir(parents=True, exist_ok=True)
                write_text(json.dumps(asked), record)
            except OSError as error:
                raise ValueError(
                    f'{self.folder} cannot be written: {error.strerror}'
                ) from error
        meet()
        before = json.loads(record.read_text())
        changed = [k for k in asked if asked[k] != before.get(k)]
        if changed:
            key = changed[0]
            raise ValueError(
                f'{self.folder} holds part of other results ({key} '
                f'{before.get(key)}, now {asked[key]}): remove it, or name '
                'another folder'
            )

    @staticmethod
    def _write(record: Any, path: Path) -> None:
        write_text(json.dumps(record), path)

    @staticmethod
    def _read(path: Path) -> Any:
        return json.loads(path.read_text())

    def _record(self, name: str) -> Path:
        return self._records / f'{name}{self.suffix}'

    def has(self, name: str) -> bool:
        """Whether the results of a file are done."""
        return self._record(name).exists()

    def keep(self, name: str, record: Any) -> None:
        """Takes over the results of one file.

        Args:
            name: of the file, relative.
            record: as JSON.
        """
        path = self._record(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write(record, path)

    def records(self, names: Sequence[str]) -> Iterator[Any]:
        """What was kept for each name, one after another."""
        for name in names:
            yield self._read(self._record(name))

    def finish(self) -> None:
        """Gives the folder its name."""
        if self.out.exists():
            self.out.rmdir()
        self.folder.rename(self.out)
        # Whoever is killed from here on has all of it.
        shutil.rmtree(self.out / _RECORDS)
        (self.out / _ASKED).unlink()

    def _all(self) -> Iterator[Path]:
        return self._records.rglob(f'*{self.suffix}')

    def count(self) -> int:
        """How many files are done; without any the folder is removed."""
        done = sum(1 for _ in self._all())
        if not done:
            shutil.rmtree(self.folder, ignore_errors=True)
        return done


class KeptTensors(KeptResults):
    """The same, of records with arrays and tensors."""

    suffix = '.pth'

    @staticmethod
    def _write(record: Any, path: Path) -> None:
        write_checkpoint(record, path)

    @staticmethod
    def _read(path: Path) -> Any:
        # RLE is bytes, and torch names the type where they are none.
        with torch.serialization.safe_globals([bytes]):
            return load_file(path, 'cpu')


def write_lists(
    folder: Path, records: Iterator[dict[str, list[dict]]]
) -> None:
    """One JSON list a kind of result, without holding all of them.

    Args:
        folder: gets ``KIND.json``.
        records: rows of each kind, of one file after another.
    """
    with contextlib.ExitStack() as stack:
        files: dict[str, Any] = {}
        for rows_of in records:
            for kind, rows in rows_of.items():
                if kind not in files:
                    path = folder / f'{kind}.json'
                    files[kind] = stack.enter_context(path.open('w'))
                    files[kind].write('[')
                for row in rows:
                    start = ', ' if files[kind].tell() > 1 else ''
                    files[kind].write(start + json.dumps(row))
        for file in files.values():
            file.write(']')

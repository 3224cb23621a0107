"""Golden cases: outputs of the published implementations, and our runners.

A manifest (``manifest*.json``) lists cases; each names a ``kind`` and one
``.npz`` file. A runner computes, with our code, every ``out/``, ``loss/`` and
``grad/`` array of a case, and :func:`check` compares them.
"""

import fnmatch
import json
import os
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

CPU = torch.device('cpu')
COMPARED = ('out/', 'loss/', 'loss_', 'grad/')
# Other devices add up in another order: bounds at least, by precision; the
# absolute one in units of an array's largest value.
ROUNDING = {4: 1e-4, 8: 1e-9}
# Bilinear values that lie on a threshold may fall on either side.
BORDER_KEYS = ('inst_masks', 'panoptic_seg', 'sem_seg', 'stuff_label_map')


def golden_dir() -> Path:
    """Folder of the cases: ``$GOLDEN_DIR``, else beside the repository."""
    default = Path(__file__).parents[3] / 'shared' / 'golden'
    return Path(os.environ.get('GOLDEN_DIR', default))


class Case:
    """One golden case.

    Args:
        name: key of the case in its manifest.
        entry: the manifest's entry.
        folder: where the case's file is.
        border: share of the elements of :data:`BORDER_KEYS` that may differ.
        device: of inputs and weights.
    """

    def __init__(
        self,
        name: str,
        entry: dict,
        folder: Path,
        border: float = 0.0005,
        device: torch.device = CPU,
    ):
        self.name = name
        self.entry = entry
        self.folder = folder
        self.border = border
        self.device = device
        self.changed: dict[str, np.ndarray] = {}

    @property
    def kind(self) -> str:
        return self.entry['kind']

    @property
    def config(self) -> dict:
        return self.entry['config']

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.folder / self.entry['file']) as file:
            return {key: file[key] for key in file.files}

    def __getitem__(self, key: str) -> np.ndarray:
        return self.changed[key] if key in self.changed else self.arrays[key]

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def tensor(self, key: str, grad: bool = False) -> torch.Tensor:
        tensor = torch.tensor(self[key], device=self.device)
        return tensor.requires_grad_(grad)

    def group(self, prefix: str) -> dict[str, torch.Tensor]:
        """Tensors whose key starts with ``prefix``, which is cut off."""
        return {
            key[len(prefix) :]: self.tensor(key)
            for key in self.arrays
            if key.startswith(prefix)
        }

    def compared_keys(self) -> list[str]:
        """Every key that a runner has to compute, or name as left out."""
        keys = [k for k in self.arrays if k.startswith(COMPARED)]
        # Targets are what a case about targets is about, else an input.
        return keys or [k for k in self.arrays if k.startswith('target/')]

    def on(self, device: torch.device) -> 'Case':
        """The same case on a device."""
        return Case(self.name, self.entry, self.folder, self.border, device)

    def disturbed(self, key: str) -> 'Case':
        """The same case with one expected array changed beyond tolerance."""
        case = self.on(self.device)
        value = self[key]
        if value.dtype == bool:
            case.changed[key] = ~value
        else:
            case.changed[key] = value + (1 + np.abs(value)).astype(value.dtype)
        return case


class Tolerance(NamedTuple):
    rtol: float
    atol: float
    border: float


_NUMBER = r'\d[\d.]*(?:[eE][+-]?\d+)?'


def _numbers(text: str) -> tuple[float, float] | None:
    """Relative and absolute bound in a clause, None if it has neither."""
    found = dict(re.findall(rf'(rtol|atol)[\s=]+({_NUMBER})', text))
    if not found:
        bare = re.fullmatch(rf'\s*({_NUMBER})\s*', text)
        return (float(bare[1]),) * 2 if bare else None
    return float(found.get('rtol', 0)), float(found.get('atol', 0))


def _text_tolerance(text: str, is_grad: bool, is_loss: bool) -> Tolerance:
    """Reads ``'losses rtol 1e-4; gradients rtol 1e-3, atol 1e-6'``."""
    share = re.search(r'at most ([\d.]+)\s*% of pixels', text)
    border = float(share[1]) / 100 if share else 0.0
    clauses = re.split(r';|,\s*(?=rtol)', re.sub(r'\(.*?\)', '', text))
    # What has to be exact are integers, which no number applies to.
    clauses = [clause for clause in clauses if _numbers(clause)]
    grads = [c for c in clauses if 'grad' in c]
    losses = [c for c in clauses if 'loss' in c]
    others = [c for c in clauses if c not in grads and c not in losses]
    order = grads if is_grad else losses if is_loss else others
    chosen = order or others or clauses
    rtol, atol = _numbers(chosen[0]) if chosen else (0.0, 0.0)
    return Tolerance(rtol, atol, border)


def tolerance(case: Case, key: str) -> Tolerance:
    """Allowed difference of one array, from the case's manifest entry."""
    is_grad = 'grad' in key
    if 'tol' in case.entry:
        tol = case.entry['tol']
        bounds = tol.get('rtol', 0.0), tol.get('atol', 0.0)
        if is_grad and 'grad_rtol' in tol:
            bounds = tol['grad_rtol'], tol.get('grad_atol', 1e-4)
        found = Tolerance(*bounds, case.border)
    else:
        text = case.entry.get('tolerance', {})
        if isinstance(text, dict):
            text = text.get(key, text.get('default', '1e-6'))
        found = _text_tolerance(text, is_grad, key.startswith('loss'))
    want = case[key]
    if want.dtype.kind != 'f':
        return found
    largest = np.abs(want[np.isfinite(want)]).max(initial=0.0)
    if found.rtol and not found.atol:
        # A purely relative bound cannot be met by values that cancel to zero.
        found = found._replace(atol=max(1e-7, 0.01 * found.rtol * largest))
    if case.device.type != 'cpu':
        least = ROUNDING[want.dtype.itemsize]
        found = Tolerance(
            max(found.rtol, least),
            max(found.atol, 0.1 * least * largest),
            max(found.border, case.border),
        )
    return found


class Runner(NamedTuple):
    run: Callable[[Case], dict]
    skip: dict[str, str]

    def skips(self, key: str) -> bool:
        return any(fnmatch.fnmatchcase(key, p) for p in self.skip)


RUNNERS: dict[str, Runner] = {}


def runner(kind: str, skip: dict[str, str] | None = None) -> Callable:
    """Registers a function ``case -> {key: value}`` for one kind of case.

    Args:
        kind: the manifest's ``kind``.
        skip: key pattern to the reason why it cannot be compared.
    """

    def register(run: Callable[[Case], dict]) -> Callable:
        RUNNERS[kind] = Runner(run, skip or {})
        return run

    return register


def compare(case: Case, key: str, got: object) -> None:
    """Holds one computed array against the case's.

    Raises:
        AssertionError: shape or values differ.
    """
    want = case[key]
    if isinstance(got, torch.Tensor):
        got = got.detach().cpu().numpy()
    got = np.asarray(got)
    where = f'{case.name}: {key}'
    assert got.shape == want.shape, f'{where}: {got.shape} != {want.shape}'
    tol = tolerance(case, key)
    if want.dtype.kind in 'fc':
        right = np.isclose(
            got, want, rtol=tol.rtol, atol=tol.atol, equal_nan=True
        )
    else:
        right = got.astype(want.dtype) == want
    if key.endswith('segments') and want.shape[-1:] == (5,):
        # The last column is the area, which border pixels change.
        right[:, 4] = np.isclose(got[:, 4], want[:, 4], rtol=tol.border)
    wrong = int((~right).sum())
    allowed = tol.border if key.endswith(BORDER_KEYS) else 0.0
    assert wrong <= allowed * right.size, (
        f'{where}: {wrong} of {right.size} elements differ, e.g. '
        f'{got[~right].ravel()[:3]} != {want[~right].ravel()[:3]}'
    )


def check(case: Case) -> None:
    """Runs the case's runner and compares all it has to.

    Raises:
        AssertionError: a value differs, is missing or is not expected.
    """
    found = RUNNERS[case.kind]
    got = found.run(case)
    wanted = {k for k in case.compared_keys() if not found.skips(k)}
    assert wanted, f'{case.name}: nothing is compared'
    assert wanted <= set(got), (
        f'{case.name}: not computed: {sorted(wanted - set(got))[:5]}'
    )
    for key in sorted(wanted):
        compare(case, key, got[key])


def collect_cases(folder: Path) -> list[Case]:
    """Every case of every ``manifest*.json`` in ``folder``."""
    return [
        Case(name, entry, folder)
        for path in sorted(folder.glob('manifest*.json'))
        for name, entry in json.loads(path.read_text())['cases'].items()
    ]

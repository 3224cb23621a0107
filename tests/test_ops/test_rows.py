import pytest
import torch

from mmseg_plugin.ops.rows import row_products


@pytest.mark.parametrize(
    ('bags', 'rows', 'channels', 'per_bag'),
    [
        (4, 5, 3, 2),
        (4, 5, 1, 5),
        (1, 5, 3, 4),
        # The same row many times.
        (70, 10, 2, 8),
        # Tables of fewer rows than a bag has, as those of small maps.
        (6, 1, 3, 2),
        (30, 5, 3, 8),
        (0, 5, 3, 2),
        (4, 5, 3, 0),
        (4, 0, 3, 0),
    ],
)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('transposed', [False, True])
def test_products_are_those_of_the_chosen_rows(
    bags, rows, channels, per_bag, dtype, transposed
):
    torch.manual_seed(0)
    grad = torch.randn(bags, channels, dtype=dtype)
    table = torch.randn(rows, channels, dtype=dtype)
    index = torch.randint(0, max(rows, 1), (bags, per_bag)).int()
    want = (grad[:, None] * table[index.long()]).sum(-1)
    if transposed:
        grad, table = (part.T.contiguous().T for part in (grad, table))
    torch.testing.assert_close(row_products(grad, table, index), want)

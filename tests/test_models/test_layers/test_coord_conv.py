import torch

from mmseg_plugin.models.layers.coord_conv import (
    CoordConvStack,
    with_coordinates,
)


def test_coordinates_are_rows_then_columns():
    y = with_coordinates(torch.zeros(2, 1, 3, 5))
    assert y.shape == (2, 3, 3, 5)
    assert y[1, 1, :, 0].tolist() == [-1, 0, 1]
    assert y[0, 2, 2].tolist() == [-1, -0.5, 0, 0.5, 1]


def test_one_pixel():
    assert with_coordinates(torch.zeros(1, 1, 1, 1)).isfinite().all()


def test_only_the_first_convolution_sees_them():
    stack = CoordConvStack(4, 6, num_convs=2, with_coord=True)
    shapes = [module.conv.weight.shape[1] for module in stack.convs]
    assert shapes == [6, 6]
    assert stack(torch.zeros(1, 4, 5, 5)).shape == (1, 6, 5, 5)


def test_deformable_starts_as_plain():
    torch.manual_seed(0)
    plain = CoordConvStack(4, 6, num_convs=1)
    deformed = CoordConvStack(4, 6, num_convs=1, conv_cfg={'type': 'DCNv2'})
    deformed.init_weights()
    first, second = plain.convs[0].conv, deformed.convs[0].conv
    second.load_state_dict(first.state_dict(), strict=False)
    x = torch.randn(1, 4, 7, 7)
    # Offsets are zero, and every modulation is one half.
    torch.testing.assert_close(second(x) * 2, first(x))

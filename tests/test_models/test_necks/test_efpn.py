"""Extended pyramid: its FPN, its shapes, both variants."""

import pytest
import torch
from mmdet.models.necks import FPN
from torch.nn import functional as F

from mmseg_plugin.models.necks import EFPN

CHANNELS = [8, 12, 16, 20]


def maps(height=64, width=96):
    """C2', C2 ... C5 of an image, as a backbone rounds their sizes."""
    torch.manual_seed(0)
    sizes = [(-(-height // s), -(-width // s)) for s in (2, 4, 8, 16, 32)]
    return [
        torch.randn(2, channels, *size)
        for channels, size in zip([8, *CHANNELS], sizes, strict=True)
    ]


def neck(out_channels=8, **kwargs):
    torch.manual_seed(1)
    efpn = EFPN(CHANNELS, out_channels, 5, hidden_channels=6, **kwargs)
    efpn.init_weights()
    return efpn


def same_fpn(efpn, **kwargs):
    """mmdet's FPN with the weights of the lower part."""
    fpn = FPN(CHANNELS, efpn.out_channels, 5, **kwargs)
    state = efpn.state_dict()
    fpn.load_state_dict({key: state[key] for key in fpn.state_dict()})
    return fpn


FPN_OPTIONS = [
    {},
    {'add_extra_convs': 'on_output'},
    {'norm_cfg': {'type': 'BN'}},
]


@pytest.mark.parametrize('options', FPN_OPTIONS)
@pytest.mark.parametrize('variant', ['code', 'equation', None])
def test_lower_part_is_the_fpn(variant, options):
    efpn = neck(variant=variant, **options)
    inputs = maps()
    want = same_fpn(efpn, **options)(inputs[1:])
    got = efpn(inputs if variant else inputs[1:])[bool(variant) :]
    assert len(got) == len(want) == 5
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_extension_off_has_the_parameters_of_the_fpn():
    efpn = neck(variant=None)
    assert efpn.state_dict().keys() == same_fpn(efpn).state_dict().keys()


@pytest.mark.parametrize('size', [(64, 96), (50, 70)])
@pytest.mark.parametrize('variant', ['code', 'equation'])
def test_shapes(variant, size):
    inputs = maps(*size)
    efpn = neck(variant=variant)
    outs = efpn(inputs)
    assert [out.shape[-2:] for out in outs[:5]] == [
        x.shape[-2:] for x in inputs
    ]
    p3_extended, p2_extended = efpn.extend(inputs)
    assert p3_extended.shape == outs[1].shape
    torch.testing.assert_close(p2_extended, outs[0])


def sums(efpn, inputs):
    """Lateral plus top-down maps, by hand."""
    laterals = [
        conv(x) for conv, x in zip(efpn.lateral_convs, inputs, strict=True)
    ]
    for fine, coarse in ((2, 3), (1, 2), (0, 1)):
        laterals[fine] += F.interpolate(laterals[coarse], scale_factor=2)
    return laterals


def test_code_variant_takes_the_maps_before_the_convolutions():
    efpn, inputs = neck(), maps()
    p2, p3, *_ = sums(efpn, inputs[1:])
    extension = efpn.extension
    want_p3 = extension.ftt(p3, p2) + F.interpolate(p3, scale_factor=2)
    want_p2 = extension.fpn_conv(
        extension.lateral_conv(inputs[0])
        + F.interpolate(want_p3, scale_factor=2)
    )
    got_p3, got_p2 = efpn.extend(inputs)
    torch.testing.assert_close(got_p3, want_p3)
    torch.testing.assert_close(got_p2, want_p2)
    target_p3, target_p2 = efpn.targets(inputs[1:])
    torch.testing.assert_close(target_p3, p3)
    torch.testing.assert_close(target_p2, efpn.fpn_convs[0](p2))


def test_equation_variant_takes_the_pyramid():
    efpn, inputs = neck(variant='equation'), maps()
    p2, p3, *_ = same_fpn(efpn)(inputs[1:])
    ftt = efpn.extension.ftt
    content = ftt.sub_pixel(ftt.extract_content(p3))
    want_p3 = ftt.extract_texture(content, p2) + content
    want_p2 = F.interpolate(want_p3, scale_factor=2) + inputs[0]
    got_p3, got_p2 = efpn.extend(inputs)
    torch.testing.assert_close(got_p3, want_p3)
    torch.testing.assert_close(got_p2, want_p2)
    target_p3, target_p2 = efpn.targets(inputs[1:])
    torch.testing.assert_close(target_p3, p3)
    torch.testing.assert_close(target_p2, p2)


@pytest.mark.parametrize('variant', ['code', 'equation'])
def test_every_parameter_of_the_extension_gets_a_gradient(variant):
    efpn = neck(variant=variant)
    p3_extended, _ = efpn.extend(maps())
    p3_extended.square().sum().backward()
    for name, parameter in efpn.extension.ftt.named_parameters():
        assert parameter.grad.abs().sum() > 0, name

    _, p2_extended = efpn.extend(maps())
    efpn.zero_grad()
    p2_extended.square().sum().backward()
    for name, parameter in efpn.extension.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_published_initialisation():
    extension = neck().extension
    conv = extension.ftt.content_head[0]
    bound = (3 / (8 * 9)) ** 0.5
    assert conv.bias.count_nonzero() == 0
    assert 0.8 * bound < conv.weight.abs().max() <= bound


@pytest.mark.parametrize(
    ('variant', 'key'), [('code', 'type'), (None, r'backbone\.type')]
)
def test_wrong_number_of_maps_is_named(variant, key):
    efpn, inputs = neck(variant=variant), maps()
    given = inputs[1:] if variant else inputs
    with pytest.raises(
        ValueError, match=f'got {len(given)} maps.* set model.{key} to'
    ):
        efpn(given)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="variant is 'eq'"):
        neck(variant='eq')
    with pytest.raises(ValueError, match='8 channels to a pyramid of 4'):
        neck(4, variant='equation')

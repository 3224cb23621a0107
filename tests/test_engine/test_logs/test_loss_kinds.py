import pytest

from mmseg_plugin.engine.logs.loss_kinds import kind_of, sum_losses


@pytest.mark.parametrize(
    ('name', 'group', 'kind'),
    [
        ('loss_cls', '', 'class'),
        ('d3.loss_mask', '', 'mask'),
        ('d0.dn_loss_bbox', 'denoising', 'box'),
        ('dn_loss_dice', 'denoising', 'dice'),
        ('enc_loss_iou', 'encoder', 'giou'),
        ('loss_rpn_cls', '', 'rpn class'),
        ('loss_ibs', '', 'ibs'),
        ('s0.loss_mask', '', 'mask'),
        ('decode.d2.loss_dice', '', 'dice'),
        ('decode.loss_ce', '', 'class'),
        ('aux_1.loss_ce', 'auxiliary', 'class'),
        ('loss_mask_fg', '', 'mask fg'),
    ],
)
def test_kind_of(name, group, kind):
    assert kind_of(name) == (group, kind)


@pytest.mark.parametrize('name', ['loss', 'lr', 'dn_dropped', 'decode.acc'])
def test_what_is_no_loss(name):
    assert kind_of(name) is None


def test_the_sums_are_the_total():
    logged = {
        'loss': 21.0,
        'loss_dice': 1.0,
        'loss_cls': 2.0,
        'd0.loss_cls': 3.0,
        'd0.dn_loss_cls': 4.0,
        'dn_loss_cls': 5.0,
        'enc_loss_mask': 6.0,
        'lr': 9.0,
    }
    sums = sum_losses(logged)
    assert sums == {
        '': {'class': 5.0, 'dice': 1.0},
        'denoising': {'class': 9.0},
        'encoder': {'mask': 6.0},
    }
    assert list(sums['']) == ['class', 'dice']
    assert sum(v for group in sums.values() for v in group.values()) == 21

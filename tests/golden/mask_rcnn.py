"""Runner for the published mask losses of Mask R-CNN."""

from torch import nn

from mmseg_plugin.models.losses import LabelSmoothingBCELoss, SoftDiceLoss
from mmseg_plugin.models.roi_heads.multi_loss_mask_head import select_class
from tests.golden import Case, runner

PREDICTIONS = {
    'class_specific': 'in/mask_pred',
    'class_agnostic': 'in/pred_class_agnostic',
}


def _losses(config: dict) -> dict[str, nn.Module]:
    dice = {f'soft_dice/eps{e:g}': SoftDiceLoss(eps=e) for e in config['eps']}
    bce = {
        f'ls_bce/s{s:g}': LabelSmoothingBCELoss(smoothing=s)
        for s in config['smoothing']
    }
    return dice | bce


@runner('mask_rcnn_losses')
def run(case: Case) -> dict:
    target = case.tensor('in/mask_target')
    labels = case.tensor('in/label')
    got = {}
    for head, key in PREDICTIONS.items():
        for name, loss_module in _losses(case.config).items():
            preds = case.tensor(key, grad=True)
            loss = loss_module(select_class(preds, labels), target)
            loss.backward()
            grad = select_class(preds.grad, labels)
            assert preds.grad.count_nonzero() == grad.count_nonzero()
            got[f'loss/{head}/{name}'] = loss
            got[f'out/{head}/grad_{name}'] = grad
    return got

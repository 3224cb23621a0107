from .multi_loss_mask_head import MultiLossMaskHead

__all__ = ['MultiLossMaskHead']

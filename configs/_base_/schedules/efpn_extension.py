"""Optimizer of EFPN's extension; the authors have not published theirs.

Its L1 distances are means over all channels: their gradients are too small
for the rate of a detector.
"""

extension_optimizer = dict(
    _delete_=True, type='AdamW', lr=0.0002, weight_decay=0.0001
)

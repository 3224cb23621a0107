_base_ = './mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco.py'
model = _base_.mask2former_swin_b
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')

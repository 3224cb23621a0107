"""100 epochs of COCO at 16 images a step, steps at 0.889 and 0.963.

Values to assign in a config that inherits one of mmdet's 50 epoch schedules.
"""

max_iters_100e = 737500

lsj_100e_scheduler = dict(end=max_iters_100e, milestones=[655556, 710184])
lsj_100e_loop = dict(
    max_iters=max_iters_100e,
    dynamic_intervals=[(max_iters_100e // 5000 * 5000 + 1, max_iters_100e)],
)

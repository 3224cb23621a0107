"""Classes of the synthetic scenes."""

thing_classes = ('disc', 'box', 'triangle', 'star', 'ring', 'cross')
stuff_classes = ('meadow', 'water', 'bricks')
thing_palette = [
    (220, 20, 60),
    (240, 200, 0),
    (0, 170, 60),
    (0, 190, 210),
    (40, 60, 220),
    (200, 40, 220),
]
stuff_palette = [(150, 190, 120), (120, 160, 190), (190, 150, 130)]

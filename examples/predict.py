"""Prints and draws what a trained model finds: RUN IMAGE OUT.png."""

import sys

from mmseg_plugin import Segmenter


def main(run: str, image: str, out: str) -> None:
    found = Segmenter(run)(image)
    for name, score, box in zip(
        found.names, found.scores, found.boxes, strict=True
    ):
        print(f'{name} {score:.2f} at {box.round(1).tolist()}')
    found.plot(out)


if __name__ == '__main__':
    main(*sys.argv[1:])

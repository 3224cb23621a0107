"""Video files: frames in, drawn frames out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import mmcv
import numpy as np

from mmseg_plugin.cli.cli import UserError

VIDEO_SUFFIXES = {'.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v'}


class Video:
    """The frames of a video file, one after another.

    Args:
        path: of the file.

    Attributes:
        fps: frames a second.

    Raises:
        UserError: OpenCV cannot read a frame of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        problem = f'{path} cannot be read as a video by OpenCV'
        if not path.is_file():
            raise UserError(f'{problem}: there is no such file')
        self._reader = mmcv.VideoReader(str(path), cache_capacity=1)
        self.fps = self._reader.fps or 25.0
        if self._reader.read() is None:
            raise UserError(problem)

    def __len__(self) -> int:
        """As the file states it; damaged ones hold fewer."""
        return self._reader.frame_cnt

    def frames(self) -> Iterator[np.ndarray]:
        """BGR, uint8, shape (h, w, 3)."""
        reader = mmcv.VideoReader(str(self.path), cache_capacity=1)
        while (frame := reader.read()) is not None:
            yield frame


class VideoSink:
    """Writes pictures of one size as frames of an MPEG-4 file.

    Args:
        path: to write.
        fps: frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self._writer: cv2.VideoWriter | None = None

    def add(self, picture: np.ndarray) -> None:
        """Adds a frame.

        Args:
            picture: BGR, uint8, shape (h, w, 3).

        Raises:
            UserError: OpenCV cannot write MPEG-4 there.
        """
        if self._writer is None:
            code = cv2.VideoWriter.fourcc(*'mp4v')
            size = picture.shape[1::-1]
            self._writer = cv2.VideoWriter(
                str(self.path), code, self.fps, size
            )
            if not self._writer.isOpened():
                raise UserError(f'{self.path} cannot be written by OpenCV')
        self._writer.write(picture)

    def close(self) -> None:
        """Ends the file."""
        if self._writer is not None:
            self._writer.release()


@contextmanager
def video_sink(path: Path, fps: float) -> Iterator[VideoSink]:
    """A :class:`VideoSink` that is closed in the end."""
    sink = VideoSink(path, fps)
    try:
        yield sink
    finally:
        sink.close()

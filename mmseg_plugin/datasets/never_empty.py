"""Data sets that say why nothing is left of them."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.dataset import BaseDataset


class NeverEmpty(BaseDataset):
    """Refuses options that leave no image, which MMEngine cannot join.

    To be named before another data set of MMEngine among the bases.
    """

    def filter_data(self) -> list[dict]:
        """The images that stay.

        Raises:
            ValueError: none does.
        """
        kept = super().filter_data()
        if not kept:
            left = len(self.data_list)
            raise ValueError(
                f'filter_cfg leaves none of the {left} images of '
                f'{self._source()}'
                if left
                else f'{self._source()} lists no image'
            )
        return kept

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> list:
        count = len(self.data_list)
        try:
            chosen = super()._get_unserialized_subset(indices)
        except IndexError as error:
            raise ValueError(
                f'indices of {self._source()} go beyond its {count} images'
            ) from error
        if not chosen:
            raise ValueError(
                f'indices={indices!r} leaves none of the {count} images of '
                f'{self._source()}'
            )
        return chosen

    def _source(self) -> str:
        """The annotation file, or the folder of images without one."""
        return str(self.ann_file or next(iter(self.data_prefix.values())))

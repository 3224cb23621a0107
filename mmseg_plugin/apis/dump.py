"""Writes all results of a test run to one file."""

from collections.abc import Sequence

from mmdet.evaluation.metrics import DumpDetResults


class DumpAnyResults(DumpDetResults):
    """mmdet's metric behind ``test --out``, for masks that are RLE too."""

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Takes over the results of a batch.

        Args:
            data_batch: not used.
            data_samples: results of each image.
        """
        ready = []
        for sample in data_samples:
            found = sample.get('pred_instances', {})
            masks = found.get('masks')
            if isinstance(masks, list):
                rest = {k: v for k, v in found.items() if k != 'masks'}
                sample = {**sample, 'pred_instances': rest}
            ready.append((sample, masks))
        start = len(self.results)
        super().process(data_batch, [sample for sample, _ in ready])
        for result, (_, masks) in zip(
            self.results[start:], ready, strict=True
        ):
            if isinstance(masks, list):
                result['pred_instances']['masks'] = masks

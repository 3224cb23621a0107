from .target_count import target_count

__all__ = ['target_count']

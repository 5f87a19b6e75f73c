"""The truth about one process: census, allocators, resident memory, limits, identity. Needs no Django."""

from memwatch.sampling.sampler import Sampler

__all__ = ["Sampler"]

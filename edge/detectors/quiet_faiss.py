"""faiss with one thread: a search is about a few patches, so handing it to threads costs more than it saves, and those that wait spin."""

from __future__ import annotations

import faiss

faiss.omp_set_num_threads(1)

__all__ = ["faiss"]

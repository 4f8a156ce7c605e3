"""Limit BLAS to one thread during training and evaluation."""

import contextlib
import functools
import sys
import threading

from threadpoolctl import ThreadpoolController


@functools.cache
def _libraries(scipy_is_loaded):
    return ThreadpoolController()


def libraries():
    """Return the controller of the BLAS libraries in this process. SciPy, which Numba calls, may bring its own."""
    return _libraries("scipy.linalg.blas" in sys.modules)


class _Limit:
    """The limit that holds while any thread is inside `one_thread`."""

    lock = threading.Lock()
    inside = 0
    limit = None


@contextlib.contextmanager
def one_thread():
    """Limit BLAS to one thread: these matrices are too small for two, and a second thread would change the rounding."""
    with _Limit.lock:
        _Limit.inside += 1
        if _Limit.inside == 1:
            _Limit.limit = libraries().limit(limits=1, user_api="blas")
            _Limit.limit.__enter__()
    try:
        yield
    finally:
        with _Limit.lock:
            _Limit.inside -= 1
            if not _Limit.inside:
                _Limit.limit.__exit__(None, None, None)

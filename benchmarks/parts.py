"""Measure the parts of a step of the kernel: each kind of work alone, with the sizes and counts of a step.

The floor of a part is the longer of two times: its arithmetic at the rate of a large product of matrices, and its bytes
at the rate of the second-level cache.
"""

import time

import numpy as np
from numba import njit

from rnn.engine import kernel

# not `kernel.compiled`: Numba caches by file, and would not see that kernel.py has changed
compiled = njit(fastmath=True, error_model="numpy")


@compiled
def recurrent_products(W, back, h, out, steps):
    """W h forward for each character of the B sequences, then W^T dL/da back, but for the first."""
    B = len(out)
    for _ in range(steps):
        for r in range(0, len(h), B):
            if B == 1:
                np.dot(h[r], W, out[0])
            else:
                kernel.product(h[r : r + B], W, back, out)
        for r in range(B, len(h), B):
            if B == 1:
                np.dot(W, h[r], out[0])
            else:
                kernel.product(h[r : r + B], back, W, out)


@compiled
def sequence_products(h, p, V, up, dW, dV, dh, steps):
    """The scores, what reaches h from them, and the gradients of W and V: over the whole sequence at once."""
    for _ in range(steps):
        kernel.transpose(V, up)
        kernel.dot(h, up, p)
        kernel.dot(p, V, dh)
        kernel.dot_of_rows(h, dh, dW)
        kernel.dot_of_rows(p, h, dV)


@compiled
def updates(rule, theta, squares, means, gradient, rate, clip, steps):
    """The optimiser's step, of as many parameters as it changes."""
    for n in range(steps):
        kernel.update(rule, theta, squares, means, gradient, rate, clip, n + 1)


@compiled
def functions(h, p, steps):
    """Tanh of every state, softmax of every score."""
    for _ in range(steps):
        for r in range(len(h)):
            kernel.tanh(h[r])
            kernel.softmax(p[r])


@compiled
def multiply(A, R, out, steps):
    """Compute a product that is large enough for BLAS to reach its full speed, `steps` times."""
    for _ in range(steps):
        np.dot(A, R, out)


@compiled
def read_array(a, steps):
    """Read all of the array a, `steps` times."""
    total = a[0]
    for _ in range(steps):
        total = -total
        for i in range(len(a)):
            total += a[i]
    return total


def _microseconds(work, arrays, steps, repeats=7):
    taken = []
    for _ in range(repeats + 1):  # the first compiles
        began = time.perf_counter()
        work(*arrays, steps)
        taken.append((time.perf_counter() - began) / steps * 1e6)
    return np.array(taken[1:])


def measure(K, m, B=1, optimizer="adagrad", T=25, steps=2_000):
    """Return {kind of work: (microseconds a step, its floor)}: medians, in float32."""
    rng = np.random.default_rng(0)
    rows = T * B
    rule = kernel.RULES[optimizer]
    M = kernel.width(m, B)
    changed = M * M + K * M * (1 if optimizer == "adagrad" else 2)  # AdaGrad leaves most of U alone
    W, V, h, p, out, dW, dV, dh, *update_arrays = (
        kernel.padded(rng.normal(0, 0.1, shape).astype(np.float32), *shape)
        for shape in ((M, M), (K, M), (rows, M), (rows, K), (B, M), (M, M), (K, M), (rows, M), *[(changed,)] * 4)
    )
    update_arrays[1] **= 2
    side = 512
    half_a_megabyte = np.ones(1 << 17, np.float32)
    large = [np.ones((side, side), np.float32)] * 2 + [np.empty((side, side), np.float32)]
    flops = 2 * side**3 / _microseconds(multiply, large, 20, 30).min()  # a microsecond
    bytes_read = half_a_megabyte.nbytes / _microseconds(read_array, [half_a_megabyte], 200, 30).min()
    traffic = 4 * changed * (5 if optimizer == "adagrad" else 7)
    kinds = {  # {kind: (function, arguments, operations, bytes that do not stay in the first-level cache)}
        "W with the states, forward and back": (
            recurrent_products,
            (W, W.T.copy(), h, out),
            2 * (2 * rows - B) * m * m,
            4 * (2 * T - 1) * m * m,
        ),
        "products over the sequence": (
            sequence_products,
            (h, p, V, V.T.copy(), dW, dV, dh),
            2 * rows * m * (3 * K + m),
            0,
        ),
        f"{optimizer}": (updates, (rule, *update_arrays, np.float32(1e-6), np.float32(5)), 20 * changed, traffic),
        "tanh and softmax": (functions, (h, p), rows * (35 * m + 45 * K), 0),
    }
    steps = max(20, steps // B)
    return {
        name: (float(np.median(_microseconds(work, arrays, steps))), max(operations / flops, bytes_ / bytes_read))
        for name, (work, arrays, operations, bytes_) in kinds.items()
    }

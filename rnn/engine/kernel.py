"""The mathematics of `model.py`, compiled: many steps of training, and the loss of a text.

Numba makes machine code of these loops. Five things make them fast: products over a whole sequence go to the BLAS
library; those with W, each of which waits for the one before, do too where BLAS is fast, and are sums of rows for the
few sequences with which it is slow; every loop of our own runs along a row, which feeds the processor's vector units,
and a row of units is filled up with zeros to whole vectors; tanh and exp are written as arithmetic, because a call into
a library cannot be vectorised; and AdaGrad updates only those columns of U that the sequences touched. In here W and U
lie transposed, (m, m) and (K, m), so that what one unit or one character adds to all units is a row.

B sequences of T characters lie in T B rows: row t B + s is character t of sequence s.

`advance` and `evaluate` are the doors: what they let through is in bounds, contiguous and of one type.
"""

import contextlib
import math
import threading
from typing import NamedTuple

import numpy as np
import scipy.linalg.blas  # noqa: F401  what Numba's np.dot calls: loaded here, so that the limit below reaches it
from numba import njit
from threadpoolctl import ThreadpoolController

from rnn.model import OPTIMIZERS, Memory, Params

_blas = ThreadpoolController()
# multiplications in a product, up to which BLAS has a kernel for small ones: OpenBLAS has it where there is AVX-512
SMALL = 10**6 * any(of.get("architecture") in ("SkylakeX", "Cooperlake", "SapphireRapids") for of in _blas.info())
# sums may be reordered and products fused, but NaN and infinity keep their meaning: a diverging run must be seen
_relaxed = {"reassoc", "contract", "arcp", "nsz"}
compiled = njit(fastmath=_relaxed, error_model="numpy", nogil=True, cache=True)
# inlined, because a helper that stays a function of its own may be compiled in two ways, with two roundings: one in the
# process that compiles, another in those that load the cache
inlined = njit(fastmath=_relaxed, error_model="numpy", forceinline=True)


class Plan(NamedTuple):
    """What n steps do, apart from the arithmetic."""

    starts: np.ndarray  # (n, B), where in the text each sequence of a step begins
    lengths: np.ndarray  # (n,), of the sequences: T, and less in the last step of an epoch with a remainder
    fresh: np.ndarray  # (n,), whether the step begins at states of zero
    rates: np.ndarray  # (n,), the learning rates


@inlined
def tanh(a):
    """a <- tanh a: n/d is Lambert's fraction, cut at the ninth, at a/16; then four times tanh 2x = 2nd/(d^2 + n^2)."""
    real = a.dtype.type
    for i in range(len(a)):
        x = min(max(a[i], real(-20)), real(20)) * real(1 / 16)
        z = x * x
        n = x * ((((z + real(990)) * z + real(135135)) * z + real(4729725)) * z * real(1 / 34459425) + real(1))
        d = (((real(45) * z + real(13860)) * z + real(945945)) * z + real(16216200)) * z * real(1 / 34459425) + real(1)
        for _ in range(4):
            n, d = real(2) * n * d, d * d + n * n
        a[i] = n / d


@inlined
def maximum(o):
    """Return the largest of o, sought in four parts: where one comparison waits for another, nothing is vectorised."""
    K, a, b, c, d = len(o) // 4 * 4, o[0], o[0], o[0], o[0]
    for k in range(0, K, 4):
        a, b, c, d = max(a, o[k]), max(b, o[k + 1]), max(c, o[k + 2]), max(d, o[k + 3])
    for k in range(K, len(o)):
        a = max(a, o[k])
    return max(max(a, b), max(c, d))


@inlined
def softmax(o):
    """o <- softmax o, and return log sum exp o; exp z is (exp z/64)^64, the inner one its Taylor polynomial."""
    real = o.dtype.type
    largest = maximum(o)
    total = real(0)
    for k in range(len(o)):
        z = max(o[k] - largest, real(-64)) * real(1 / 64)
        e = real(1 / 39916800)
        for n in (3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1):
            e = e * z + real(1 / n)
        for _ in range(6):
            e = e * e
        o[k] = e
        total += e
    for k in range(len(o)):
        o[k] /= total
    return largest + np.log(total)


@inlined
def adagrad(theta, squares, gradient, rate, clip):
    """One step of AdaGrad, in place, of the clipped gradient."""
    epsilon = theta.dtype.type(1e-8)
    for i in range(len(theta)):
        g = min(max(gradient[i], -clip), clip)
        squares[i] += g * g
        theta[i] -= rate * g / np.sqrt(squares[i] + epsilon)


@inlined
def adam(theta, squares, means, gradient, rate, clip, n):
    """Step number n of Adam, in place, of the clipped gradient."""
    real = theta.dtype.type
    of_mean, of_square, epsilon, tiny = real(1 - 0.9), real(1 - 0.999), real(1e-8), real(1e-30)
    unbiased_rate, unbias = rate / real(1 - 0.9**n), real(1 / np.sqrt(1 - 0.999**n))
    for i in range(len(theta)):
        g = min(max(gradient[i], -clip), clip)
        mean = means[i] + of_mean * (g - means[i])
        means[i] = mean if abs(mean) > tiny else real(0)  # with numbers next to zero processors take far longer
        squares[i] += of_square * (g * g - squares[i])
        theta[i] -= unbiased_rate * means[i] / (np.sqrt(squares[i]) * unbias + epsilon)


@inlined
def sgd(theta, gradient, rate, clip):
    """One step of stochastic gradient descent, in place, along the clipped gradient."""
    for i in range(len(theta)):
        theta[i] -= rate * min(max(gradient[i], -clip), clip)


@inlined
def update(rule, theta, squares, means, gradient, rate, clip, n):
    """Step number n, in place, of the optimiser that is number `rule` of `model.OPTIMIZERS`."""
    if rule == 0:
        adagrad(theta, squares, gradient, rate, clip)
    elif rule == 1:
        adam(theta, squares, means, gradient, rate, clip, n)
    elif rule == 2:
        sgd(theta, gradient, rate, clip)
    else:
        raise ValueError("kernel.update has no branch for this optimiser: add one, or take engine='numpy'")


@inlined
def transpose(A, out):
    """out <- A^T."""
    for j in range(A.shape[1]):
        for k in range(len(A)):
            out[j, k] = A[k, j]


@inlined
def dot(A, R, out):
    """out <- A R, by BLAS, and if it has a kernel for small products by that."""
    rows = SMALL // R.size // 8 * 8 or len(A)  # it takes eight at a time
    for s in range(0, len(A), rows):
        np.dot(A[s : s + rows], R, out[s : s + rows])


@inlined
def dot_of_rows(A, D, out):
    """out <- A^T D, the sum of the outer products of their rows."""
    rows = SMALL // out.size if 64 * out.size <= SMALL else len(A)  # of fewer, the adding up would cost more
    np.dot(A[:rows].T, D[:rows], out)
    for s in range(rows, len(A), rows):
        more = np.dot(A[s : s + rows].T, D[s : s + rows])
        for i in range(len(out)):
            for k in range(out.shape[1]):
                out[i, k] += more[i, k]


@inlined
def product(A, R, R_transposed, out):
    """out <- A R: by BLAS as many rows as it takes for a small product, or many, the larger matrix on the left."""
    n = len(A)
    if n > 7 and 8 * R.size <= SMALL:
        dot(A, R, out)
    elif n > 16:
        transpose(np.dot(R_transposed, A.T), out)
    else:
        out[:] = 0
        for j in range(0, len(R), 128):  # a part that stays in the cache until all rows of A have had it
            add_rows(A[:, j : j + 128], R[j : j + 128], out, 0, n // 4 * 4, 4)
            add_rows(A[:, j : j + 128], R[j : j + 128], out, n // 4 * 4, n // 2 * 2, 2)
            add_rows(A[:, j : j + 128], R[j : j + 128], out, n // 2 * 2, n, 1)


@inlined
def add_rows(A, R, out, begin, end, together):
    """out <- out + A R: four rows of R at a time, read once for so many rows of A together."""
    for s in range(begin, end, together):
        for j in range(0, len(R) // 4 * 4, 4):
            for i in range(out.shape[1]):
                for a in range(together):
                    sum_of_two = A[s + a, j] * R[j, i] + A[s + a, j + 1] * R[j + 1, i]
                    out[s + a, i] += sum_of_two + A[s + a, j + 2] * R[j + 2, i] + A[s + a, j + 3] * R[j + 3, i]


@inlined
def forward(params, transposed, x, y, h, flat, p, loss, rows, B):
    """From B states in h (and `flat`) fill the next `rows`, those of p and the loss (in nats), and `transposed`."""
    (W, U, V, b, c), (back, up) = params, transposed
    if B > 1:
        transpose(W, back)
    transpose(V, up)
    for r in range(0, rows, B):
        if B == 1:
            np.dot(h[r], W, h[r + 1])
        else:
            product(h[r : r + B], W, back, h[r + B : r + 2 * B])
        for s in range(r, r + B):
            code = x[s]
            for i in range(len(b)):
                h[s + B, i] += U[code, i] + b[i]
        tanh(flat[(r + B) * len(b) : (r + 2 * B) * len(b)])
    dot(h[B : rows + B], up, p[:rows])
    scores = np.empty(len(c) + -len(c) % 32, p.dtype)  # whole vectors here too: what is left over takes long
    for r in range(rows):
        for k in range(len(c)):
            scores[k] = p[r, k] + c[k]
        for k in range(len(c), len(scores)):
            scores[k] = -np.inf
        score = scores[y[r]]
        loss[r] = softmax(scores) - score
        for k in range(len(c)):
            p[r, k] = scores[k]


@compiled
def _advance(params, memory, h0, read, losses, each, plan, T, clip, rule):
    W, U, V, b, c = params
    squares, means, updates = memory
    (K, m), B = V.shape, len(h0)
    real = W.dtype.type
    h, p, da = np.zeros((T * B + B, m), W.dtype), np.zeros((T * B, K), W.dtype), np.zeros((T * B, m), W.dtype)
    from_next, back, up = np.zeros((B, m), W.dtype), np.zeros_like(W), np.zeros((m, K), W.dtype)
    dW, dU, dV, db, dc = np.zeros_like(W), np.zeros_like(U), np.zeros_like(V), np.zeros_like(b), np.zeros_like(c)
    touched, flat, carried = np.zeros(K, np.bool_), h.reshape(-1), h0.reshape(-1)
    for n in range(len(losses)):
        rows, rate, loss = plan.lengths[n] * B, plan.rates[n], each[n % len(each)]
        x, y = read[n, :rows], read[n, B : B + rows]
        for i in range(B * m):  # `h[:B] = h0` would take Numba three seconds more to compile
            flat[i] = real(0) if plan.fresh[n] else carried[i]
        forward(params, (back, up), x, y, h, flat, p, loss, rows, B)
        losses[n] = loss[:rows].sum() / B
        if rule >= 0 and not np.isfinite(losses[n]):
            break
        for i in range(B * m):
            carried[i] = flat[rows * m + i]
        if rule < 0:  # nothing is learned
            continue

        from_next[:], db[:], dc[:] = real(0), real(0), real(0)
        do = p  # dL/do_t = p_t - one-hot(y_t), made of p in place, and divided by B: the loss is a mean
        for r in range(rows):
            do[r, y[r]] -= real(1)
            for k in range(K):
                do[r, k] /= real(B)
                dc[k] += do[r, k]
        dot(do[:rows], V, da[:rows])  # dL/dh_t, of which dL/da_t is made in place
        for r in range(rows - B, -1, -B):
            for s in range(r, r + B):
                touched[x[s]], code = True, x[s]
                for i in range(m):
                    da[s, i] = (da[s, i] + from_next[s - r, i]) * (real(1) - h[s + B, i] * h[s + B, i])
                for i in range(m):
                    db[i] += da[s, i]
                    dU[code, i] += da[s, i]
            if r > 0 and B == 1:
                np.dot(W, da[r], from_next[0])
            elif r > 0:
                product(da[r : r + B], back, W, from_next)
        dot_of_rows(h[:rows], da[:rows], dW)
        dot_of_rows(do[:rows], h[B : rows + B], dV)
        updates[0] += 1
        for theta, its_squares, its_means, gradient in (
            (W.reshape(-1), squares.W.reshape(-1), means.W.reshape(-1), dW.reshape(-1)),
            (V.reshape(-1), squares.V.reshape(-1), means.V.reshape(-1), dV.reshape(-1)),
            (b, squares.b, means.b, db),
            (c, squares.c, means.c, dc),
        ):
            update(rule, theta, its_squares, its_means, gradient, rate, clip, updates[0])
        for k in range(K):
            if touched[k] or rule == 1:  # Adam alone does something where the gradient is zero
                update(rule, U[k], squares.U[k], means.U[k], dU[k], rate, clip, updates[0])
            if touched[k]:
                dU[k], touched[k] = real(0), False


def advance(params, memory, h, codes, losses, plan, clip, optimizer, each=None):
    """Take len(losses) steps with the compiled code and write the loss of each, in nats per sequence.

    `plan` is a `Plan` of as many steps on the text `codes` (N,). `params`, `memory` and the carried states `h` (B, m)
    change in place. In `each` (n, T B) the loss of each character is written, as it lies in the rows. Ends at the first
    loss that is not finite. Raises ValueError for what would lead out of an array.
    """
    (n, B), dtype, T = plan.starts.shape, params.W.dtype, plan.lengths.max(initial=1)
    ours, each = (params, memory.squares, memory.means), np.empty((1, T * B)) if each is None else each
    inside = [_network(of, params, B) for of in ours]
    right = ((int, n, B), (int, n), (bool, n), (dtype, n), (dtype, B, len(params.b)), (float, n), (int, 1))
    for array, kind in zip((*plan, h, losses, memory.updates, each), (*right, (float, len(each), T * B)), strict=True):
        _expect(array, *kind)
    states, clip, rule = _padded(h, B, len(inside[0].b)), dtype.type(clip), list(OPTIMIZERS).index(optimizer)
    read = _read(codes, plan, T, len(params.c))
    with one_thread():
        _advance(inside[0], Memory(*inside[1:], memory.updates), states, read, losses, each, plan, T, clip, rule)
    for of, changed in zip(ours, inside, strict=True):
        for theta, theirs in zip(of, changed._replace(W=changed.W.T, U=changed.U.T), strict=True):
            theta[:] = theirs[tuple(map(slice, theta.shape))]
    h[:] = states[:, : len(params.b)]


def evaluate(params, h, codes):
    """Return -log p(codes[..., n + 1]) in nats, (..., N - 1), from states h (..., m) and the codes (..., N) up to n."""
    network, *others, N = _network(params, like=params), *codes.shape
    _expect(h, params.W.dtype, *others, len(params.b))
    T, B, dtype = 64, math.prod(others), params.W.dtype
    first = np.arange(0, N - 1, T)
    plan = Plan(first[:, None] + N * np.arange(B), np.minimum(T, N - 1 - first), first < 0, np.zeros(len(first), dtype))
    losses, each = np.empty(len(first)), np.empty((len(first), T * B))
    read, states = _read(codes.reshape(-1), plan, T, len(params.c)), _padded(h.reshape(B, -1), B, len(network.b))
    memory = Memory(network, network, np.zeros(1, int))
    with one_thread():
        _advance(network, memory, states, read, losses, each, plan, T, dtype.type(0), -1)
    return each.reshape(-1, B)[: max(0, N - 1)].T.reshape(*others, -1)


def _expect(array, dtype, *shape):
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"expected {shape} of {np.dtype(dtype)}, got {array.shape} of {array.dtype}")


def _read(codes, plan, T, K):
    """Return the codes (n, (T + 1) B) that the steps of a plan read, in the one type that the compiled code takes."""
    ends = plan.starts + plan.lengths[:, None]  # the numbers of the last targets
    if plan.starts.min(initial=0) < 0 or plan.lengths.min(initial=1) < 1 or ends.max(initial=0) >= len(codes):
        raise ValueError(f"the plan leads out of a text of {len(codes):,} characters")
    read = codes[np.minimum(plan.starts[:, None] + np.arange(T + 1)[:, None], ends[:, None])]
    right = codes.ndim == 1 and codes.dtype.kind in "ui"
    if not (right and read.min(initial=0) >= 0 and read.max(initial=0) < K):
        raise ValueError(f"expected codes from 0 to {K - 1}, got {codes}")
    return read.astype(np.intp).reshape(-1, (T + 1) * ends.shape[1])


def _network(params, like, B=1):
    """Return copies of parameters as the compiled code has them: W and U transposed, rows filled up with zeros."""
    (K, m), dtype = like.V.shape, like.W.dtype if like.W.dtype in (np.float32, np.float64) else float
    for theta, shape in zip(params, ((m, m), (m, K), (K, m), (m,), (K,)), strict=True):
        _expect(theta, dtype, *shape)
    # to whole vectors for our own loops, to fewer where BLAS has all products and is slowed down by zeros
    M = m + -m % (4 if B > 7 and 8 * m * m <= SMALL else 8)
    W, U, V, b, c = params
    return Params(_padded(W.T, M, M), _padded(U.T, K, M), _padded(V, K, M), _padded(b, M), _padded(c, K))


def _padded(array, *shape):
    """Return a contiguous copy that may be larger, with zeros where it is; it begins where a line of the cache does."""
    size, room = math.prod(shape), np.zeros(math.prod(shape) + 64, array.dtype)
    begin = -room.ctypes.data % 64 // array.itemsize
    padded = room[begin : begin + size].reshape(shape)
    padded[tuple(map(slice, array.shape))] = array
    return padded


_lock, _inside = threading.Lock(), 0


@contextlib.contextmanager
def one_thread():
    """Keep BLAS to one thread: these matrices are too small for two, and a second one would change the rounding."""
    global _inside, _limit
    with _lock:
        _inside += 1
        if _inside == 1:
            _limit = _blas.limit(limits=1, user_api="blas")
            _limit.__enter__()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.__exit__(None, None, None)

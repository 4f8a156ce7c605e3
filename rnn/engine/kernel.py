"""The mathematics of `model.py`, compiled: many steps of training, and the loss of a text.

Numba turns these loops into machine code. Five things make them fast:
- BLAS computes the products over a whole sequence.
- Each product with W must wait for the previous one. BLAS computes these too, except for a few sequences at a time,
  where it is slow: there they are sums of rows.
- Our own loops run along rows, which suits the processor's vector units. Rows are padded with zeros to whole vectors.
- tanh and exp are arithmetic, because a call into a library cannot be vectorised.
- AdaGrad updates only the columns of U whose characters occur.

Inside this module W and U are stored transposed, (m, m) and (K, m), so that what one unit or one character adds to all
units is a row. B sequences of T characters are T B rows: row t B + s is character t of sequence s.

Call the module through `advance`, `evaluate` and `states_after`. They check bounds, types and shapes; the compiled
functions do not.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.linalg.blas  # noqa: F401  Numba's np.dot calls it; it must be loaded before `one_thread` can limit it
from numba import njit

from rnn.engine.threads import libraries, one_thread
from rnn.model import Memory, Params

# the optimisers that `update` has, by their names in `model.OPTIMIZERS`
ADAGRAD = 0
ADAM = 1
SGD = 2
RULES = {"adagrad": ADAGRAD, "adam": ADAM, "sgd": SGD}

PIECE = 64  # characters of each sequence that are evaluated at a time
# up to so many multiplications, OpenBLAS has a faster kernel for small products, on processors with AVX-512
SMALL = 10**6 * any(
    library.get("architecture") in ("SkylakeX", "Cooperlake", "SapphireRapids") for library in libraries().info()
)
# sums may be reordered and products fused, but NaN and infinity keep their meaning, so that divergence is noticed
_relaxed = {"reassoc", "contract", "arcp", "nsz"}
# Helpers are inlined. As separate functions they could be compiled, and rounded, in two ways: in the process that
# compiles them, and in those that load them from the cache.
inlined = njit(fastmath=_relaxed, error_model="numpy", forceinline=True)


def compiled(function):
    """Return the function compiled by Numba, cached on disk if there is a folder for it."""
    settings = {"fastmath": _relaxed, "error_model": "numpy", "nogil": True}
    try:
        return njit(cache=True, **settings)(function)
    except RuntimeError:  # neither this folder nor the user's cache folder is writable
        return njit(**settings)(function)


class Sequences(NamedTuple):
    """The sequences that n steps read, in rows."""

    codes: np.ndarray  # (n, (T + 1) B), with the last targets; unused at the end of a shorter step
    lengths: np.ndarray  # (n,), the number of characters of each sequence
    resets: np.ndarray  # (n,), whether the step starts from states of zero
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
    """Return the largest of o. Four independent maxima can be vectorised; one that waits for itself cannot."""
    whole = len(o) // 4 * 4
    a = b = c = d = o[0]
    for k in range(0, whole, 4):
        a = max(a, o[k])
        b = max(b, o[k + 1])
        c = max(c, o[k + 2])
        d = max(d, o[k + 3])
    for k in range(whole, len(o)):
        a = max(a, o[k])
    return max(max(a, b), max(c, d))


@inlined
def softmax(o):
    """o <- softmax o, and return log sum exp o; exp z is (exp z/64)^64, where exp z/64 is its Taylor polynomial."""
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
    """Take a step of AdaGrad with the clipped gradient, in place."""
    epsilon = theta.dtype.type(1e-8)
    for i in range(len(theta)):
        g = min(max(gradient[i], -clip), clip)
        squares[i] += g * g
        theta[i] -= rate * g / np.sqrt(squares[i] + epsilon)


@inlined
def adam(theta, squares, means, gradient, rate, clip, n):
    """Take step n (from 1) of Adam with the clipped gradient, in place."""
    real = theta.dtype.type
    mean_weight = real(1 - 0.9)
    square_weight = real(1 - 0.999)
    epsilon = real(1e-8)
    tiny = real(1e-30)
    unbiased_rate = rate / real(1 - 0.9**n)
    unbias = real(1 / np.sqrt(1 - 0.999**n))
    for i in range(len(theta)):
        g = min(max(gradient[i], -clip), clip)
        mean = means[i] + mean_weight * (g - means[i])
        means[i] = mean if abs(mean) > tiny else real(0)  # arithmetic with denormal numbers is many times slower
        squares[i] += square_weight * (g * g - squares[i])
        theta[i] -= unbiased_rate * means[i] / (np.sqrt(squares[i]) * unbias + epsilon)


@inlined
def sgd(theta, gradient, rate, clip):
    """Take a step of stochastic gradient descent with the clipped gradient, in place."""
    for i in range(len(theta)):
        theta[i] -= rate * min(max(gradient[i], -clip), clip)


@inlined
def update(rule, theta, squares, means, gradient, rate, clip, n):
    """Take step n (from 1) of an optimiser, one of `RULES`, in place."""
    if rule == ADAGRAD:
        adagrad(theta, squares, gradient, rate, clip)
    elif rule == ADAM:
        adam(theta, squares, means, gradient, rate, clip, n)
    else:
        sgd(theta, gradient, rate, clip)


@inlined
def transpose(A, out):
    """out <- A^T."""
    for j in range(A.shape[1]):
        for k in range(len(A)):
            out[j, k] = A[k, j]


@inlined
def dot(A, R, out):
    """out <- A R, by BLAS, in parts that are small enough for its kernel for small products."""
    rows = SMALL // R.size // 8 * 8 or len(A)  # that kernel takes eight rows at a time
    for s in range(0, len(A), rows):
        np.dot(A[s : s + rows], R, out[s : s + rows])


@inlined
def dot_of_rows(A, D, out):
    """out <- A^T D, the sum of the outer products of their rows."""
    rows = SMALL // out.size if 64 * out.size <= SMALL else len(A)  # with fewer rows, adding the parts costs more
    np.dot(A[:rows].T, D[:rows], out)
    for s in range(rows, len(A), rows):
        more = np.dot(A[s : s + rows].T, D[s : s + rows])
        for i in range(len(out)):
            for k in range(out.shape[1]):
                out[i, k] += more[i, k]


@inlined
def product(A, R, R_transposed, out):
    """out <- A R, where A has few rows: by BLAS if that is fast for this number of rows, else as a sum of rows."""
    n = len(A)
    if n > 7 and 8 * R.size <= SMALL:
        dot(A, R, out)
    elif n > 16:
        transpose(np.dot(R_transposed, A.T), out)
    else:
        out[:] = 0
        for j in range(0, len(R), 128):  # a part of R that stays in the cache while all rows of A use it
            add_rows(A[:, j : j + 128], R[j : j + 128], out, 0, n // 4 * 4, 4)
            add_rows(A[:, j : j + 128], R[j : j + 128], out, n // 4 * 4, n // 2 * 2, 2)
            add_rows(A[:, j : j + 128], R[j : j + 128], out, n // 2 * 2, n, 1)


@inlined
def add_rows(A, R, out, begin, end, together):
    """out <- out + A R for the rows `begin` to `end` of A: reads four rows of R once for `together` rows of A."""
    for s in range(begin, end, together):
        for j in range(0, len(R) // 4 * 4, 4):
            for i in range(out.shape[1]):
                for a in range(together):
                    sum_of_two = A[s + a, j] * R[j, i] + A[s + a, j + 1] * R[j + 1, i]
                    out[s + a, i] += sum_of_two + A[s + a, j + 2] * R[j + 2, i] + A[s + a, j + 3] * R[j + 3, i]


@inlined
def states_of_one(network, x, h):
    """Fill h[1], h[2], ... from h[0]: the states of one sequence."""
    for t in range(len(x)):
        np.dot(h[t], network.W, h[t + 1])
        code = x[t]
        for i in range(len(network.b)):
            h[t + 1, i] += network.U[code, i] + network.b[i]
        tanh(h[t + 1])


@inlined
def states_of_several(network, W_transposed, x, h, B):
    """Fill the rows of h after the first B: the states of B sequences."""
    m = len(network.b)
    flat = h.reshape(-1)
    for r in range(0, len(x), B):
        product(h[r : r + B], network.W, W_transposed, h[r + B : r + 2 * B])
        for s in range(r, r + B):
            code = x[s]
            for i in range(m):
                h[s + B, i] += network.U[code, i] + network.b[i]
        tanh(flat[(r + B) * m : (r + 2 * B) * m])


@inlined
def forward(network, transposed, x, y, B, h, p, losses):
    """Fill h after its first B rows, p, the losses (in nats, one a character), and `transposed` with W^T and V^T."""
    W_transposed, V_transposed = transposed
    transpose(network.V, V_transposed)
    if B == 1:
        states_of_one(network, x, h)
    else:
        transpose(network.W, W_transposed)
        states_of_several(network, W_transposed, x, h, B)
    rows = len(x)
    K = len(network.c)
    dot(h[B : rows + B], V_transposed, p[:rows])
    scores = np.empty(K + -K % 32, p.dtype)  # padded to whole vectors, because a remainder is slow
    for r in range(rows):
        for k in range(K):
            scores[k] = p[r, k] + network.c[k]
        for k in range(K, len(scores)):
            scores[k] = -np.inf
        score = scores[y[r]]
        losses[r] = softmax(scores) - score
        for k in range(K):
            p[r, k] = scores[k]


@inlined
def back_through_row(x, h, da, dh, gradient):
    """da <- dL/da of a row, and add it to dL/db and dL/dU.

    Before, da is V^T dL/do of this row. dh is W^T dL/da of the next character's row.
    """
    for i in range(len(da)):
        da[i] = (da[i] + dh[i]) * (da.dtype.type(1) - h[i] * h[i])
    for i in range(len(da)):
        gradient.b[i] += da[i]
        gradient.U[x, i] += da[i]


@inlined
def back_through_one(network, x, h, da, dh, gradient):
    """da <- dL/da of one sequence, from its end to its beginning."""
    dh[:] = da.dtype.type(0)
    for t in range(len(x) - 1, -1, -1):
        back_through_row(x[t], h[t + 1], da[t], dh[0], gradient)
        if t > 0:
            np.dot(network.W, da[t], dh[0])


@inlined
def back_through_several(network, W_transposed, x, h, B, da, dh, gradient):
    """da <- dL/da of B sequences, from their ends to their beginnings."""
    dh[:] = da.dtype.type(0)
    for r in range(len(x) - B, -1, -B):
        for s in range(r, r + B):
            back_through_row(x[s], h[s + B], da[s], dh[s - r], gradient)
        if r > 0:
            product(da[r : r + B], W_transposed, network.W, dh)


@inlined
def backward(network, W_transposed, x, y, B, h, p, da, dh, gradient):
    """Fill the gradient of the mean over the B sequences, from the h and p of `forward`; dL/dU must be zero before."""
    rows = len(x)
    K = len(network.c)
    real = p.dtype.type
    gradient.b[:] = real(0)
    gradient.c[:] = real(0)
    do = p  # dL/do_t = p_t - y_t, with y_t one-hot, overwrites p
    for r in range(rows):
        do[r, y[r]] -= real(1)
        for k in range(K):
            do[r, k] /= real(B)
            gradient.c[k] += do[r, k]
    dot(do[:rows], network.V, da[:rows])
    if B == 1:
        back_through_one(network, x, h, da, dh, gradient)
    else:
        back_through_several(network, W_transposed, x, h, B, da, dh, gradient)
    dot_of_rows(h[:rows], da[:rows], gradient.W)
    dot_of_rows(do[:rows], h[B : rows + B], gradient.V)


@inlined
def learn(network, memory, gradient, x, touched, rule, rate, clip):
    """Take a step of an optimiser, and set dL/dU to zero again; `touched` (K,) is all false before and after."""
    squares, means, updates = memory
    updates[0] += 1
    for theta, theta_squares, theta_means, d_theta in (
        (network.W.reshape(-1), squares.W.reshape(-1), means.W.reshape(-1), gradient.W.reshape(-1)),
        (network.V.reshape(-1), squares.V.reshape(-1), means.V.reshape(-1), gradient.V.reshape(-1)),
        (network.b, squares.b, means.b, gradient.b),
        (network.c, squares.c, means.c, gradient.c),
    ):
        update(rule, theta, theta_squares, theta_means, d_theta, rate, clip, updates[0])
    for code in x:
        touched[code] = True
    for k in range(len(network.c)):
        if touched[k] or rule == ADAM:  # only Adam changes weights whose gradient is zero
            update(rule, network.U[k], squares.U[k], means.U[k], gradient.U[k], rate, clip, updates[0])
        if touched[k]:
            gradient.U[k] = theta.dtype.type(0)
            touched[k] = False


@inlined
def begin(h, carried, reset):
    """Copy the carried states, or zeros, into the first rows of h."""
    for s in range(len(carried)):
        for i in range(carried.shape[1]):
            h[s, i] = h.dtype.type(0) if reset else carried[s, i]


@inlined
def carry(h, rows, carried):
    """Copy the states after the last character from h to `carried`."""
    for s in range(len(carried)):
        for i in range(carried.shape[1]):
            carried[s, i] = h[rows + s, i]


@compiled
def _advance(network, memory, carried, sequences, rule, clip, losses):
    B, m = carried.shape
    K = len(network.c)
    most = sequences.codes.shape[1] - B  # rows
    dtype = network.W.dtype
    h = np.zeros((most + B, m), dtype)
    p = np.zeros((most, K), dtype)
    da = np.zeros((most, m), dtype)
    dh = np.zeros((B, m), dtype)
    transposed = np.zeros_like(network.W), np.zeros((m, K), dtype)
    W, U, V, b, c = network
    gradient = Params(np.zeros_like(W), np.zeros_like(U), np.zeros_like(V), np.zeros_like(b), np.zeros_like(c))
    touched = np.zeros(K, np.bool_)
    character_losses = np.zeros(most)
    for n in range(len(losses)):
        rows = sequences.lengths[n] * B
        x = sequences.codes[n, :rows]
        y = sequences.codes[n, B : B + rows]
        begin(h, carried, sequences.resets[n])
        forward(network, transposed, x, y, B, h, p, character_losses)
        losses[n] = character_losses[:rows].sum() / B
        if not np.isfinite(losses[n]):
            break
        carry(h, rows, carried)
        backward(network, transposed[0], x, y, B, h, p, da, dh, gradient)
        learn(network, memory, gradient, x, touched, rule, sequences.rates[n], clip)


@compiled
def _evaluate(network, carried, sequences, character_losses):
    B, m = carried.shape
    K = len(network.c)
    most = sequences.codes.shape[1] - B  # rows
    dtype = network.W.dtype
    h = np.zeros((most + B, m), dtype)
    p = np.zeros((most, K), dtype)
    transposed = np.zeros_like(network.W), np.zeros((m, K), dtype)
    for n in range(len(sequences.lengths)):
        rows = sequences.lengths[n] * B
        x = sequences.codes[n, :rows]
        y = sequences.codes[n, B : B + rows]
        begin(h, carried, sequences.resets[n])
        forward(network, transposed, x, y, B, h, p, character_losses[n])
        carry(h, rows, carried)


def advance(params, memory, h, codes, losses, plan, clip, optimizer):
    """Take len(losses) steps with the compiled code and write the loss of each, in nats per sequence.

    `plan` is a `training.Plan` of len(losses) steps on the text `codes` (N,). `params`, `memory` and the carried states
    `h` (B, m) change in place. Stops at the first loss that is not finite. Raises ValueError if shapes, types or codes
    do not fit, or if a sequence of the plan ends outside the text.
    """
    if optimizer not in RULES:
        raise ValueError(f"the kernel has no optimiser {optimizer!r}: it has {', '.join(RULES)}")
    dtype = params.W.dtype
    _expect_steps(params, memory, h, losses, plan)
    sequences = _sequences(codes, plan, len(params.c))
    given = (params, memory.squares, memory.means)
    copies = [_network(thetas, params, len(h)) for thetas in given]
    network, squares, means = copies
    carried = padded(h, len(h), len(network.b))
    with one_thread():
        memory_copy = Memory(squares, means, memory.updates)
        _advance(network, memory_copy, carried, sequences, RULES[optimizer], dtype.type(clip), losses)
    for thetas, changed in zip(given, copies, strict=True):
        for theta, changed_theta in zip(thetas, changed._replace(W=changed.W.T, U=changed.U.T), strict=True):
            theta[:] = changed_theta[tuple(map(slice, theta.shape))]
    h[:] = carried[:, : len(params.b)]


def _expect_steps(params, memory, h, losses, plan):
    """Raise ValueError if the arguments of `advance` do not fit each other."""
    n, B = plan.starts.shape
    dtype = params.W.dtype
    _expect(plan.starts, int, n, B)
    _expect(plan.lengths, int, n)
    _expect(plan.resets, bool, n)
    _expect(plan.rates, dtype, n)
    _expect(h, dtype, B, len(params.b))
    _expect(losses, float, n)
    _expect(memory.updates, int, 1)


def _sequences(codes, plan, K):
    """Return the `Sequences` that the steps of a plan read."""
    longest = plan.lengths.max(initial=1)
    in_rows = _in_rows(codes, plan.starts, plan.lengths, longest, K)
    return Sequences(in_rows, plan.lengths, plan.resets, plan.rates)


def evaluate(params, h, codes):
    """Return -log p (..., N - 1), in nats, of all but the first of the codes (..., N), read from the states h (..., m).

    Raises ValueError if shapes, types or codes do not fit.
    """
    losses, _ = _read(params, h, codes)
    return losses


def states_after(params, h, codes):
    """Return the states (..., m) after reading the codes (..., N) from the states h (..., m).

    Raises ValueError if shapes, types or codes do not fit.
    """
    _, states = _read(params, h, np.concatenate((codes, codes[..., -1:]), axis=-1))  # any target for the last code
    return states


def _read(params, h, codes):
    """Return (losses, states): see `evaluate` for the losses; the states (..., m) are those before the last code."""
    network = _network(params, like=params)
    *places, N = codes.shape
    _expect(h, params.W.dtype, *places, len(params.b))
    B = math.prod(places)
    dtype = params.W.dtype
    first = np.arange(0, N - 1, PIECE)
    starts = first[:, None] + N * np.arange(B)
    lengths = np.minimum(PIECE, N - 1 - first)
    in_rows = _in_rows(codes.reshape(-1), starts, lengths, PIECE, len(params.c))
    sequences = Sequences(in_rows, lengths, np.zeros(len(first), bool), np.zeros(len(first), dtype))
    carried = padded(h.reshape(B, -1), B, len(network.b))
    character_losses = np.empty((len(first), PIECE * B))
    with one_thread():
        _evaluate(network, carried, sequences, character_losses)
    losses = character_losses.reshape(-1, B)[: max(0, N - 1)].T.reshape(*places, -1)
    return losses, carried[:, : len(params.b)].reshape(h.shape)


def _expect(array, dtype, *shape):
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"expected {shape} of {np.dtype(dtype)}, got {array.shape} of {array.dtype}")


def _in_rows(codes, starts, lengths, T, K):
    """Return the codes (n, (T + 1) B) of sequences that begin at `starts` (n, B), in rows for the compiled code."""
    last = starts + lengths[:, None]  # the places of the last targets
    if starts.min(initial=0) < 0 or lengths.min(initial=1) < 1 or last.max(initial=0) >= len(codes):
        raise ValueError(f"a sequence of the plan ends outside the text, which has {len(codes):,} characters")
    in_rows = codes[np.minimum(starts[:, None] + np.arange(T + 1)[:, None], last[:, None])]
    are_codes = codes.ndim == 1 and codes.dtype.kind in "ui"
    if not (are_codes and in_rows.min(initial=0) >= 0 and in_rows.max(initial=0) < K):
        raise ValueError(f"expected codes from 0 to {K - 1}, got {codes}")
    return in_rows.astype(np.intp).reshape(-1, (T + 1) * starts.shape[1])


def _network(params, like, B=1):
    """Return copies of parameters for the compiled code: W and U transposed, rows padded with zeros.

    Raises ValueError if their shapes and types are not those of `like`.
    """
    K, m = like.V.shape
    dtype = like.W.dtype if like.W.dtype in (np.float32, np.float64) else float
    for theta, shape in zip(params, ((m, m), (m, K), (K, m), (m,), (K,)), strict=True):
        _expect(theta, dtype, *shape)
    M = width(m, B)
    W, U, V, b, c = params
    return Params(padded(W.T, M, M), padded(U.T, K, M), padded(V, K, M), padded(b, M), padded(c, K))


def width(m, B=1):
    """Return the length of a row of m units, padded with zeros, if B sequences are read at a time.

    Our own loops need whole vectors; where BLAS computes all products, padding would only slow it down.
    """
    return m + -m % (4 if B > 7 and 8 * m * m <= SMALL else 8)


def padded(array, *shape):
    """Return a contiguous copy of the given shape, padded with zeros, that begins at a cache line."""
    size = math.prod(shape)
    room = np.zeros(size + 64, array.dtype)
    begin = -room.ctypes.data % 64 // array.itemsize
    padded = room[begin : begin + size].reshape(shape)
    padded[tuple(map(slice, array.shape))] = array
    return padded

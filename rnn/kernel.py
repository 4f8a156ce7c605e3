"""The mathematics of `model.py`, compiled: many steps of training, the loss of a text, and sampling.

Numba makes machine code of these loops. Four things make them fast: the products with matrices go to the BLAS library,
those over a whole sequence at once; every loop of our own runs along a row, which feeds the processor's vector units;
tanh and exp are written as arithmetic, because a call into a library cannot be vectorised; and AdaGrad updates only
those columns of U that the sequences touched. U comes transposed everywhere, (K, m), so that such a column is a row.

B sequences of T characters lie in T B rows: row t B + s is character t of sequence s.
"""

import numpy as np
import scipy.linalg.blas  # noqa: F401  what Numba's np.dot calls: loaded here, so that the limit below reaches it
from numba import njit
from threadpoolctl import threadpool_limits

# these matrices are too small for more than one thread, and a second one would change the rounding
threadpool_limits(1, user_api="blas")

# sums may be reordered and products fused, but NaN and infinity keep their meaning: a diverging run must be seen
_relaxed = {"reassoc", "contract", "arcp", "nsz"}
compiled = njit(fastmath=_relaxed, error_model="numpy", nogil=True, cache=True)
# inlined, because a helper that stays a function of its own may be compiled in two ways, with two roundings: one in the
# process that compiles, another in those that load the cache
inlined = njit(fastmath=_relaxed, error_model="numpy", forceinline=True)


@inlined
def tanh(a):
    """a <- tanh a: Lambert's fraction, cut at the ninth, at a/16; four times tanh 2x = 2 tanh x/(1 + tanh^2 x)."""
    real = a.dtype.type
    for i in range(len(a)):
        x = min(max(a[i], real(-20)), real(20)) * real(1 / 16)
        z = x * x
        numerator = (((z + real(990)) * z + real(135135)) * z + real(4729725)) * z + real(34459425)
        denominator = (((real(45) * z + real(13860)) * z + real(945945)) * z + real(16216200)) * z + real(34459425)
        t = x * numerator / denominator
        t = real(2) * t / (real(1) + t * t)
        t = real(2) * t / (real(1) + t * t)
        t = real(2) * t / (real(1) + t * t)
        a[i] = real(2) * t / (real(1) + t * t)


@inlined
def softmax(o):
    """o <- softmax o, and return log sum exp o; exp z is (exp z/64)^64, the inner one its Taylor polynomial."""
    real = o.dtype.type
    largest = o[0]
    for k in range(len(o)):
        largest = max(largest, o[k])
    total = real(0)
    for k in range(len(o)):
        z = max(o[k] - largest, real(-64)) * real(1 / 64)
        e = real(1 / 39916800)
        for n in (3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1):
            e = e * z + real(1 / n)
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        o[k] = e * e
        total += o[k]
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
    of_mean, of_square, epsilon = real(1 - 0.9), real(1 - 0.999), real(1e-8)
    unbiased_rate, unbias = rate / real(1 - 0.9**n), real(1 / np.sqrt(1 - 0.999**n))
    for i in range(len(theta)):
        g = min(max(gradient[i], -clip), clip)
        means[i] += of_mean * (g - means[i])
        squares[i] += of_square * (g * g - squares[i])
        theta[i] -= unbiased_rate * means[i] / (np.sqrt(squares[i]) * unbias + epsilon)


@inlined
def forward(params, x, y, h, p, loss, rows, B):
    """From the states in the first B rows of h, fill the next `rows` of h, and `rows` of p and of the loss in nats."""
    W, U, V, b, c = params
    K, m = V.shape
    for r in range(0, rows, B):
        if B == 1:
            np.dot(W, h[r], h[r + 1])
        else:
            np.dot(h[r : r + B], W.T, h[r + B : r + 2 * B])
        for s in range(r, r + B):
            for i in range(m):
                h[s + B, i] += U[x[s], i] + b[i]
            tanh(h[s + B])
    np.dot(h[B : rows + B], V.T, p[:rows])
    for r in range(rows):
        for k in range(K):
            p[r, k] += c[k]
        score = p[r, y[r]]
        loss[r] = softmax(p[r]) - score


@compiled
def advance(params, memory, h0, codes, losses, plan, T, clip, use_adam):
    """Take len(losses) steps in place; `plan` is a `training.Plan`, the rest the arguments of `training.advance`."""
    W, U, V, b, c = params
    squares, means, updates = memory
    (K, m), B = V.shape, len(h0)
    real = W.dtype.type
    x, y, loss = np.zeros(T * B, np.intp), np.zeros(T * B, np.intp), np.zeros(T * B)
    h, p, da = np.zeros((T * B + B, m), W.dtype), np.zeros((T * B, K), W.dtype), np.zeros((T * B, m), W.dtype)
    from_next = np.zeros((B, m), W.dtype)
    dW, dU, dV, db, dc = np.zeros_like(W), np.zeros_like(U), np.zeros_like(V), np.zeros_like(b), np.zeros_like(c)
    touched = np.zeros(K, np.bool_)
    for n in range(len(losses)):
        rows, rate = plan.lengths[n] * B, plan.rates[n]
        for r in range(rows):
            at = plan.starts[n, r % B] + r // B
            x[r], y[r] = codes[at], codes[at + 1]
        if plan.fresh[n]:
            h0[:] = real(0)
        h[:B] = h0
        forward(params, x, y, h, p, loss, rows, B)
        losses[n] = loss[:rows].sum() / B
        if not np.isfinite(losses[n]):
            break

        do = p  # dL/do_t = p_t - one-hot(y_t), made of p in place, and divided by B: the loss is a mean
        for r in range(rows):
            do[r, y[r]] -= real(1)
            if B > 1:
                for k in range(K):
                    do[r, k] /= real(B)
        np.dot(do[:rows], V, da[:rows])  # dL/dh_t, of which dL/da_t is made in place
        from_next[:] = real(0)
        for r in range(rows - B, -1, -B):
            for s in range(B):
                for i in range(m):
                    da[r + s, i] = (da[r + s, i] + from_next[s, i]) * (real(1) - h[r + s + B, i] * h[r + s + B, i])
            if B == 1:
                np.dot(W.T, da[r], from_next[0])
            else:
                np.dot(da[r : r + B], W, from_next)
        np.dot(da[:rows].T, h[:rows], dW)
        np.dot(do[:rows].T, h[B : rows + B], dV)
        db[:] = real(0)
        dc[:] = real(0)
        for r in range(rows):
            touched[x[r]] = True
            for i in range(m):
                db[i] += da[r, i]
                dU[x[r], i] += da[r, i]
            for k in range(K):
                dc[k] += do[r, k]

        h0[:] = h[rows : rows + B]
        updates[0] += 1
        if use_adam:
            for i in range(m):
                adam(W[i], squares.W[i], means.W[i], dW[i], rate, clip, updates[0])
            for k in range(K):
                adam(V[k], squares.V[k], means.V[k], dV[k], rate, clip, updates[0])
                adam(U[k], squares.U[k], means.U[k], dU[k], rate, clip, updates[0])
            adam(b, squares.b, means.b, db, rate, clip, updates[0])
            adam(c, squares.c, means.c, dc, rate, clip, updates[0])
        else:
            for i in range(m):
                adagrad(W[i], squares.W[i], dW[i], rate, clip)
            for k in range(K):
                adagrad(V[k], squares.V[k], dV[k], rate, clip)
                if touched[k]:
                    adagrad(U[k], squares.U[k], dU[k], rate, clip)
            adagrad(b, squares.b, db, rate, clip)
            adagrad(c, squares.c, dc, rate, clip)
        for r in range(rows):
            dU[x[r]] = real(0)
            touched[x[r]] = False


@compiled
def evaluate(params, h, codes, losses):
    """Fill losses[n] with -log p(codes[n + 1]) in nats, given all codes before it, from the state h (m,), in place."""
    _, _, V, _, _ = params
    (K, m), T = V.shape, 64
    states, p = np.zeros((T + 1, m), V.dtype), np.zeros((T, K), V.dtype)
    for start in range(0, len(losses), T):
        rows = min(T, len(losses) - start)
        states[0] = h
        forward(params, codes[start:], codes[start + 1 :], states, p, losses[start:], rows, 1)
        h[:] = states[rows]


@compiled
def sample(params, h, uniforms, temperature, top_p, codes):
    """Draw codes[n] for each of the `uniforms` in [0, 1), in place, from the state h (m,), which is changed too.

    `params` has U transposed. The distribution is that of `sampling.next_distribution`, and in its type, float64.
    """
    W, U, V, b, c = params
    K, m = V.shape
    o, p, a = np.empty(K, W.dtype), np.empty(K), np.empty(m, W.dtype)
    for n in range(len(codes)):
        np.dot(V, h, o)
        for k in range(K):
            p[k] = (o[k] + c[k]) / temperature
        softmax(p)
        if top_p < 1:
            order = np.argsort(-p, kind="mergesort")
            total, kept = 0.0, 0
            while kept < K and total < top_p:
                total += p[order[kept]]
                kept += 1
            p[order[kept:]] = 0.0
        code, below = 0, p[0]
        target = uniforms[n] * p.sum()
        while below <= target and code < K - 1:
            code += 1
            below += p[code]
        codes[n] = code
        np.dot(W, h, a)
        for i in range(m):
            a[i] += U[code, i] + b[i]
        tanh(a)
        h[:] = a

"""The mathematics of `model.py`, compiled: n steps of forward, backward and AdaGrad, in place.

Numba makes machine code of these loops. Four things make them fast: the products with matrices go to the BLAS library,
those over a whole sequence at once; every loop of our own runs along a row, which feeds the processor's vector units;
tanh and exp are written as arithmetic, because a call into a library cannot be vectorised; and of U only the columns
that the sequence touched are updated. U and its memory come transposed, (K, m), so that such a column is a row.
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
def adagrad(theta, memory, gradient, rate, clip):
    """One step of AdaGrad, in place, of the clipped gradient."""
    epsilon = theta.dtype.type(1e-8)
    for i in range(len(theta)):
        g = min(max(gradient[i], -clip), clip)
        memory[i] += g * g
        theta[i] -= rate * g / np.sqrt(memory[i] + epsilon)


@compiled
def advance(params, memory, h0, codes, step, losses, T, steps_per_epoch, rate, clip):
    """Take len(losses) steps in place; the arguments are those of `training.advance`, U transposed."""
    W, U, V, b, c = params
    K, m = V.shape
    real = W.dtype.type
    h = np.zeros((T + 1, m), W.dtype)
    p = np.zeros((T, K), W.dtype)
    da = np.zeros((T, m), W.dtype)
    from_next = np.zeros(m, W.dtype)
    dW, dU, dV = np.zeros_like(W), np.zeros((T, m), W.dtype), np.zeros_like(V)
    db, dc = np.zeros_like(b), np.zeros_like(c)
    for n in range(len(losses)):
        start = (step + n) % steps_per_epoch * T
        if start == 0:
            h0[:] = real(0)
        length = min(T, len(codes) - 1 - start)
        x, y = codes[start:], codes[start + 1 :]

        h[0] = h0
        loss = 0.0
        for t in range(length):
            np.dot(W, h[t], h[t + 1])
            for i in range(m):
                h[t + 1, i] += U[x[t], i] + b[i]
            tanh(h[t + 1])
        np.dot(h[1 : length + 1], V.T, p[:length])
        for t in range(length):
            for k in range(K):
                p[t, k] += c[k]
            score = p[t, y[t]]
            loss += softmax(p[t]) - score
        losses[n] = loss
        if not np.isfinite(loss):
            break

        do = p  # dL/do_t = p_t - one-hot(y_t), made of p in place
        for t in range(length):
            do[t, y[t]] -= real(1)
        np.dot(do[:length], V, da[:length])  # dL/dh_t, of which dL/da_t is made in place
        from_next[:] = real(0)
        for t in range(length - 1, -1, -1):
            for i in range(m):
                da[t, i] = (da[t, i] + from_next[i]) * (real(1) - h[t + 1, i] * h[t + 1, i])
            np.dot(W.T, da[t], from_next)
        np.dot(da[:length].T, h[:length], dW)
        np.dot(do[:length].T, h[1 : length + 1], dV)
        db[:] = real(0)
        dc[:] = real(0)
        for t in range(length):
            for i in range(m):
                db[i] += da[t, i]
            for k in range(K):
                dc[k] += do[t, k]

        h0[:] = h[length]
        for i in range(m):
            adagrad(W[i], memory.W[i], dW[i], rate, clip)
        for k in range(K):
            adagrad(V[k], memory.V[k], dV[k], rate, clip)
        adagrad(b, memory.b, db, rate, clip)
        adagrad(c, memory.c, dc, rate, clip)
        for t in range(length):
            first = t
            for s in range(t):
                if x[s] == x[t]:
                    first = s
                    break
            if first == t:
                dU[t] = da[t]
                for s in range(t + 1, length):
                    if x[s] == x[t]:
                        for i in range(m):
                            dU[t, i] += da[s, i]
                adagrad(U[x[t]], memory.U[x[t]], dU[t], rate, clip)


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

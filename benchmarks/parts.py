"""What a step of the kernel goes to: each kind of work alone, at the sizes of a step, as often as a step does it."""

import time

import numpy as np

from rnn import kernel


@kernel.compiled
def recurrent_products(W, h, out, steps):
    """W h forward and W^T dL/da back, one after the other for each character."""
    for _ in range(steps):
        for t in range(len(h)):
            np.dot(W, h[t], out)
            np.dot(W.T, h[t], out)


@kernel.compiled
def sequence_products(h, p, V, dW, dV, dh, steps):
    """The scores, what reaches h from them, and the gradients of W and V: over the whole sequence at once."""
    for _ in range(steps):
        np.dot(h, V.T, p)
        np.dot(p, V, dh)
        np.dot(dh.T, h, dW)
        np.dot(p.T, h, dV)


@kernel.compiled
def updates(W, V, memory_W, memory_V, dW, dV, rate, clip, steps):
    """AdaGrad for W and V."""
    for _ in range(steps):
        for i in range(len(W)):
            kernel.adagrad(W[i], memory_W[i], dW[i], rate, clip)
        for k in range(len(V)):
            kernel.adagrad(V[k], memory_V[k], dV[k], rate, clip)


@kernel.compiled
def functions(h, p, steps):
    """Tanh of every state, softmax of every score."""
    for _ in range(steps):
        for t in range(len(h)):
            kernel.tanh(h[t])
            kernel.softmax(p[t])


def measure(K, m, T=25, steps=2_000, repeats=7):
    """Return {kind of work: microseconds a step}, medians, in float32."""
    rng = np.random.default_rng(0)
    W, V, h, p, out, dW, dV, dh = (
        rng.normal(0, 0.1, shape).astype(np.float32)
        for shape in ((m, m), (K, m), (T, m), (T, K), m, (m, m), (K, m), (T, m))
    )
    calls = {
        "W with a vector, forward and back": (recurrent_products, (W, h, out)),
        "products over the sequence": (sequence_products, (h, p, V, dW, dV, dh)),
        "AdaGrad of W and V": (updates, (W, V, W * W, V * V, dW, dV, np.float32(1e-6), np.float32(5))),
        "tanh and softmax": (functions, (h, p)),
    }
    taken = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, (work, arrays) in calls.items():
            began = time.perf_counter()
            work(*arrays, steps)
            if repeat:  # the first compiles
                taken[name].append((time.perf_counter() - began) / steps * 1e6)
    return {name: float(np.median(times)) for name, times in taken.items()}

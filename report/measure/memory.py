"""What a network remembers: how far back the gradient reaches, and what the characters further back are worth."""

import itertools

import numpy as np

from rnn.model import Params, softmax


def states(params, codes, h):
    """Return h_0 .. h_N (N + 1, m), the states before and after each of the codes (N,), h_0 being h (m,)."""
    W, U, _, b, _ = params
    of_text = np.vstack((np.asarray(h, W.dtype), U.T[codes] + b))
    for before, a in itertools.pairwise(of_text):
        np.tanh(W.dot(before) + a, out=a)
    return of_text


def states_after(params, h, x):
    """Return the states (places, m) after x (places, k), read from h (places, m)."""
    W, U, _, b, _ = params
    for code in x.T:
        h = np.tanh(h @ W.T + U.T[code] + b)
    return h


def losses_at(o, y, temperature=1):
    """Return the bits (n,) for the characters y (n,), given scores o (n, K), at a temperature."""
    z = o / temperature
    z = z - z.max(axis=1, keepdims=True)
    return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]) / np.log(2)


def bits_from(params, h, y):
    """Return the bits (places,) for the characters y (places,) that follow the states h (places, m)."""
    _, _, V, _, c = params
    return losses_at(h @ V.T + c, y)


def bits_after(params, h, x, y):
    """Return the bits (places,) for the characters y (places,) that follow x (places, k), read from h (places, m)."""
    return bits_from(params, states_after(params, h, x), y)


def windows(codes, places, length):
    """Return the `length` codes before each of the places, (places, length)."""
    return codes[np.asarray(places)[:, None] + np.arange(-length, 0)]


def shuffled_before(x, k, rng):
    """Return x (places, n) with all but the last k characters of each row in random order."""
    x = x.copy()
    x[:, : x.shape[1] - k] = rng.permuted(x[:, : x.shape[1] - k], axis=1)
    return x


def gradient_norms(params, h, codes, places, reach):
    """Return |dL_t/dh_{t-k}| (reach + 1, places) of the loss L_t of codes[t] alone, for k = 0 .. `reach`.

    h (N + 1, m) are the `states` of the text: h[t] is what codes[t] is predicted from. Step by step backwards,
    dL_t/dh_{t-k-1} = W^T diag(1 - h_{t-k}^2) dL_t/dh_{t-k} (Pascanu, Mikolov and Bengio, 2013).
    """
    W, _, V, _, c = Params(*(theta.astype(float) for theta in params))  # what vanishes soon leaves float32
    h, t = h.astype(float), np.asarray(places)
    do = softmax(h[t] @ V.T + c)
    do[np.arange(len(t)), codes[t]] -= 1
    dh = do @ V
    norms = [np.linalg.norm(dh, axis=1)]
    for k in range(reach):
        dh = (dh * (1 - h[t - k] ** 2)) @ W
        norms.append(np.linalg.norm(dh, axis=1))
    return np.array(norms)


def spectral_radius(W, h=None):
    """Return the largest |eigenvalue| of W; of the Jacobians dh_t/dh_{t-1} = diag(1 - h^2) W at states h (n, m)."""
    J = W if h is None else (1 - h[..., None] ** 2) * W
    return np.abs(np.linalg.eigvals(J)).max(axis=-1)


def horizon(lost, at_most):
    """Return the first k from which on {k: `Estimate` of the bits lost} stays below `at_most` with its interval.

    NaN where it never does.
    """
    reached = np.nan
    for k, estimate in sorted(lost.items(), reverse=True):
        if not estimate.value + estimate.half < at_most:
            break
        reached = k
    return reached


def clock(h, longest):
    """Return the share (longest,) of the states' variance, h (N, m), that t modulo 1, 2, ... `longest` accounts for.

    A network that counts characters in a circle, whatever they are, has a large share at the length of the circle.
    """
    h = h.astype(float)
    h -= h.mean(axis=0)
    variance, shares = (h**2).sum(), np.zeros(longest)
    for n in range(2, longest + 1):
        of_phases = [h[phase::n] for phase in range(n)]
        of_means = sum(len(of) * (of.mean(axis=0) ** 2).sum() for of in of_phases)
        shares[n - 1] = of_means / variance if variance > 1e-9 * h.size else 0
    return shares


def period(shares):
    """Return the number of characters in the circle that a network counts in, by its `clock`; NaN if it has none.

    It has none if no circle accounts for a tenth of the variance.
    """
    return np.flatnonzero(shares > 0.95 * shares.max())[0] + 1.0 if shares.max() > 0.1 else np.nan


def largest_eigenvalue(W):
    """Return the eigenvalue of W, a complex number, that has the largest absolute value."""
    eigenvalues = np.linalg.eigvals(W)
    return complex(eigenvalues[np.abs(eigenvalues).argmax()])


def turn(eigenvalue):
    """Return how many steps an eigenvalue takes to turn once around zero, 2 pi / |arg|; NaN of a positive one."""
    angle = abs(np.angle(eigenvalue))
    return 2 * np.pi / angle if angle > 0 else np.nan

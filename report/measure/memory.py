"""What a network remembers: how far back the gradient reaches, and what the characters further back are worth."""

import numpy as np
import pandas as pd

from report.measure import held_out
from report.measure.statistics import mean_where
from rnn import model
from rnn.engine import kernel
from rnn.model import Params, softmax

PIECE = 1_000  # characters that are read at a time: predictions of all of them would fill the memory
AT_ONCE = 200_000  # probabilities of a character at that many places times K, for the same reason
CLOCK = 5_000  # characters in which a clock is looked for
LONGEST_CIRCLE = 12  # characters


def states(params, codes, h):
    """Return h_0 .. h_N (N + 1, m), the states before and after each of the codes (N,), h_0 being h (m,)."""
    of_text = [np.asarray(h, params.W.dtype)[None]]
    for begin in range(0, len(codes), PIECE):
        of_piece, _ = model.forward(params, codes[begin : begin + PIECE], of_text[-1][-1])
        of_text.append(of_piece[1:])
    return np.concatenate(of_text)


def bits_after(params, h, x, y):
    """Return the bits (places,) for the characters y (places,) that follow x (places, k), read from h (places, m)."""
    codes = np.column_stack((x, y))
    rows = max(1, AT_ONCE // len(params.c))
    pieces = [kernel.evaluate(params, h[n : n + rows], codes[n : n + rows])[:, -1] for n in range(0, len(y), rows)]
    return np.concatenate(pieces) / np.log(2)


def windows(codes, places, length):
    """Return the `length` codes before each of the places, (places, length)."""
    return codes[np.asarray(places)[:, None] + np.arange(-length, 0)]


def shuffled_before(x, k, rng):
    """Return x (places, n) with all but the last k characters of each row in random order."""
    x = x.copy()
    x[:, : x.shape[1] - k] = rng.permuted(x[:, : x.shape[1] - k], axis=1)
    return x


def context(params, h, text, places, reach, rng, shuffled=100, at_most=20):
    """Return what the last k characters are worth: a DataFrame with a row for each k of `reach`, ascending.

    h (N + 1, m) are the `states` of the codes `text`. At each of the places the network gets the state of another one,
    reads the k characters before it and predicts the next. "bits" is the mean over the places, "lost" the `Estimate` of
    the bits lost against all that was read, and "shuffled" the same if the network reads `shuffled` characters, all but
    the last k in random order; None for a k above `at_most`. "changed" is the share of places at which the bits differ
    by more than 0.01.
    """
    y, elsewhere = text[places], h[rng.permutation(places)]
    known = kernel.evaluate(params, h[0], text)[places - 1] / np.log(2)
    rows = []
    for k in reach:
        after = bits_after(params, elsewhere, windows(text, places, k), y)
        row = {"bits": after.mean(), "lost": mean_where(after - known, y >= 0), "shuffled": None}
        if k <= at_most:
            mixed = shuffled_before(windows(text, places, shuffled), k, rng)
            row["shuffled"] = mean_where(bits_after(params, elsewhere, mixed, y) - known, y >= 0)
        rows.append(row | {"changed": (np.abs(after - known) > 0.01).mean()})
    return pd.DataFrame(rows, pd.Index(reach, name="k"))


def horizon(lost, at_most):
    """Return the first k from which on the `Estimate`s of the bits lost (a Series by k) stay below `at_most`.

    They do with their whole interval. NaN where they never do.
    """
    reached = np.nan
    for k, estimate in lost.sort_index(ascending=False).items():
        if not estimate.value + estimate.half < at_most:
            break
        reached = k
    return reached


def gradients(networks, text, places, reach):
    """Return the `gradient_norms` of {label: `Run`}, {(label, "first weights" or "trained"): (reach + 1, places)}."""
    norms = {}
    for label, run in networks.items():
        for when, step in (("first weights", 0), ("trained", None)):
            state = run.state(step)
            h = states(state.params, text, state.h[-1])
            norms[label, when] = gradient_norms(state.params, h, text, places, reach)
    return norms


def radii(networks, norms, text, places):
    """Return the spectral radii of {label: `Run`}: a DataFrame with a row for each key of `norms`, see `gradients`.

    ρ(W); the median radius of the Jacobians dh_t/dh_{t-1} at the places; and the k at which the median gradient has
    fallen to a hundredth, NaN where it does not.
    """
    rows = []
    for (label, when), of_places in norms.items():
        state = networks[label].state(0 if when == "first weights" else None)
        h = states(state.params, text, state.h[-1])[places]
        median = np.median(of_places, axis=1)
        fallen = np.flatnonzero(median < median[0] / 100)
        rows.append(
            {
                "ρ(W)": spectral_radius(state.params.W),
                "Jacobian, median": np.median(spectral_radius(state.params.W, h)),
                "a hundredth at k =": fallen[0] if len(fallen) else np.nan,
            }
        )
    return pd.DataFrame(rows, pd.MultiIndex.from_tuples(norms, names=["network", "weights"]))


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


def clock(h, longest):
    """Return the share (longest,) of the states' variance, h (N, m), that t modulo 1, 2, ... `longest` accounts for.

    A network that counts characters in a circle, whatever they are, has a large share at the length of the circle.
    """
    h = h.astype(float)
    h -= h.mean(axis=0)
    variance, shares = (h**2).sum(), np.zeros(longest)
    for n in range(2, longest + 1):
        of_phases = [h[begin::n] for begin in range(n)]
        of_means = sum(len(phase) * (phase.mean(axis=0) ** 2).sum() for phase in of_phases)
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


def clocks(runs, text, codes, test):
    """Return which of {label: `Run`} are clocks: a DataFrame with a row for each.

    The eigenvalue of W with the largest |λ|, the characters in which it turns once, the period of the `clock`, its
    share of the variance while the network reads the codes `text`, and the bits per character of codes[test].
    """
    rows = []
    for run in runs.values():
        state = run.state()
        shares = clock(states(state.params, text[:CLOCK], state.h[-1])[100:], LONGEST_CIRCLE)
        eigenvalue = largest_eigenvalue(state.params.W)
        rows.append(
            {
                "|λ|": abs(eigenvalue),
                "turn, characters": turn(eigenvalue),
                "clock’s period": period(shares),
                "share of variance": shares.max(),
                "test, bits": held_out.late_bits(run, codes, test).mean(),
            }
        )
    return pd.DataFrame(rows, pd.Index(runs, name="network"))

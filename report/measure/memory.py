"""How far back a network remembers: the reach of the gradient, the worth of earlier characters, and clocks."""

import numpy as np
import pandas as pd

from report.measure import held_out
from report.measure.statistics import mean_where
from rnn import model
from rnn.engine import kernel
from rnn.model import Params, softmax

PIECE = 1_000  # characters read at a time: the predictions for a whole text would fill the memory
AT_ONCE = 200_000  # probabilities computed at a time, for the same reason
CLOCK = 5_000  # characters in which we look for a clock
LONGEST_CIRCLE = 12  # characters: the longest period of a clock


def states(params, codes, h):
    """Return the states h_0 to h_N (N + 1, m) before and after each of the codes (N,), with h_0 = h (m,)."""
    text_states = [np.asarray(h, params.W.dtype)[None]]
    for begin in range(0, len(codes), PIECE):
        piece_states, _ = model.forward(params, codes[begin : begin + PIECE], text_states[-1][-1])
        text_states.append(piece_states[1:])
    return np.concatenate(text_states)


def bits_after(params, h, x, y):
    """Return the bits (places,) of the characters y (places,) that follow x (places, k), read from h (places, m)."""
    codes = np.column_stack((x, y))
    rows = max(1, AT_ONCE // len(params.c))
    pieces = [kernel.evaluate(params, h[n : n + rows], codes[n : n + rows])[:, -1] for n in range(0, len(y), rows)]
    return np.concatenate(pieces) / np.log(2)


def windows(codes, places, length):
    """Return the `length` codes before each place, (places, length)."""
    return codes[np.asarray(places)[:, None] + np.arange(-length, 0)]


def shuffled_before(x, k, rng):
    """Return x (places, n) with each row shuffled, except for its last k characters."""
    x = x.copy()
    x[:, : x.shape[1] - k] = rng.permuted(x[:, : x.shape[1] - k], axis=1)
    return x


def context(params, h, text, places, reach, rng, shuffled=100, at_most=20):
    """Return a DataFrame with a row for each k of `reach` (ascending): how well the last k characters predict the next.

    h (N + 1, m) are the `states` of the codes `text`. At each place the network gets the state of another place, reads
    the k characters before this place and predicts the next one. "bits" is the mean over the places. "cost" is the
    `Estimate` of the extra bits compared with reading everything. "shuffled" is that cost if the network reads
    `shuffled` characters before the place, all but the last k in random order; None if k is above `at_most`. "changed"
    is the share of places at which the bits change by more than 0.01.
    """
    y = text[places]
    elsewhere = h[rng.permutation(places)]
    after_all = kernel.evaluate(params, h[0], text)[places - 1] / np.log(2)
    rows = []
    for k in reach:
        after = bits_after(params, elsewhere, windows(text, places, k), y)
        row = {"bits": after.mean(), "cost": mean_where(after - after_all, y >= 0), "shuffled": None}
        if k <= at_most:
            mixed = shuffled_before(windows(text, places, shuffled), k, rng)
            row["shuffled"] = mean_where(bits_after(params, elsewhere, mixed, y) - after_all, y >= 0)
        rows.append(row | {"changed": (np.abs(after - after_all) > 0.01).mean()})
    return pd.DataFrame(rows, pd.Index(reach, name="k"))


def horizon(costs, at_most):
    """Return the first k from which on the costs, a Series of `Estimate` by k, stay below `at_most` bits.

    The whole interval must be below it. NaN if that never happens.
    """
    reached = np.nan
    for k, estimate in costs.sort_index(ascending=False).items():
        if not estimate.value + estimate.half < at_most:
            break
        reached = k
    return reached


def gradients(networks, text, places, reach):
    """Return {(label, "first weights" or "trained"): `gradient_norms` (reach + 1, places)} for {label: `Run`}."""
    norms = {}
    for label, run in networks.items():
        for when, step in (("first weights", 0), ("trained", None)):
            state = run.state(step)
            h = states(state.params, text, state.h[-1])
            norms[label, when] = gradient_norms(state.params, h, text, places, reach)
    return norms


def radii(networks, norms, text, places):
    """Return a DataFrame of the spectral radii of {label: `Run`}, with a row for each key of `norms` (see `gradients`).

    The columns are ρ(W), the median radius of the Jacobians dh_t/dh_{t-1} at the places, and the k at which the median
    gradient has fallen to a hundredth (NaN if it has not).
    """
    rows = []
    for (label, when), place_norms in norms.items():
        state = networks[label].state(0 if when == "first weights" else None)
        h = states(state.params, text, state.h[-1])[places]
        median = np.median(place_norms, axis=1)
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
    """Return |dL_t/dh_{t-k}| (reach + 1, places) for k = 0 to `reach`, where L_t is the loss of codes[t] alone.

    h (N + 1, m) are the `states` of the text; codes[t] is predicted from h[t]. Going backwards,
    dL_t/dh_{t-k-1} = W^T diag(1 - h_{t-k}^2) dL_t/dh_{t-k} (Pascanu, Mikolov and Bengio, 2013).
    """
    W, _, V, _, c = Params(*(theta.astype(float) for theta in params))  # vanishing gradients underflow in float32
    h = h.astype(float)
    t = np.asarray(places)
    do = softmax(h[t] @ V.T + c)
    do[np.arange(len(t)), codes[t]] -= 1
    dh = do @ V
    norms = [np.linalg.norm(dh, axis=1)]
    for k in range(reach):
        dh = (dh * (1 - h[t - k] ** 2)) @ W
        norms.append(np.linalg.norm(dh, axis=1))
    return np.array(norms)


def spectral_radius(W, h=None):
    """Return the largest |eigenvalue| of W, or (n,) those of the Jacobians diag(1 - h^2) W at the states h (n, m)."""
    J = W if h is None else (1 - h[..., None] ** 2) * W
    return np.abs(np.linalg.eigvals(J)).max(axis=-1)


def clock(h, longest):
    """Return the share (longest,) of the variance of the states h (N, m) that t modulo 1, 2, ..., `longest` explains.

    If a network counts characters in a circle, whatever the text, the share at the length of the circle is large.
    """
    h = h.astype(float)
    h -= h.mean(axis=0)
    variance = (h**2).sum()
    shares = np.zeros(longest)
    for n in range(2, longest + 1):
        phases = [h[begin::n] for begin in range(n)]
        between = sum(len(phase) * (phase.mean(axis=0) ** 2).sum() for phase in phases)
        shares[n - 1] = between / variance if variance > 1e-9 * h.size else 0
    return shares


def is_clock(run, text):
    """Return whether the states of a `Run` are a `clock` while it reads the codes `text`."""
    return not np.isnan(period(_shares(run.state(), text)))


def _shares(state, text):
    return clock(states(state.params, text[:CLOCK], state.h[-1])[100:], LONGEST_CIRCLE)


def period(shares):
    """Return the period of a `clock` in characters; NaN if no period explains a tenth of the variance."""
    return np.flatnonzero(shares > 0.95 * shares.max())[0] + 1.0 if shares.max() > 0.1 else np.nan


def largest_eigenvalue(W):
    """Return the eigenvalue of W with the largest absolute value, a complex number."""
    eigenvalues = np.linalg.eigvals(W)
    return complex(eigenvalues[np.abs(eigenvalues).argmax()])


def turn(eigenvalue):
    """Return the number of steps in which an eigenvalue turns once around zero, 2 pi / |arg|; NaN if it is positive."""
    angle = abs(np.angle(eigenvalue))
    return 2 * np.pi / angle if angle > 0 else np.nan


def clocks(runs, text, codes, test):
    """Return a DataFrame with a row for each of {label: `Run`} that shows which of them are clocks.

    The columns are the largest |λ| of W, the characters in which that eigenvalue turns once, the period of the `clock`
    while the network reads the codes `text`, its share of the variance, and the bits per character of codes[test].
    """
    rows = []
    for run in runs.values():
        state = run.state()
        shares = _shares(state, text)
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

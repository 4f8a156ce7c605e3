"""Find the known mistake that explains how often a sampler draws each character.

Two characters are drawn thousands of times from the same state. Pearson's chi-square compares the frequencies of the
pairs with the probabilities that the network gives them, and with those that known mistakes give.
"""

import functools
import inspect
import itertools
import math

import numpy as np

from rnn import model
from rnn.diagnosis.conventions import Diagnosis, UnusableError, call, copied
from rnn.mistakes import NEXT_P, NEXT_PAIR, SAMPLER, next_p, next_pair, plant

K = 5
M = 4
DRAWS = 2_000
CASES = {
    "temperature 1, top-p 1": {},
    "temperature 0.5": {"temperature": 0.5},
    "temperature 2": {"temperature": 2.0},
    "top-p 0.5": {"top_p": 0.5},
}
TOO_RARE = 1e-6  # a right sampler fails one time in a million


@functools.cache
def problem():
    """Return (params, h, x): a small network in which the state and the last character both matter."""
    rng = np.random.default_rng(7)
    params = model.init_params(K, M, rng, 1.0, np.float64)
    return params._replace(b=rng.normal(0, 0.5, M), c=rng.normal(0, 0.5, K)), rng.normal(0, 0.7, M), 2


@functools.cache
def probabilities(case, *chosen):
    """Return p (K, K) of the next two characters in one of `CASES`, with the chosen known mistakes."""
    mistaken_pair = plant(next_pair, *(mistake for mistake in chosen if mistake in NEXT_PAIR))
    mistaken_p = plant(next_p, *(mistake for mistake in chosen if mistake in NEXT_P))
    mistaken_pair.__globals__["next_p"] = mistaken_p
    return mistaken_pair(*problem(), **({"temperature": 1.0, "top_p": 1.0} | CASES[case]))


def frequencies(sample, settings):
    """Return how often each pair of characters was drawn, (K, K)."""
    counts = np.zeros((K, K), int)
    rng = np.random.default_rng(11)
    for _ in range(DRAWS):
        params, h, x = problem()
        codes = call(sample, "sample", copied(params), h.copy(), x, 2, rng, **settings)
        first, second = as_codes(codes)
        counts[first, second] += 1
    return counts


def as_codes(codes):
    """Return the two codes that a sampler drew; it may return codes or one-hot columns (K, 2)."""
    try:
        codes = np.array(codes)
        if codes.shape == (K, 2) and set(np.unique(codes)) <= {0, 1}:
            codes = codes.argmax(axis=0)
        codes = codes.astype(int, casting="same_kind").ravel()
    except (TypeError, ValueError):
        raise UnusableError("sample should return codes (length,), integers, or one-hot columns (K, length).") from None
    if len(codes) != 2:
        raise UnusableError(f"sample returns {len(codes)} codes for length = 2: length is the number of draws.")
    if codes.min() < 0 or codes.max() >= K:
        raise UnusableError(f"sample returns the code {codes[np.argmax(np.abs(codes))]}; codes are from 0 to {K - 1}.")
    return codes


def chance(counts, p):
    """Return the p-value of counts (K, K) under the probabilities p (K, K), by Pearson's chi-square test.

    Pairs that are expected fewer than five times are counted together. The distribution of chi-square is approximated
    as by Wilson and Hilferty (1931).
    """
    expected = counts.sum() * p.ravel()
    counts = counts.ravel()
    if counts[expected == 0].any():
        return 0.0
    order = np.argsort(-expected)
    often = order[expected[order] >= 5]
    seldom = order[(expected[order] < 5) & (expected[order] > 0)]
    e = list(expected[often])
    n = list(counts[often])
    if expected[seldom].sum() > 0.5:
        e.append(expected[seldom].sum())
        n.append(counts[seldom].sum())
    chi_square = sum((a - b) ** 2 / b for a, b in zip(n, e, strict=True))
    freedom = len(e) - 1
    if freedom == 0:
        return 1.0
    z = ((chi_square / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return math.erfc(z / math.sqrt(2)) / 2


def accepts(sample):
    """Return the `CASES` whose settings a sampler accepts."""
    try:
        parameters = inspect.signature(sample).parameters.values()
    except (TypeError, ValueError):
        return list(CASES)
    names = {parameter.name for parameter in parameters}
    everything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return [case for case, settings in CASES.items() if everything or settings.keys() <= names]


def diagnose_sampler(sample):
    """Return a `Diagnosis` of a sampler.

    sample(params, h, x, length, rng, temperature=1.0, top_p=1.0) draws the codes (length,), or one-hot columns
    (K, length), that follow the state h (m,) and the character x. It draws from `rng`, or from NumPy's global
    generator. If it has no argument `temperature` or `top_p`, these are not tested.
    """
    try:
        counts = {case: frequencies(sample, CASES[case]) for case in accepts(sample)}
    except UnusableError as error:
        return Diagnosis(str(error))
    right = {case: chance(counts[case], probabilities(case)) for case in counts}
    lines = [f"{DRAWS:,} draws of two characters       p-value, if right"]
    for case, p in right.items():
        lines.append(f"{case:36}{'right' if p > TOO_RARE else 'wrong'} ({p:.2g})")
    if all(p > TOO_RARE for p in right.values()):
        return Diagnosis("\n".join((*lines, "No mistake found.")), right=True)
    found = explanation(counts)
    if not found:
        return Diagnosis("\n".join((*lines, none_known(counts))))
    for mistake in found:
        lines.append(f"It looks like this: {mistake.what}.")
        if mistake.wrong != "pass":
            lines.append(f"    your code acts like: {mistake.wrong}")
        lines.append(f"    it should do:        {mistake.right}")
    return Diagnosis("\n".join(lines), found)


def explanation(counts):
    """Return the known mistake, or the pair, under which the counts {case: (K, K)} are most likely; () for none.

    A pair must make them e^10 times as likely as a single mistake.
    """
    possible = [chosen for chosen in (*SINGLE, *PAIRS) if not rejected(counts, chosen)]
    return max(possible, key=lambda chosen: log_likelihood(counts, chosen) - 10 * len(chosen), default=())


def rejected(counts, chosen):
    """Whether these counts would be too rare with the chosen mistakes."""
    return any(chance(case_counts, probabilities(case, *chosen)) <= TOO_RARE for case, case_counts in counts.items())


def log_likelihood(counts, chosen):
    """Return the log-probability of the draws with the chosen mistakes."""
    return sum(
        np.sum(case_counts[case_counts > 0] * np.log(probabilities(case, *chosen)[case_counts > 0]))
        for case, case_counts in counts.items()
    )


SINGLE = [(mistake,) for mistake in SAMPLER]
PAIRS = [pair for pair in itertools.combinations(SAMPLER, 2) if pair[0].right != pair[1].right]


def none_known(counts):
    """Return a sentence about counts that no known mistake explains."""
    if all(np.count_nonzero(case_counts) == 1 for case_counts in counts.values()):
        return "None of the known mistakes: all texts are the same. Is a new generator made for each draw?"
    if all(np.all(case_counts == np.diag(np.diag(case_counts))) for case_counts in counts.values()):
        return "None of the known mistakes: the second character always repeats the first."
    return "None of the known mistakes, alone or in pairs."

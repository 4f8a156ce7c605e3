"""Find the known mistake, or the two, that explain the gradients of a `backward`.

It runs on four small problems. Each gradient is compared with the correct one. If any differs, all are compared with
the gradients that the mistakes of `rnn.mistakes` give, alone and in pairs.
"""

import functools
import itertools

import numpy as np

from rnn import model
from rnn.diagnosis.conventions import NAMES, Diagnosis, UnusableError, call_backward, call_forward
from rnn.mistakes import BACKWARD, FORWARD, IN_PLACE, MEAN, SUM, plant, plant_both
from rnn.problem import Problem

# all different, so that a wrong shape is noticed; among 16 characters of 7 some repeat
K = 7
M = 5
T = 16
HARDEST = ("large weights", "carried h₀")


@functools.cache
def problems():
    """Return {(size of the weights, kind of h_0): Problem}; all have the same characters."""
    rng = np.random.default_rng(4)
    codes = rng.permutation(np.arange(T + 1) % K)
    found = {}
    for size, sigma in (("small weights", 0.01), ("large weights", 0.6)):
        params = model.init_params(K, M, rng, sigma, np.float64)
        params = params._replace(V=2 * params.V, b=rng.normal(0, sigma, M), c=rng.normal(0, sigma, K))
        for state, h0 in (("h₀ = 0", np.zeros(M)), ("carried h₀", rng.normal(0, 0.5, M))):
            found[size, state] = Problem(params, codes[:T], codes[1:], h0)
    return found


def difference(g, right):
    """Return |g - g'| / max(|g|, |g'|), where |.| is the norm of an array; 0 for equal arrays."""
    largest = max(np.linalg.norm(g), np.linalg.norm(right))
    return np.linalg.norm(g - right) / largest if largest > 0 else 0.0


def differ(g, right):
    """Whether two arrays differ by more than rounding."""
    return not difference(g, right) < (1e-4 if g.dtype == np.float32 else 1e-7)


class Expected:
    """The gradients {name: array} that known mistakes give, for the states that a student's `forward` returned.

    `base` are the changes that count as correct: (MEAN,) if the loss is a mean.
    """

    def __init__(self, states, base):
        """Begin with the states {key: (h, p)} of the student's `forward`."""
        self.states = states
        self.base = base
        self.known = {}
        self.vectors = {}

    def __call__(self, key, chosen):
        """Return the gradients on one problem with the chosen mistakes, or None if they cannot be combined."""
        if (key, chosen) not in self.known:
            problem, (h, p) = problems()[key], self.states[key]
            in_forward = tuple(mistake for mistake in chosen if mistake in FORWARD)
            backward = planted(self.base, tuple(mistake for mistake in chosen if mistake not in FORWARD))
            if backward is None:
                return None
            with np.errstate(all="ignore"):
                if in_forward:  # then h and p are those of the mistaken forward
                    h, p = forwards()[in_forward](problem.params, problem.x, problem.h0)
                gradient, dh0 = backward(problem.params, problem.x, problem.y, h.copy(), p.copy())
            self.known[key, chosen] = gradient._asdict() | {"h₀": dh0}
        return self.known[key, chosen]

    def explanations(self, gradients, candidates):
        """Return the candidates (tuples of mistakes) that give the gradients {key: {name: array}}."""
        candidates = tuple(candidates)
        if candidates not in self.vectors:
            possible = [chosen for chosen in candidates if self(HARDEST, chosen) is not None]
            arrays = {name: np.array([self(HARDEST, chosen)[name] for chosen in possible]) for name in NAMES}
            self.vectors[candidates] = possible, arrays
        possible, arrays = self.vectors[candidates]
        near = np.ones(len(possible), bool)
        with np.errstate(all="ignore"):
            for name, g in gradients[HARDEST].items():  # all candidates at once
                distance = np.abs(arrays[name] - g).reshape(len(possible), -1).max(axis=1)
                near &= distance <= 1e-3 * max(1e-300, np.abs(g).max())
        return [possible[place] for place in np.flatnonzero(near) if self.fits(gradients, possible[place])]

    def fits(self, gradients, chosen, names=NAMES):
        """Whether the chosen mistakes give these gradients on all problems."""
        return not any(
            differ(g, self(key, chosen)[name])
            for key in gradients
            for name, g in gradients[key].items()
            if name in names
        )


@functools.cache
def planted(base, chosen):
    """Return `model.backward` with mistakes, those of `base` first, or None if they cannot be combined."""
    for order in itertools.permutations(chosen):
        try:
            return plant(model.backward, *base, *order)
        except ValueError:
            continue
    return None


@functools.cache
def forwards():
    """Return {mistakes: forward} for each known mistake and each possible pair."""
    single = {(mistake,): plant(model.forward, mistake) for mistake in FORWARD}
    pairs = {pair: plant_both(model.forward, *pair) for pair in itertools.combinations(FORWARD, 2)}
    return single | {pair: forward for pair, forward in pairs.items() if forward is not None}


@functools.cache
def candidates(loss):
    """Return the possible explanations, as tuples of mistakes in four groups, the simplest group first."""
    known = (*BACKWARD, SUM) if loss == "mean" else BACKWARD
    known = [mistake for mistake in known if loss == "sum" or mistake != MEAN]
    return (
        tuple((mistake,) for mistake in known),
        tuple((mistake,) for mistake in FORWARD),
        tuple(itertools.combinations(known, 2)),
        tuple(itertools.product(FORWARD, known)),
    )


@functools.cache
def after_right_forward(base):
    """Return the `Expected` gradients after a correct `forward`. They are cached for the next diagnosis."""
    states = {key: model.forward(problem.params, problem.x, problem.h0) for key, problem in problems().items()}
    return Expected(states, base)


def diagnose(forward=None, backward=None, loss="sum"):
    """Return a `Diagnosis` of a `forward`, a `backward` or both.

    The functions take and return what `model.forward` and `model.backward` do; `from_columns` converts functions in the
    assignment's conventions. `backward` may return the gradients of W, U, V, b and c as `Params`, dictionary, object or
    tuple, and the gradient of h_0 as a second value. `loss` is "sum" or "mean" (over the sequence). Raises ValueError
    if it is neither.
    """
    if loss not in ("sum", "mean"):
        raise ValueError(f'loss must be "sum" or "mean", got {loss!r}')
    base = (MEAN,) if loss == "mean" else ()
    lines = []
    found = ()
    right = True
    expected = after_right_forward(base)
    if forward is not None:
        try:
            states = {key: call_forward(forward, problem) for key, problem in problems().items()}
        except UnusableError as error:
            return Diagnosis(str(error))
        lines, found, right = forward_lines(states)
        if not right:
            expected = Expected(states, base)
    if backward is not None:
        try:
            more, in_backward, backward_right = backward_lines(backward, expected, loss)
        except UnusableError as error:
            return Diagnosis("\n".join((*lines, str(error))), found)
        lines += more
        right = right and backward_right
        found = (*found, *(mistake for mistake in in_backward if mistake not in found))
    if right:
        lines.append("No mistake found.")
    return Diagnosis("\n".join(lines), found, right)


def forward_lines(states):
    """Return (lines to print, known mistakes, whether it is correct) for the states {key: (h, p)} of a `forward`."""
    right = after_right_forward(()).states
    if not any(differ(g, r) for key in states for g, r in zip(states[key], right[key], strict=True)):
        return ["forward: h and p are right."], (), True
    lines = []
    for name, first, array, truth in zip("hp", (0, 1), states[HARDEST], right[HARDEST], strict=True):
        wrong = [t for t in range(len(array)) if differ(array[t], truth[t])]
        where = f"wrong from t = {wrong[0] + first} on, {percent(difference(array, truth))}" if wrong else "right"
        lines.append(f"forward: {name} is {where}.")
    for chosen, forward in forwards().items():
        with np.errstate(all="ignore"):
            mistaken = {key: forward(problem.params, problem.x, problem.h0) for key, problem in problems().items()}
        if not any(differ(g, t) for key in states for g, t in zip(states[key], mistaken[key], strict=True)):
            return [*lines, *(explained(mistake, n) for n, mistake in enumerate(chosen, 1))], chosen, False
    lines.append("None of the known mistakes in forward, alone or in pairs.")
    if not np.allclose(states[HARDEST][1].sum(axis=1), 1):
        lines.append("The rows of p do not sum to 1, and they should.")
    return lines, (), False


def backward_lines(backward, expected, loss):
    """Return (lines to print, known mistakes, whether it is correct) for a `backward`."""
    called = {key: call_backward(backward, problem, expected.states[key]) for key, problem in problems().items()}
    gradients = {key: found for key, (found, _) in called.items()}
    wrong = [name for name in gradients[HARDEST] if not expected.fits(gradients, (), [name])]
    explanations = []
    if wrong:
        explanations = next(filter(None, (expected.explanations(gradients, c) for c in candidates(loss))), [])
    found = explanations[0] if explanations else ()
    notes = {name: note(name, found, gradients, expected, loss) for name in wrong}
    lines = table(gradients, expected, notes)
    lines += [explained(mistake, number) for number, mistake in enumerate(found, 1)]
    if len(explanations) > 1:
        alternatives = [", together with: ".join(mistake.what for mistake in chosen) for chosen in explanations[1:4]]
        lines.append("The same gradients would come from: " + "; or from: ".join(alternatives) + ".")
    if MEAN in found:
        lines.append('If your loss is the mean over the sequence, this is right: call diagnose with loss="mean".')
    if wrong and not explanations:
        lines += unknown(backward, wrong, notes, loss)
    again = {key: call_backward(backward, problem, expected.states[key])[0] for key, problem in problems().items()}
    second_differs = any(differ(again[key][name], g) for key in gradients for name, g in gradients[key].items())
    if names := next((names for _, names in called.values() if names), ""):
        lines.append(f"backward changes {names} in place: a second call then gets other numbers.")
        found = (*found, IN_PLACE)
        lines.append(explained(IN_PLACE, len(found)))
    elif second_differs:
        lines.append("A second call with the same arguments returns other gradients. What is kept between the calls?")
    return lines, found, not (wrong or found or second_differs)


def percent(error):
    """Return a difference in words, as "12% off"."""
    return f"{100 * error:.0f}% off" if error > 0.1 else f"{100 * error:.2g}% off"


def table(gradients, expected, notes):
    """Return the lines of a table: how far each gradient is off on each problem, and its note."""
    sizes = dict.fromkeys(size for size, _ in gradients)
    lines = [" " * 10 + "".join(f"{size:30}" for size in sizes)]
    lines += ["gradient  " + "".join(f"{state:15}" for _, state in gradients)]
    for name in gradients[HARDEST]:
        pairs = [(gradients[key][name], expected(key, ())[name]) for key in gradients]
        cells = (percent(difference(*pair)) if differ(*pair) else "right" for pair in pairs)
        lines.append(f"{name:10}" + "".join(f"{cell:15}" for cell in cells) + notes.get(name, ""))
    return [line.rstrip() for line in lines]


def note(name, found, gradients, expected, loss):
    """Return what is known about one wrong gradient."""
    alone = {mistake: expected(HARDEST, (mistake,)) for mistake in found}
    all_right = expected(HARDEST, ()).items()
    right = dict(all_right)[name]
    if guilty := [mistake for mistake in found if differ(alone[mistake][name], right)]:
        numbers = " and ".join(str(found.index(mistake) + 1) for mistake in guilty)
        return f"mistake{'s' * (len(guilty) > 1)} {numbers}"
    if fitting := [mistake for (mistake,) in candidates(loss)[0] if expected.fits(gradients, (mistake,), [name])]:
        best = min(fitting, key=lambda mistake: sum(differ(expected(HARDEST, (mistake,))[n], r) for n, r in all_right))
        return "looks like: " + best.what
    g = gradients[HARDEST][name]
    factor = np.sum(g * right) / np.sum(right**2)
    if not differ(g, factor * right):
        return f"{factor:.4g} times the right one"
    return "matches none of the known mistakes"


def explained(mistake, number):
    """Return lines that describe a mistake: in words, what the code does, and what it should do."""
    function = "forward" if mistake in FORWARD else "backward"
    lines = [f"Mistake {number}, in {function}: {mistake.what}."]
    if mistake.wrong == "pass":
        return f"{lines[0]}\n    is missing:          {mistake.right}"
    lines += [f"    your code acts like: {line}" for line in mistake.wrong.split("\n") if line != mistake.right]
    return "\n".join((*lines, f"    {'should only be:' if mistake.adds else 'it should do:':20} {mistake.right}"))


def unknown(backward, wrong, notes, loss):
    """Return sentences about where a `backward` goes wrong if no known mistakes explain it."""
    if all(text.startswith("looks like") for text in notes.values()):
        return ["More than two mistakes at once: each line of the table names its own."]
    sentences = ["None of the known mistakes explains all of it, alone or in pairs."]
    if "c" in wrong:
        sentences.append("dc is wrong, so begin with dL/do: all other gradients are computed from it.")
    elif "V" not in wrong:
        sentences.append("dV and dc are right, so dL/do is right.")
    return sentences + where_in_time(backward, loss)


def where_in_time(backward, loss):
    """Return a sentence that says at which t dL/da_t is wrong, on a sequence in which no character repeats.

    There dL/da_t is column x_t of dU.
    """
    rng = np.random.default_rng(5)
    params = model.init_params(T + 1, M, rng, 0.6, np.float64)
    problem = Problem(params, np.arange(T), np.arange(1, T + 1), rng.normal(0, 0.5, M))
    states = model.forward(params, problem.x, problem.h0)
    try:
        dU = call_backward(backward, problem, states)[0]["U"]
    except UnusableError:
        return []
    right, _ = planted((MEAN,) if loss == "mean" else (), ())(params, problem.x, problem.y, *states)
    wrong = [t + 1 for t in range(T) if differ(dU[:, t], right.U[:, t])]
    if not wrong:
        return ["Where no character repeats, dL/da_t is right at every t, so look at how it is summed."]
    last = wrong[-1]
    if last == T:
        times = "at every t" if len(wrong) == T else "at t = T, the last character, already"
        return [f"dL/da_t is wrong {times}. Nothing comes from t + 1 there, so look at a single step."]
    last_right = "T" if last == T - 1 else f"T - {T - last - 1}"
    first_wrong = f"T - {T - last}"
    return [
        f"Going backwards, dL/da_t is right down to t = {last_right} and wrong from t = {first_wrong} on. "
        "Look at what comes from t + 1."
    ]

"""Find the known mistake, or the two, that explain the first steps of an update rule.

The rule takes three steps on L(theta) = sum of scale (theta - goal)^2 / 2. The gradients are from 1e-5 to 30, so that
epsilon, clipping and memory all have an effect.
"""

import functools
import itertools

import numpy as np

from rnn.diagnosis.conventions import Diagnosis, UnusableError, as_array, call
from rnn.mistakes import ADAGRAD, ADAM, adagrad_step, adam_step, plant, plant_both

SCALES = np.array([30.0, 8.0, 12.0, 3.0, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-5])
GOALS = np.array([1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0, -1.0])
RULES = {"adagrad": (adagrad_step, ADAGRAD, 0.1), "adam": (adam_step, ADAM, 0.001)}


def steps(update, n=3):
    """Return the losses (n + 1,), before the first step and after each, and the weights (n, 10) after each."""
    theta = np.zeros(len(SCALES))
    memory = {}
    losses = [loss(theta)]
    weights = []
    for number in range(1, n + 1):
        result = call(update, "update", theta, SCALES * (theta - GOALS), memory, number)
        result = theta if result is None else result
        theta = as_array(result, (SCALES.shape,), f"theta after step {number}").astype(float)
        losses.append(loss(theta))
        weights.append(theta.copy())
    return np.array(losses), np.array(weights)


def loss(theta):
    """Return the loss L(theta)."""
    return np.sum(SCALES * (theta - GOALS) ** 2) / 2


@functools.cache
def known_steps(rule, learning_rate, clip):
    """Return {mistakes: (losses, weights)} of a rule: correct (), with each known mistake, and with each pair."""
    right, known, _ = RULES[rule]
    rules = {(): right} | {(mistake,): plant(right, mistake) for mistake in known}
    rules |= {pair: plant_both(right, *pair) for pair in itertools.combinations(known, 2)}
    found = {}
    for chosen, update in rules.items():
        if update is not None:
            try:
                found[chosen] = steps(functools.partial(update, learning_rate=learning_rate, clip=clip))
            except UnusableError:  # overflows: nothing to compare with
                continue
    return found


def diagnose_update(update, rule="adagrad", learning_rate=None, clip=5.0):
    """Return a `Diagnosis` of an update rule for one array; `rule` is "adagrad" or "adam".

    update(theta, g, memory, n) takes step n (from 1) with the gradient g, which has not been clipped. It changes theta
    in place or returns the new theta. `memory` is a dictionary for what the rule remembers, empty before step 1. The
    learning rate defaults to 0.1 for AdaGrad and 0.001 for Adam. Use `clip=np.inf` for a rule that does not clip.
    Raises ValueError for another `rule`.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    learning_rate = RULES[rule][2] if learning_rate is None else learning_rate
    try:
        losses, weights = steps(update)
    except UnusableError as error:
        return Diagnosis(str(error))
    known = known_steps(rule, learning_rate, clip)
    right_losses, right_weights = known[()]
    lines = ["step   loss before: yours, right          weights after"]
    for n, (theta, right) in enumerate(zip(weights, right_weights, strict=True), 1):
        n_wrong = sum(differ(theta[place], right[place]) for place in range(len(theta)))
        text = f"{n_wrong} of {len(theta)} wrong" if n_wrong else "right"
        lines.append(f"{n:<7}{losses[n - 1]:<16.8g}{right_losses[n - 1]:<23.8g}{text}")
    found = [chosen for chosen, (_, mistaken_weights) in known.items() if not differ(weights, mistaken_weights)]
    if () in found:
        return Diagnosis("\n".join((*lines, "No mistake found.")), right=True)
    if not found:
        lines.append(f"None of the known mistakes. {first_step(weights[0], rule, learning_rate)}")
        return Diagnosis("\n".join(lines))
    shortest = found[0]
    for mistake in shortest:
        lines.append(f"It looks like this: {mistake.what}.")
        lines += [f"    your code acts like: {mistake.wrong}", f"    it should do:        {mistake.right}"]
    same = [chosen for chosen in found[1:] if len(chosen) == len(shortest)]
    if same:
        alternatives = [", together with: ".join(mistake.what for mistake in chosen) for chosen in same[:3]]
        lines.append("The same weights would come from: " + "; or from: ".join(alternatives) + ".")
    return Diagnosis("\n".join(lines), shortest)


def differ(theta, right):
    """Whether weights differ by more than rounding: 1e-9 of the weight or of the step."""
    return not np.allclose(theta, right, rtol=1e-9, atol=1e-12)


def first_step(theta, rule, learning_rate):
    """Return a sentence about the size of the first step, which equals the learning rate unless gradients are tiny."""
    size = np.abs(theta[3:6]).mean()
    name = {"adagrad": "AdaGrad", "adam": "Adam"}[rule]
    return f"The first step of {name} is {learning_rate:g} for gradients of 0.1 to 5; yours is {size:.4g}."

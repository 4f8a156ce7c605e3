"""Every known mistake is named, alone and in pairs; right code passes, in whatever conventions it is written."""

import itertools
import warnings

import numpy as np
import pytest

from rnn import model, sampling
from rnn.diagnosis import (
    columns,
    diagnose,
    diagnose_sampler,
    diagnose_update,
    from_columns,
    from_rows,
    samplers,
    updates,
)
from rnn.diagnosis.gradients import after_right_forward, candidates, problems
from rnn.mistakes import (
    BACKWARD,
    CLIPPED,
    FORWARD,
    H0_DROPPED,
    IN_PLACE,
    MEAN,
    NEXT_P,
    SUM,
    Mistake,
    adagrad_step,
    adam_step,
    next_p,
    plant,
    plant_both,
)


def named(what):
    """Return the known mistakes of `backward` whose words begin so."""
    return {mistake for mistake in BACKWARD if mistake.what.startswith(what)}


# ---- gradients


@pytest.mark.parametrize("mistake", BACKWARD, ids=lambda mistake: mistake.what)
def test_each_mistake_in_backward_is_named_with_the_line_to_change(mistake):
    diagnosis = diagnose(model.forward, plant(model.backward, mistake))
    assert diagnosis.mistakes == (mistake,)
    assert not diagnosis.right
    assert mistake.what in diagnosis.text
    assert mistake.right in diagnosis.text


MASKED = {  # pairs that give the numbers of one mistake alone: (that one, the other): why
    ("no gradient comes from t + 1", "the gradient reaches back one character only"): "what is passed is never added",
    ("no gradient comes from t + 1", "the factor 1 - h² multiplies only one"): "that line does not use dh",
    ("the factor 1 - h² of tanh is forgotten", "dh is passed back where da belongs"): "da is dh then",
} | {
    (f"the gradient of {name} is never computed", other): "zero has no sign and no mean"
    for name in "WUVbc"
    for other in (f"the sign of d{name}", f"a mean where the sum belongs, in d{name} only")
}


def masked(pair):
    """Return the mistake that hides the other of a pair, or None."""
    for first, other in MASKED:
        for one, two in (pair, pair[::-1]):
            if one in named(first) and two in named(other):
                return {one, two} - ({two} if "factor 1 - h² multiplies" not in other else {one})
    return None


def test_each_pair_of_mistakes_in_backward_is_named():
    expected = after_right_forward(())
    possible, hidden = 0, 0
    for pair in itertools.combinations(BACKWARD, 2):
        if expected(("large weights", "carried h₀"), pair) is None:
            assert pair[0].right == pair[1].right  # both change the same line: there is no such code
            continue
        gradients = {key: expected(key, pair) for key in problems()}
        found = next(filter(None, (expected.explanations(gradients, c) for c in candidates("sum"))))
        if (alone := masked(pair)) is not None:
            assert found == [tuple(alone)], pair
            hidden += 1
        else:
            assert found == [pair]
        possible += 1
    assert (possible, hidden) == (1549, len(MASKED))


def test_a_pair_is_told_in_words_and_lines():
    pair = H0_DROPPED, named("the factor 1 - h² of tanh is forgotten").pop()
    diagnosis = diagnose(model.forward, plant_both(model.backward, *pair))
    assert set(diagnosis.mistakes) == set(pair)
    assert all(mistake.what in diagnosis.text and mistake.right in diagnosis.text for mistake in pair)


def test_a_change_in_place_is_named_alone_and_with_each_other_mistake():
    assert diagnose(None, plant(model.backward, IN_PLACE)).mistakes == (IN_PLACE,)
    for mistake in BACKWARD:
        if mistake.wrong == "pass":  # nothing else changes p
            continue
        diagnosis = diagnose(None, plant_both(model.backward, IN_PLACE, mistake))
        assert diagnosis.mistakes == (mistake, IN_PLACE)
        assert "backward changes p" in diagnosis.text


def test_gradients_that_are_kept_between_the_calls_are_named():
    total = {}

    def backward(*arguments):
        for name, g in right(*arguments).items():
            total[name] = total.get(name, 0) + g
        return total

    diagnosis = diagnose(None, backward)
    assert not diagnosis.right
    assert "second call" in diagnosis.text


def test_a_first_call_that_is_right_is_not_enough():
    calls = []

    def backward(*arguments):
        calls.append(1)
        return right(*arguments) | ({"c": right(*arguments)["c"] * 2} if len(calls) > len(problems()) else {})

    diagnosis = diagnose(None, backward)
    assert not diagnosis.right
    assert "second call" in diagnosis.text


@pytest.mark.parametrize("name", "WUVbc")
def test_a_gradient_that_is_off_by_a_thousandth_of_a_per_cent_is_not_right(name):
    diagnosis = diagnose(None, lambda *a: right(*a) | {name: right(*a)[name] * 1.00001})
    assert (diagnosis.right, diagnosis.mistakes) == (False, ())
    assert "times the right one" in diagnosis.text


@pytest.mark.parametrize("mistake", FORWARD, ids=lambda mistake: mistake.what)
def test_each_mistake_in_forward_is_named_with_any_backward(mistake):
    forward = plant(model.forward, mistake)
    assert diagnose(forward, None).mistakes == (mistake,)
    with_both = diagnose(forward, plant(model.backward, H0_DROPPED))
    assert with_both.mistakes[0] == mistake
    zero_h0 = "h₀ is not carried in" in mistake.what or "handed to backward" in mistake.what
    assert (H0_DROPPED in with_both.mistakes) != zero_h0  # at h_0 = 0 that term is zero


def test_each_pair_of_mistakes_in_forward_is_named():
    unseen = []
    for pair in itertools.combinations(FORWARD, 2):
        if (forward := plant_both(model.forward, *pair)) is not None:
            diagnosis = diagnose(forward, None)
            if "not finite" in diagnosis.text:  # the logarithm of a probability that underflows
                assert {mistake.wrong for mistake in pair} == {"h[t + 1] = a", "p = np.log(softmax(o))"}
            elif set(diagnosis.mistakes) != set(pair):  # the same in mathematics, as c and a softmax over time
                same = [plant(model.forward, *diagnosis.mistakes), forward]
                with np.errstate(all="ignore"):
                    outputs = [[f(p.params, p.x, p.h0) for p in problems().values()] for f in same]
                for ours, theirs in zip(*outputs, strict=True):
                    np.testing.assert_allclose(ours[0], theirs[0])
                    np.testing.assert_allclose(ours[1], theirs[1])
                unseen.append(pair)
    assert len(unseen) == 4


@pytest.mark.parametrize("mistake", FORWARD, ids=lambda mistake: mistake.what)
def test_a_wrong_forward_inside_of_backward_is_named(mistake):
    inner = plant(model.forward, mistake)

    def backward(params, x, y, h, p):
        with np.errstate(all="ignore"):
            return model.backward(params, x, y, *inner(params, x, h[0]))

    diagnosis = diagnose(None, backward)
    assert not diagnosis.right
    assert len(diagnosis.mistakes) == 1
    if "handed to backward" not in mistake.what:  # is the same there as H0_DROPPED
        assert diagnosis.mistakes == (mistake,) or mistake.what in diagnosis.text


def test_a_mean_is_right_where_the_loss_is_a_mean_and_a_sum_is_not():
    assert 'loss="mean"' in diagnose(None, plant(model.backward, MEAN)).text
    assert diagnose(None, plant(model.backward, MEAN), loss="mean").right
    assert diagnose(None, model.backward, loss="mean").mistakes == (SUM,)
    both = plant(model.backward, MEAN, H0_DROPPED)
    assert diagnose(None, both, loss="mean").mistakes == (H0_DROPPED,)
    with pytest.raises(ValueError, match="sum"):
        diagnose(None, model.backward, loss="average")


UNKNOWN = Mistake("half of W", "from_next = W.T @ da[t]", "from_next = 0.5 * W.T @ da[t]")


def test_what_is_not_known_is_placed_in_time():
    text = diagnose(None, plant(model.backward, UNKNOWN)).text
    assert "None of the known mistakes" in text
    assert "dL/do is right" in text
    assert "right down to t = T and wrong from t = T - 1 on" in text
    at_each = Mistake("", "da[t] = dh * (1 - h[t + 1] ** 2)", "da[t] = dh * (1 - h[t + 1] ** 4)")
    assert "dL/da_t is wrong at every t" in diagnose(None, plant(model.backward, at_each)).text
    late = Mistake("", UNKNOWN.right, "from_next = W.T @ da[t] * (t != 3)")
    assert "right down to t = T - 12 and wrong from t = T - 13 on" in diagnose(None, plant(model.backward, late)).text
    in_sum = Mistake("", "db = da.sum(axis=0)", "db = 3 * da.sum(axis=0)")
    assert "3 times the right one" in diagnose(None, plant(model.backward, in_sum)).text
    do = Mistake("", "do[np.arange(T), y] -= 1", "do[np.arange(T), y] -= 0.9")
    assert "dc is wrong, so begin with dL/do" in diagnose(None, plant(model.backward, do)).text


def test_three_mistakes_in_three_gradients_are_named_line_by_line():
    three = [H0_DROPPED, *named("the sign of dV"), *named("a mean where the sum belongs, in db")]
    diagnosis = diagnose(None, plant(model.backward, *three))
    assert all(mistake.what in diagnosis.text for mistake in three)


# ---- conventions


def columns_forward(RNN, X, h0):
    H = []
    P = []
    h = h0
    for t in range(X.shape[1]):
        h = np.tanh(RNN.W @ h + RNN["U"] @ X[:, [t]] + RNN.b)
        o = RNN.V @ h + RNN.c
        H.append(h)
        P.append(np.exp(o) / np.exp(o).sum())
    return np.hstack(H), np.hstack(P)


class Gradients:
    pass


def columns_backward(RNN, X, Y, h0, H, P):
    grads, G = Gradients(), P - Y
    dA, later = np.zeros(H.shape), np.zeros(h0.shape)
    for t in reversed(range(X.shape[1])):
        dA[:, [t]] = (RNN["V"].T @ G[:, [t]] + later) * (1 - H[:, [t]] ** 2)
        later = RNN["W"].T @ dA[:, [t]]
    grads.W = dA @ np.hstack((h0, H[:, :-1])).T
    grads.U = dA @ X.T
    grads.V = G @ H.T
    grads.b = dA.sum(axis=1, keepdims=True)
    grads.c = G.sum(axis=1, keepdims=True)
    return grads


def test_right_solutions_in_the_assignments_conventions_pass():
    assert diagnose(*from_columns(columns_forward, columns_backward)).right
    assert diagnose(*from_columns(None, columns_with_h0)).right  # H (m, T + 1)

    def in_one(RNN, X, Y, h0, H, P):  # a forward of its own inside, gradients in a dictionary
        return vars(columns_backward(RNN, X, Y, h0, *columns_forward(RNN, X, h0)))

    assert diagnose(*from_columns(None, in_one)).right


def columns_with_h0(RNN, X, Y, h0, H, P):
    return columns_backward(RNN, X, Y, H[:, :1], H[:, 1:], P)


def rows_forward(RNN, X, h0):
    H = [h0]
    for x in X:
        H.append(np.tanh(H[-1] @ RNN.W + x @ RNN.U + RNN.b))
    e = np.exp(np.vstack(H[1:]) @ RNN.V + RNN.c)
    return np.vstack(H), e / e.sum(axis=1, keepdims=True)


def rows_backward(RNN, X, Y, h0, H, P, add=1):
    G = P - Y
    dA = np.zeros((len(X), h0.size))
    later = 0
    for t in reversed(range(len(X))):
        dA[t] = (G[t] @ RNN.V.T + add * later) * (1 - H[t + 1] ** 2)
        later = dA[t] @ RNN.W.T
    sums = {"b": dA.sum(axis=0, keepdims=True), "c": G.sum(axis=0, keepdims=True)}
    return {"W": H[:-1].T @ dA, "U": X.T @ dA, "V": H[1:].T @ G, **sums}


def test_solutions_with_rows_pass_or_are_named():
    assert diagnose(*from_rows(rows_forward, rows_backward)).right
    no_next = diagnose(*from_rows(rows_forward, lambda *a: rows_backward(*a, add=0))).mistakes
    assert set(no_next) == named("no gradient comes from t + 1")
    assert "no gradient of W" in diagnose(*from_rows(rows_forward, lambda *a: {})).text


def test_a_wrong_solution_in_the_assignments_conventions_is_named():
    def the_originals(RNN, X, Y, h0, H, P):
        return columns_backward(RNN, X, Y, 0 * h0, H, P)

    assert diagnose(*from_columns(columns_forward, the_originals)).mistakes == (H0_DROPPED,)

    def in_place(RNN, X, Y, h0, H, P):
        P -= Y
        return columns_backward(RNN, X, 0 * Y, h0, H, P)

    assert diagnose(*from_columns(columns_forward, in_place)).mistakes == (IN_PLACE,)


Whh = Wxh = Why = bh = by = None  # as in min-char-rnn: set before each call


def lossFun(inputs, targets, hprev, clip=None):
    xs = {}
    hs = {-1: np.copy(hprev)}
    ps = {}
    for t, code in enumerate(inputs):
        xs[t] = np.eye(len(by))[:, [code]]
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
        e = np.exp(Why @ hs[t] + by)
        ps[t] = e / e.sum()
    gradients = [np.zeros_like(theta) for theta in (Whh, Wxh, Why, bh, by)]
    dWhh, dWxh, dWhy, dbh, dby = gradients
    dhnext = np.zeros_like(hprev)
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += dy @ hs[t].T
        dby += dy
        dhraw = (1 - hs[t] * hs[t]) * (Why.T @ dy + dhnext)
        dbh += dhraw
        dWxh += dhraw @ xs[t].T
        dWhh += dhraw @ hs[t - 1].T
        dhnext = Whh.T @ dhraw
    if clip:
        for gradient in gradients:
            np.clip(gradient, -clip, clip, out=gradient)
    return dWxh, dWhh, dWhy, dbh, dby


@pytest.mark.parametrize(("clip", "found"), [(None, ()), (5, (CLIPPED,))])
def test_a_solution_like_min_char_rnn_passes_but_for_its_clipping(clip, found):
    def backward(params, x, y, h, p):
        RNN = columns(params)
        globals().update(Whh=RNN.W, Wxh=RNN.U, Why=RNN.V, bh=RNN.b, by=RNN.c)
        dWxh, dWhh, dWhy, dbh, dby = lossFun(x, y, h[0][:, None], clip)
        return {"dWxh": dWxh, "dWhh": dWhh, "dWhy": dWhy, "dbh": dbh, "dby": dby}

    diagnosis = diagnose(None, backward)
    assert (diagnosis.mistakes, diagnosis.right) == (found, not found)


def test_single_precision_passes():
    def backward(params, x, y, h, p):
        params = model.Params(*map(np.float32, params))
        h = np.float32(h)
        p = np.float32(p)
        return model.backward(params, x, y, h, p)[0]

    assert diagnose(None, backward).right


def right(params, x, y, h, p):
    return model.backward(params, x, y, h, p)[0]._asdict()


@pytest.mark.parametrize(
    ("backward", "sentence"),
    [
        (lambda *a: None, "is there a `return`"),
        (lambda *a: 1 / 0, "raises ZeroDivisionError: division by zero"),
        (lambda *a: {}, "no gradient of W and U and V and b and c"),
        (lambda *a: right(*a) | {"W": "?"}, "The gradient of W is not an array of real numbers, but of type str"),
        (lambda *a: right(*a) | {"U": right(*a)["U"].T}, "It looks transposed."),
        (lambda *a: right(*a) | {"b": np.zeros(3)}, "has the shape (3,), and should have (5,)"),
        (lambda *a: right(*a) | {"V": right(*a)["V"] * np.nan}, "not finite (NaN or infinite)"),
        (lambda *a: (1, 2, 3), "returns 3 values"),
        (lambda *a: 3, "of type int"),
        (lambda params: None, "raises TypeError"),
        (lambda params, x, y, h, p: params.W.fill(0) or right(params, x, y, h, p), "changes the parameters"),
    ],
)
def test_what_cannot_be_compared_ends_in_a_sentence(backward, sentence):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnosis = diagnose(model.forward, backward)
    assert sentence in diagnosis.text
    assert not diagnosis.right


@pytest.mark.parametrize(
    ("forward", "sentence"),
    [
        (lambda *a: 3, "returns one int, and should return two arrays"),
        (lambda *a: model.forward(*a)[::-1], "and should have"),
        (lambda p, x, h0: h0.fill(1) or model.forward(p, x, h0), "forward changes h0"),
        (lambda *a: undefined, "NameError: name 'undefined' is not defined"),  # noqa: F821
    ],
)
def test_a_forward_that_cannot_be_compared_ends_in_a_sentence(forward, sentence):
    assert sentence in diagnose(forward, model.backward).text


# ---- update rules

STEPS = {"adagrad": adagrad_step, "adam": adam_step}


def planted_steps(rule):
    step, known, rate = updates.RULES[rule]
    for mistakes in (*((mistake,) for mistake in known), *itertools.combinations(known, 2)):
        planted = plant(step, *mistakes) if len(mistakes) == 1 else plant_both(step, *mistakes)
        if planted is not None:
            yield mistakes, lambda theta, g, memory, n, f=planted: f(theta, g, memory, n, rate, 5.0)


@pytest.mark.parametrize("rule", STEPS)
def test_each_mistake_in_an_update_and_each_pair_is_named(rule):
    unseen, planted = 0, dict(planted_steps(rule))
    for mistakes, update in planted.items():
        diagnosis = diagnose_update(update, rule)
        assert not diagnosis.right
        if set(diagnosis.mistakes) != set(mistakes):
            assert len(mistakes) == 2  # one hides the other, or another pair is the same in mathematics
            np.testing.assert_allclose(
                updates.steps(planted[diagnosis.mistakes])[1], updates.steps(update)[1], rtol=1e-8, atol=1e-11
            )
            unseen += 1
        else:
            assert all(mistake.what in diagnosis.text for mistake in mistakes)
    assert unseen < 0.2 * len(planted)


@pytest.mark.parametrize("rule", STEPS)
def test_right_updates_pass_in_place_and_by_return(rule):
    optimizer = model.OPTIMIZERS[rule]
    rate = updates.RULES[rule][2]

    def in_place(theta, g, memory, n):
        squares, means = memory.setdefault("s", (np.zeros_like(g), np.zeros_like(g)))
        optimizer(theta, squares, means, np.clip(g, -5, 5), rate, n)

    assert diagnose_update(in_place, rule).right
    assert diagnose_update(lambda *a: STEPS[rule](*a, rate, 5.0), rule).right
    assert diagnose_update(lambda *a: STEPS[rule](*a, rate, np.inf), rule, clip=np.inf).right


def test_odd_updates_end_in_a_sentence():
    assert "None of the known" in diagnose_update(lambda theta, g, memory, n: theta - 0.03 * np.sqrt(np.abs(g))).text
    assert "raises KeyError" in diagnose_update(lambda theta, g, memory, n: memory["x"]).text
    assert "not finite" in diagnose_update(lambda theta, g, memory, n: theta / 0).text
    with pytest.raises(ValueError, match="adagrad, adam"):
        diagnose_update(adagrad_step, "sgd")


# ---- samplers


def sampler(*mistakes, choose=lambda p, rng: rng.choice(len(p), p=p)):
    one = plant(next_p, *mistakes)

    def sample(params, h, x, length, rng, temperature=1.0, top_p=1.0):
        codes = []
        for _ in range(length):
            h, p = one(params, h, x, temperature, top_p)
            x = choose(p, rng)
            codes.append(x)
        return codes

    return sample


def test_right_samplers_pass():
    assert diagnose_sampler(sampling.sample).right
    by_sum = sampler(choose=lambda p, rng: np.searchsorted(np.cumsum(p), rng.random(), side="right"))
    assert diagnose_sampler(by_sum).right

    def one_hot_without_settings(params, h, x, length, rng):
        return np.eye(len(params.c))[:, sampling.sample(params, h, x, length, rng)]

    assert diagnose_sampler(one_hot_without_settings).right


def explained_by_counts(rng, *mistakes):
    counts = {}
    for case in samplers.CASES:
        p = samplers.probabilities(case, *mistakes)
        counts[case] = rng.multinomial(samplers.DRAWS, p.ravel() / p.sum()).reshape(p.shape)
    return samplers.explanation(counts)


def test_each_mistake_in_a_sampler_and_each_pair_is_named():
    rng, unseen = np.random.default_rng(0), 0
    for mistakes in (*samplers.SINGLE, *samplers.PAIRS):
        found = explained_by_counts(rng, *mistakes)
        assert len(found) <= len(mistakes)
        if set(found) != set(mistakes):  # with the other, one of the two has no effect at all
            unseen += 1
            for case in samplers.CASES:
                distributions = samplers.probabilities(case, *mistakes), samplers.probabilities(case, *found)
                np.testing.assert_allclose(*distributions, atol=1e-12)
    assert unseen < 60


@pytest.mark.parametrize("mistake", NEXT_P[::4], ids=lambda mistake: mistake.what)
def test_drawing_with_a_mistake_is_named(mistake):
    diagnosis = diagnose_sampler(sampler(mistake))
    assert diagnosis.mistakes == (mistake,)
    assert mistake.what in diagnosis.text


def test_odd_samplers_end_in_a_sentence():
    assert "all texts are the same" in diagnose_sampler(lambda params, h, x, length, rng: [1, 3]).text
    assert "returns 3 codes" in diagnose_sampler(lambda params, h, x, length, rng: [1, 2, 3]).text
    assert "the code 7" in diagnose_sampler(lambda params, h, x, length, rng: [1, 7]).text
    assert "integers" in diagnose_sampler(lambda params, h, x, length, rng: "ab").text
    assert "raises NameError" in diagnose_sampler(lambda params, h, x, length, rng: undefined).text  # noqa: F821

import numpy as np
import pytest

from report.measure import memory, places, units
from rnn import model
from rnn.corpus import encode
from rnn.engine import kernel

RNG = np.random.default_rng(0)
TEXT = "".join(f"{'a' * n} “{'b' * (n % 7 + 1)} {'Cc' * (n % 3)}” d\n" for n in range(1, 40))
VOCABULARY = "".join(sorted(set(TEXT)))
CODES = encode(TEXT, VOCABULARY)


def quote_detector():
    """Return a network whose unit 0 an opening mark switches on and a closing mark off; the other two read letters."""
    params = model.init_params(len(VOCABULARY), 3, np.random.default_rng(1), 0.3, "float64")
    W, U = np.diag([5.0, 0, 0]), params.U.copy()
    U[0] = 0
    U[0, VOCABULARY.index("“")], U[0, VOCABULARY.index("”")] = 20, -20
    return params._replace(W=W, U=U)


def test_a_unit_that_is_a_quote_detector_is_found_and_is_perfect():
    h = memory.states(quote_detector(), CODES, np.full(3, -0.9))[1:]
    labels = units.labels(CODES, VOCABULARY, places.quotation_marks(CODES, VOCABULARY))
    scores = units.tell(h, labels["in a quotation"])
    assert scores.argmax() == 0
    assert scores[0] == 1
    assert scores[1:].max() < 0.99
    last = units.last_character(CODES, labels["in a quotation"], CODES, len(VOCABULARY))
    assert units.tell(last, labels["in a quotation"])[0] < 1


def test_auc_is_the_share_of_pairs_in_order():
    h = RNG.integers(0, 4, (60, 5)).astype(float)
    label = RNG.random(60) < 0.3
    above = h[label][:, None] - h[~label]
    expected = (above > 0).mean(axis=(0, 1)) + 0.5 * (above == 0).mean(axis=(0, 1))
    np.testing.assert_allclose(units.auc(h, label), expected, rtol=1e-5)
    np.testing.assert_allclose(units.tell(h, label), np.maximum(expected, 1 - expected), rtol=1e-5)


def test_r_squared_is_the_squared_correlation():
    h = RNG.normal(0, 1, (50, 3))
    label = RNG.integers(0, 9, (2, 50))
    expected = [[np.corrcoef(h[:, i], numbers)[0, 1] ** 2 for i in range(3)] for numbers in label]
    np.testing.assert_allclose(units.tell(h, label), expected, rtol=1e-4)


def test_labels_shifted_in_a_circle_are_chance():
    h = RNG.normal(0, 1, (4_000, 20))
    rng = np.random.default_rng(2)
    label = np.repeat(RNG.random(400) < 0.5, 10)
    h[:, 3] += 3 * label  # a unit that knows
    a = units.shifted(label, 30, rng)
    b = units.shifted(label, 30, rng)
    assert a.shape == (30, 4_000)
    assert set(a.sum(axis=1)) == {label.sum()}
    assert (a != label).any(axis=1).all()
    assert units.tell(h, label)[3] > 0.95
    by_chance = units.chosen(units.tell(h, a), units.auc(h, b))
    assert by_chance.mean() == pytest.approx(0.5, abs=0.02)


def test_the_chosen_unit_is_the_best_by_one_text_and_scored_on_the_other():
    assert units.chosen(np.array([[1, 3, 2], [9, 0, 0]]), np.array([[10, 20, 30], [40, 50, 60]])).tolist() == [20, 40]


def test_all_units_together_know_what_is_spread_over_them():
    h = RNG.normal(0, 1, (500, 10))
    label = h.sum(axis=1) + 3
    assert units.tell(h, label).max() < 0.3
    assert units.tell(units.least_squares(h[:250], label[:250], h[250:]), label[250:])[0] == pytest.approx(1)


def test_a_label_that_hardly_varies_is_left_out():
    labels = units.labels(CODES, VOCABULARY, "“”")
    names = ["in a quotation", "in a word", "length of the word", "after a capital"]
    assert list(labels) == [*names, "place in the line"]
    assert units.matters(CODES, VOCABULARY, "“”").keys() >= labels.keys()
    chinese = encode("白鯨" * 50 + "\n", "\n白鯨")
    assert list(units.labels(chinese, "\n白鯨", "")) == ["place in the line"]
    assert units.labels(np.zeros(50, int), "x", "") == {}


@pytest.mark.parametrize("value", [0.3, -1.0, 1.0])
def test_a_held_unit_does_not_move_and_the_others_see_it_there(value):
    params = model.init_params(len(VOCABULARY), 8, np.random.default_rng(1), 0.5)
    h = memory.states(units.with_fixed_unit(params, 2, value), CODES[:50], np.zeros(8, np.float32))[1:]
    np.testing.assert_allclose(h[:, 2], value, atol=1e-5)
    slow = np.zeros(8)
    for code, ours in zip(CODES[:50], h, strict=True):
        slow = np.tanh(params.W @ slow + params.U[:, code] + params.b)
        slow[2] = value
        np.testing.assert_allclose(ours, slow, atol=1e-4)


def test_holding_a_quote_detector_costs_where_quotations_close():
    params = quote_detector()
    V = np.zeros_like(params.V)
    V[VOCABULARY.index("”"), 0] = 3  # a closing mark is said inside, and not outside
    params, h0 = params._replace(V=V), np.full(3, -0.9)
    fixed = units.with_fixed_unit(params, 0, 0.0)
    cost = kernel.evaluate(fixed, h0, CODES) - kernel.evaluate(params, h0, CODES)
    where = units.matters(CODES, VOCABULARY, "“”")["in a quotation"]
    assert cost[where].mean() > 1
    assert cost[~where].mean() < 0.1

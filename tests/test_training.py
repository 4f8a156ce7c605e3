import gzip
import hashlib
import itertools
import linecache
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.measure.statistics import smooth
from rnn import model
from rnn.corpus import ROOT, Corpus, encode, read_corpus
from rnn.engine import runs, training
from rnn.engine.runs import Config, RunError, finished, read_run
from rnn.engine.steps import numpy_steps
from rnn.engine.training import advance, first_state, plan, train
from rnn.model import OPTIMIZERS, Params

TEXT = read_corpus().part(0, 2_000)
VERY_LONG = 600  # seconds after which what is waited for has not come
SMALL = Config(m=12, T=10, epochs=3, snapshot_every=100)


def corpus_of(text):
    """The corpus of a text that stands in no file."""
    vocabulary = "".join(sorted(set(text)))
    return Corpus("text", hashlib.sha256(text.encode()).hexdigest(), vocabulary, encode(text, vocabulary))


def start(K, config):
    """Parameters, memories and states to begin with."""
    return first_state(K, config)[:3]


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def reference(params, memory, h, codes, step, losses, config):
    """What `advance` does, with `model.train_step`."""
    starts, lengths, resets, rates = plan(config, len(codes), step, len(losses))
    for n in range(len(losses)):
        if resets[n]:
            h[:] = 0
        x, y = (np.stack([codes[at : at + lengths[n]] for at in starts[n] + shift]) for shift in (0, 1))
        losses[n], _ = model.train_step(params, memory, x, y, h, rates[n], config.clip, config.optimizer)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    K=st.integers(2, 90),
    m=st.integers(1, 40),
    T=st.integers(1, 30),
    rest=st.integers(0, 5),
    clip=st.sampled_from([0.05, 5.0]),
    remainder=st.booleans(),
    seed=st.integers(0, 99),
    B=st.sampled_from([1, 2, 5]),
    order=st.sampled_from(runs.WORDS["order"]),
    decay=st.booleans(),
    warmup=st.sampled_from([0, 100]),
)
def test_the_kernel_equals_the_reference_over_many_steps(
    optimizer, K, m, T, rest, clip, remainder, seed, B, order, decay, warmup
):
    # a small learning rate: with 0.1 the first steps of AdaGrad amplify a rounding error a thousandfold a step
    rate = 0.002 if optimizer == "adagrad" else 0.0002
    text = {"m": m, "T": T, "B": B, "remainder": remainder, "order": order, "epochs": 40, "dtype": "float64"}
    rates = {"learning_rate": rate, "decay": decay, "warmup": warmup}
    config = Config(sigma=0.1, clip=clip, seed=seed, optimizer=optimizer, **rates, **text)
    codes = np.random.default_rng(seed).integers(0, K, 7 * T * B + 1 + min(rest, T - 1)).astype(np.uint8)
    the_kernel_equals_the_reference(codes, K, config, 200)


@pytest.mark.parametrize("B", [1, 2, 3, 4, 5, 7, 16, 17])  # one, two or four rows of a product at a time; BLAS
@pytest.mark.parametrize(("m", "K"), [(7, 3), (130, 5)])  # less than a vector, more than stays in the cache at once
def test_the_kernel_equals_the_reference_for_every_size_of_a_batch(m, K, B):
    config = Config(m=m, T=5, B=B, optimizer="adam", learning_rate=0.0002, sigma=0.1, epochs=10, dtype="float64")
    codes = np.random.default_rng(B).integers(0, K, 5 * 5 * B + 1).astype(np.uint8)
    the_kernel_equals_the_reference(codes, K, config, 20)


def the_kernel_equals_the_reference(codes, K, config, steps):
    ours, theirs = start(K, config), start(K, config)
    losses, expected = np.empty(steps), np.empty(steps)
    advance(*ours, codes, 0, losses, config)
    reference(*theirs, codes, 0, expected, config)
    np.testing.assert_allclose(losses, expected, rtol=1e-10)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-9, atol=1e-12)
    assert ours[1].updates == theirs[1].updates == steps
    for name, of_kernel, of_model in zip(
        Params._fields * 3,
        (*ours[0], *ours[1][0], *ours[1][1]),
        (*theirs[0], *theirs[1][0], *theirs[1][1]),
        strict=True,
    ):
        scale = np.abs(of_model).max()
        np.testing.assert_allclose(of_kernel, of_model, rtol=1e-9, atol=1e-9 * scale, err_msg=name)


def test_what_adam_remembers_of_a_character_that_does_not_come_again_ends_at_zero():
    """Not next to it, at numbers with which every step would take longer."""
    config = SMALL.replace(optimizer="adam", learning_rate=0.001, epochs=20)
    codes = np.random.default_rng(0).integers(0, 3, 1_001).astype(np.uint8)
    codes[0] = 3
    params, memory, h = start(4, config)
    advance(params, memory, h, codes, 0, np.empty(50), config)
    assert memory.means.U[:, 3].all()
    advance(params, memory, h, codes[1:], 0, np.empty(1_200), config)
    assert not memory.means.U[:, 3].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_process_that_compiles_takes_the_same_steps_as_those_that_load_the_cache(dtype, tmp_path):
    """Make keeps the digest of the losses of the process that has compiled."""
    subprocess.run([sys.executable, "-m", "tools.compile", dtype, tmp_path / "loaded"], cwd=ROOT, check=True)
    assert (tmp_path / "loaded").read_text() == (ROOT / "build" / f"compiled-{dtype}").read_text()


def test_in_float32_the_loss_curve_follows_that_of_float64():
    """At first step by step; later, where rounding has grown as every small difference does, far closer than seeds.

    With warm-up: without it AdaGrad's first ten steps can make of a rounding another network.
    """
    corpus, steps = read_corpus(), 6_000
    ends = {"float32": [], "float64": []}
    for seed in range(8):
        beginnings = []
        for dtype, end in ends.items():
            config = Config(m=32, dtype=dtype, seed=seed, warmup=2_000)
            losses = np.empty(steps)
            advance(*start(corpus.K, config), corpus.codes, 0, losses, config)
            beginnings.append(losses[:5])
            end.append(smooth(losses, 0.999)[-1])
        np.testing.assert_allclose(*beginnings, rtol=1e-3)
    difference = np.subtract(ends["float32"], ends["float64"])
    assert abs(difference.mean()) < 3.5 * difference.std(ddof=1) / np.sqrt(8)
    assert difference.std() < np.std(ends["float64"]) / 4


def test_steps_taken_in_pieces_are_the_same_bits():
    whole, pieces = start(TEXT.K, SMALL), start(TEXT.K, SMALL)
    losses = np.empty(450)
    advance(*whole, TEXT.codes, 0, losses, SMALL)
    for begin, end in ((0, 1), (1, 199), (199, 398), (398, 450)):
        part = np.empty(end - begin)
        advance(*pieces, TEXT.codes, begin, part, SMALL)
        assert np.array_equal(part, losses[begin:end])
    assert all(np.array_equal(a, b) for a, b in zip(whole[0], pieces[0], strict=True))


def test_the_smoothed_loss_is_its_definition():
    losses = np.random.default_rng(0).normal(50, 5, 300)
    alpha = 0.9
    s = losses[0]
    expected = [s]
    for L in losses[1:]:
        s = alpha * s + (1 - alpha) * L
        expected.append(s)
    np.testing.assert_allclose(smooth(losses, alpha), expected, rtol=1e-12)
    # and unrolled: every loss weighs alpha to the power of its age
    weights = (1 - alpha) * alpha ** np.arange(299, -1, -1.0)
    weights[0] /= 1 - alpha
    assert smooth(losses, alpha)[-1] == pytest.approx(weights @ losses)


def test_a_run_has_the_loss_of_every_step_and_its_snapshots(tmp_path):
    run = train(TEXT, SMALL, runs=tmp_path)
    assert len(run.losses) == 3 * 199
    assert run.losses[0] == pytest.approx(10 * np.log(83), abs=0.1)
    assert run.losses[-100:].mean() < run.losses[:100].mean()
    assert run.snapshots == [0, 10, 100, 199, 200, 300, 398, 400, 500, 597]
    assert np.array_equal(run.params(0).W, start(TEXT.K, SMALL)[0].W)


def test_snapshots_have_the_states_that_training_carried_on(tmp_path):
    run = train(TEXT, SMALL.replace(B=2), runs=tmp_path)
    params, memory, h = start(TEXT.K, SMALL.replace(B=2))
    advance(params, memory, h, TEXT.codes, 0, np.empty(100), SMALL.replace(B=2))
    assert np.array_equal(run.state(100).h, h)
    assert run.state(0).h.shape == run.state().h.shape == (2, 12)
    assert not run.state(0).h.any()


def test_a_finished_run_is_read_and_not_trained_again(tmp_path, monkeypatch):
    run = train(TEXT, SMALL, runs=tmp_path)
    monkeypatch.setattr(training, "advance", None)
    again = train(TEXT, SMALL, runs=tmp_path)
    assert np.array_equal(again.losses, run.losses)
    assert again.vocabulary == TEXT.vocabulary
    assert all(np.array_equal(a, b) for a, b in zip(read_run(run.directory).params(), run.params(), strict=True))


def test_looking_whether_a_run_is_finished_writes_nothing(tmp_path):
    assert finished(TEXT, SMALL, runs=tmp_path) is None
    assert not list(tmp_path.iterdir())
    run = train(TEXT, SMALL, runs=tmp_path)
    assert finished(TEXT, SMALL, runs=tmp_path).directory == run.directory
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert finished(TEXT, SMALL.replace(epochs=4), runs=tmp_path) is None
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_what_steps_see():
    """Worked by hand: 21 characters, two strands of ten, sequences of four."""
    config = Config(T=4, B=2, epochs=2, learning_rate=1.0, dtype="float64")
    starts, lengths, resets, rates = plan(config, 21, 0, 4)
    assert starts.tolist() == [[0, 10], [4, 14], [0, 10], [4, 14]]
    assert lengths.tolist() == [4, 4, 4, 4]
    assert resets.tolist() == [True, False, True, False]
    assert rates.tolist() == [1, 1, 1, 1]
    with_remainder = plan(config.replace(remainder=True), 21, 1, 2)
    assert with_remainder.starts.tolist() == [[4, 14], [8, 18]]
    assert with_remainder.lengths.tolist() == [4, 2]
    assert plan(config.replace(order="reset"), 21, 0, 4).resets.all()
    assert plan(config.replace(decay=True), 21, 0, 4).rates.tolist() == [1, 0.75, 0.5, 0.25]
    assert plan(config.replace(warmup=4), 21, 0, 4).rates.tolist() == [0.25, 0.5, 0.75, 1]
    assert plan(config.replace(warmup=2, decay=True), 21, 1, 2).rates.tolist() == [0.75, 0.5]


def test_random_places_are_everywhere_and_follow_from_the_number_of_the_step():
    config = Config(T=4, B=3, order="random", seed=5)
    whole = plan(config, 21, 0, 2_000)
    assert whole.resets.all()
    assert set(whole.starts.ravel()) == set(range(17))  # the last target is character 20
    pieces = [plan(config, 21, begin, end - begin).starts for begin, end in ((0, 1), (1, 700), (700, 2_000))]
    assert np.array_equal(np.concatenate(pieces), whole.starts)
    assert not np.array_equal(plan(config.replace(seed=6), 21, 0, 2_000).starts, whole.starts)


@pytest.mark.parametrize(("N", "B", "remainder"), [(45, 1, False), (60, 2, True), (101, 3, False)])
def test_shuffled_is_every_sequence_once_an_epoch_in_an_order_of_its_own(N, B, remainder):
    config = Config(T=4, B=B, order="shuffled", epochs=50, remainder=remainder, seed=5)
    in_order = config.replace(order="reset")
    per_epoch = config.steps_per_epoch(N)
    whole = plan(config, N, 0, config.steps(N))
    expected = plan(in_order, N, 0, per_epoch)
    assert whole.resets.all()
    epochs = whole.starts.reshape(50, per_epoch, B)
    for epoch, lengths in zip(epochs, whole.lengths.reshape(50, per_epoch), strict=True):
        assert sorted(epoch.ravel()) == sorted(expected.starts.ravel())
        assert np.array_equal(lengths, expected.lengths), "the shorter sequences come last"
        assert np.array_equal(epoch[lengths < 4], expected.starts[lengths < 4])
    assert len({tuple(epoch.ravel()) for epoch in epochs}) > 45, "hardly two epochs are alike"
    assert not np.array_equal(plan(config.replace(seed=6), N, 0, config.steps(N)).starts, whole.starts)


@settings(deadline=None, derandomize=True)
@given(N=st.integers(3, 60), B=st.integers(1, 3), remainder=st.booleans(), cuts=st.lists(st.integers(0, 60)))
def test_the_steps_of_a_shuffled_run_follow_from_their_numbers(N, B, remainder, cuts):
    config = Config(T=4, B=B, order="shuffled", epochs=5, remainder=remainder)
    steps = config.steps(N)
    whole = plan(config, N, 0, steps).starts if steps else np.empty((0, B))
    ends = sorted({0, steps, *(min(cut, steps) for cut in cuts)})
    pieces = [plan(config, N, begin, end - begin).starts for begin, end in itertools.pairwise(ends)]
    assert np.array_equal(np.concatenate([whole[:0], *pieces]), whole)


def test_adam_is_its_definition():
    """Kingma and Ba's means with their bias removed are weighted means over all gradients so far."""
    rng = np.random.default_rng(0)
    gradients, theta = rng.normal(0, 1, (30, 4)), np.zeros(4)
    squares = np.zeros(4)
    means = np.zeros(4)
    expected = np.zeros(4)
    for n in range(1, 31):
        model.adam(theta, squares, means, gradients[n - 1], 0.01, n)
        weights = [np.array([decay ** (n - i) for i in range(1, n + 1)]) for decay in (0.9, 0.999)]
        mean = weights[0] @ gradients[:n] / weights[0].sum()
        square = weights[1] @ gradients[:n] ** 2 / weights[1].sum()
        expected -= 0.01 * mean / (np.sqrt(square) + 1e-8)
        np.testing.assert_allclose(theta, expected, rtol=1e-10)


def test_a_batch_is_the_mean_of_its_sequences():
    """A batch of the same sequence thrice is that sequence once."""
    config = Config(m=8, T=5, dtype="float64")
    once = start(6, config)
    thrice = start(6, config.replace(B=3))
    codes = np.random.default_rng(0).integers(0, 6, 6)
    for params, memory, h in (once, thrice):
        x, y = (np.stack([codes[shift : shift + 5]] * len(h)) for shift in (0, 1))
        model.train_step(params, memory, x, y, h, 0.1, 5.0)
    for a, b in zip(once[0], thrice[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_another_text_or_setting_is_another_run(tmp_path):
    runs = [
        train(text, config, runs=tmp_path).directory
        for text, config in ((TEXT, SMALL), (TEXT.part(0, 1_000), SMALL), (TEXT, SMALL.replace(learning_rate=0.05)))
    ]
    assert len(set(runs)) == 3


def test_a_run_that_goes_on_from_another_is_one_long_run(tmp_path):
    first = train(TEXT, SMALL, runs=tmp_path)
    second = train(TEXT, SMALL.replace(epochs=2), start=first, runs=tmp_path)
    long = train(TEXT, SMALL.replace(epochs=5), runs=tmp_path)
    assert np.array_equal(np.concatenate((first.losses, second.losses)), long.losses)
    assert second.last_step == long.last_step == 5 * 199
    assert all(np.array_equal(a, b) for a, b in zip(second.params(), long.params(), strict=True))


def test_a_run_can_go_on_with_another_batch_size_but_not_with_another_network(tmp_path):
    first = train(TEXT, SMALL.replace(B=4, epochs=1), runs=tmp_path)
    second = train(TEXT, SMALL.replace(epochs=1), start=first, runs=tmp_path)
    assert second.state().h.shape == (1, 12)
    assert second.losses.mean() < first.losses.mean()
    for other in (SMALL.replace(m=13), SMALL.replace(dtype="float64")):
        with pytest.raises(RunError, match="cannot continue one with m = 12 in float32"):
            train(TEXT, other, start=first, runs=tmp_path)


def test_a_run_does_not_go_on_from_one_on_another_text(tmp_path):
    """Neither with fewer characters or more, whose weights have other shapes, nor with others, nor with the same."""
    fewer = corpus_of("abcdefgh " * 100)
    others = corpus_of("ijklmnop " * 100)
    more = corpus_of("abcdefghijk " * 100)
    first = train(fewer, SMALL.replace(epochs=1), runs=tmp_path)
    for text in (others, more):
        with pytest.raises(RunError, match="the two texts have different characters"):
            train(text, SMALL, start=first, runs=tmp_path)
    for text in (corpus_of("hgfedcba " * 100), fewer.part(0, 500)):
        with pytest.raises(RunError, match=r"cannot continue the one in .*/m12.*, which has another text"):
            train(text, SMALL, start=first, runs=tmp_path)
    again = train(fewer, SMALL.replace(epochs=1), start=first, runs=tmp_path)
    assert again.first_step == first.last_step


COMPILED = """
import numpy as np
from rnn.engine import kernel, training
for few_or_many in (np.uint8, np.uint16, np.int64):
    params, memory, h, *_ = training.first_state(9, training.Config(m=5))
    codes = np.arange(9, dtype=few_or_many).repeat(9)
    training.advance(params, memory, h, codes, 0, np.empty(2), training.Config(m=5))
    kernel.evaluate(params, h[0], codes)
print(len(kernel._advance.signatures), len(kernel._evaluate.signatures))
"""
COMPILING = """
import os, runpy, sys
sys.argv = ["compile.py", "float32", os.devnull]
runpy.run_path("tools/compile.py", run_name="__main__")
from rnn.engine import kernel
print(len(kernel._advance.stats.cache_misses), len(kernel._evaluate.stats.cache_misses))
"""


def test_what_make_compiles_is_what_training_uses():
    """It is once, in one process; to Numba a type of `__main__` is another than one of the module's."""
    compiled, compiling = (
        subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) for code in (COMPILED, COMPILING)
    )
    assert compiled == "1 1\n", "for texts of any number of characters"
    assert compiling == "0 0\n", "training has compiled it already"


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = sys.modules["scipy"] = None  # as where there is none
from pathlib import Path
from rnn.corpus import read_corpus
from rnn.engine.runs import Config
from rnn.engine.steps import numpy_steps
from rnn.engine.training import train
text, config = read_corpus().part(0, 500), Config(m=5, epochs=1)
run = train(text, config.replace(engine="numpy"), runs=Path(sys.argv[1]), show=False)
print(len(run.losses), len(list(numpy_steps(text, config))))
train(text, config, runs=Path(sys.argv[1]), show=False)
"""


def test_numpys_engine_needs_no_numba_and_the_kernel_says_so(tmp_path):
    command = [sys.executable, "-c", WITHOUT_NUMBA, tmp_path]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == "19 19\n"
    assert "The kernel needs Numba" in result.stderr
    assert result.stderr.rstrip().endswith("install it, or train with engine='numpy'.")


HEAVY = "print({'distributed', 'matplotlib', 'numba', 'pandas', 'scipy'} & set(sys.modules))"


@pytest.mark.parametrize(
    "light",
    [
        "import report.measure.choices, rnn.engine.sweep",
        "import execute",
        "import render; render.variables({'abstract': '{a}'}, {'a': [1.5, None]}, False, 'typst')",
    ],
)
def test_nobody_waits_for_libraries_that_are_not_needed(light):
    code = f"import sys; sys.path.insert(0, 'report'); {light}; {HEAVY}"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "set()\n"


def test_a_run_does_not_go_on_from_one_that_is_not_finished(tmp_path):
    def interrupt(step, _):
        os.kill(os.getpid(), signal.SIGINT)

    config = SMALL.replace(T=9)  # no snapshot is due after the first hundred steps
    with pytest.raises(KeyboardInterrupt):
        train(TEXT, config.replace(snapshot_every=1_000), runs=tmp_path, watch=interrupt)
    (directory,) = tmp_path.glob("*/m*")
    partial = read_run(directory)
    assert not partial.is_finished
    with pytest.raises(RunError, match=rf"The run in {directory} is not finished: train it to its end"):
        train(TEXT, config, start=partial, runs=tmp_path)


def test_the_last_short_sequence_is_dropped_unless_asked_for(tmp_path):
    assert Config(T=25).steps_per_epoch(100) == 3
    assert Config(T=25, remainder=True).steps_per_epoch(100) == 4
    assert Config(T=25, remainder=True).steps_per_epoch(101) == 4


def test_a_loss_that_is_not_finite_stops_the_run_with_a_sentence(tmp_path):
    with pytest.raises(RunError, match=r"The loss of step \d+ is (nan|inf) at learning rate 1e\+38: try a "):
        train(TEXT, SMALL.replace(learning_rate=1e38), runs=tmp_path)


def test_a_loss_that_is_finite_and_absurd_stops_the_run_with_a_sentence_and_what_was_reached_is_kept(tmp_path):
    config = SMALL.replace(learning_rate=1e7, sigma=None, snapshot_every=1, dtype="float64")
    with pytest.raises(RunError, match=r"The loss of step 1 is [\d.e+]+ at learning rate 1e\+07: try a ") as refusal:
        train(TEXT, config, runs=tmp_path)
    loss = float(re.search(r" is (\S+) at", str(refusal.value))[1])
    assert training.ABSURD * 10 * np.log(83) < loss < np.inf
    (directory,) = tmp_path.glob("*/m*")
    assert str(refusal.value).endswith(f"The run up to step 1 is in {directory}.")
    run = read_run(directory)
    assert run.last_step == run.snapshots[-1] == len(run.losses) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["adagrad", "sgd"])
def test_what_diverges_in_numpy_is_refused_too_although_its_losses_have_a_limit(tmp_path, optimizer, dtype):
    config = SMALL.replace(learning_rate=1e4, optimizer=optimizer, dtype=dtype, engine="numpy")
    with pytest.raises(RunError, match=r"The loss of step \d+ is [\d.]+ at learning rate 10000: try a smaller rate"):
        train(TEXT, config, runs=tmp_path)


@pytest.mark.parametrize("engine", ["kernel", "numpy"])
def test_the_first_steps_of_many_units_at_a_large_rate_are_not_refused(engine):
    text = read_corpus()
    config = Config(m=500, learning_rate=0.2, engine=engine)
    losses = np.empty(10)
    advance(*start(text.K, config), text.codes, 0, losses, config)
    assert losses.max() > 5 * config.T * np.log(text.K)
    assert losses.max() < training.absurd_loss(text.K, config)


def test_a_text_shorter_than_a_sequence_is_refused(tmp_path):
    with pytest.raises(RunError, match="11 are needed for T = 10"):
        train(TEXT.part(0, 10), SMALL, runs=tmp_path)


def test_watching_and_looking_never_change_the_run(tmp_path):
    plain = train(TEXT, SMALL, runs=tmp_path / "plain")
    seen = []

    def watch(step, losses):
        np.random.normal(size=10)  # noqa: NPY002  the generator that all of NumPy shares
        seen.append((step, losses.copy()))
        losses[:] = 0  # even a watcher that scribbles

    watched = train(TEXT, SMALL, runs=tmp_path / "watched", watch=watch)
    assert np.array_equal(watched.losses, plain.losses)
    assert all(np.array_equal(a, b) for a, b in zip(watched.params(), plain.params(), strict=True))
    assert np.array_equal(np.concatenate([losses for _, losses in seen]), plain.losses)
    assert seen[-1][0] == plain.last_step


def test_an_interrupt_leaves_a_run_that_can_be_read_and_gone_on_with(tmp_path):
    whole = train(TEXT, SMALL, runs=tmp_path / "whole")

    def interrupt(step, _):
        if step > 150:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"Stopped after \d+ of 597 steps"):
        train(TEXT, SMALL, runs=tmp_path / "stopped", watch=interrupt)
    (directory,) = (tmp_path / "stopped").glob("*/m*")
    partial = read_run(directory)
    assert 150 < partial.last_step < whole.last_step
    assert np.array_equal(partial.losses, whole.losses[: partial.last_step])
    assert partial.snapshots[-1] <= partial.last_step
    assert partial.params().W.shape == (12, 12)
    assert np.array_equal(train(TEXT, SMALL, runs=tmp_path / "stopped").losses, whole.losses)


@pytest.mark.parametrize("moment", ["finished", "opened_run_directory", "Recorder"])
def test_an_interrupt_before_the_first_step_is_told_like_a_later_one(tmp_path, monkeypatch, moment):
    function = getattr(training, moment)

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return function(*arguments)

    monkeypatch.setattr(training, moment, interrupted)
    with pytest.raises(training.Interrupted, match="Stopped after 0 of 597 steps"):
        train(TEXT, SMALL, runs=tmp_path)
    monkeypatch.undo()
    assert train(TEXT, SMALL, runs=tmp_path).is_finished


def test_a_second_process_on_one_run_is_told_so(tmp_path):
    directory = runs.run_directory(TEXT, SMALL, runs=tmp_path)
    hold = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(1, flush=True); input()"
    command = [sys.executable, "-c", hold, directory / "lock"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    with pytest.raises(RunError, match="Another process is training"):
        train(TEXT, SMALL, runs=tmp_path)
    process.communicate(b"\n")
    train(TEXT, SMALL, runs=tmp_path)


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.9, 0.999999])
@pytest.mark.parametrize("damage", ["flipped", "truncated"])
def test_a_damaged_checkpoint_is_refused_with_its_name(tmp_path, damage, place):
    path = train(TEXT, SMALL, runs=tmp_path).directory / "checkpoint"
    data = bytearray(path.read_bytes())
    at = int(place * len(data))
    if damage == "flipped":
        data[at] ^= 1
    else:
        del data[at:]
    path.write_bytes(data)
    with pytest.raises(RunError, match=r"checkpoint is damaged"):
        train(TEXT, SMALL, runs=tmp_path)
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", ["losses.f64", "snapshots/100"])
def test_damaged_losses_and_snapshots_are_refused_with_their_name(tmp_path, name):
    run = train(TEXT, SMALL, runs=tmp_path)
    data = bytearray((run.directory / name).read_bytes())
    data[len(data) // 2] ^= 1
    (run.directory / name).write_bytes(data)
    with pytest.raises(RunError, match=rf"{name} is damaged"):
        train(TEXT, SMALL, runs=tmp_path).params(100)


def test_files_of_another_run_or_step_are_refused_with_their_name(tmp_path, monkeypatch):
    run = train(TEXT, SMALL, runs=tmp_path)
    others = [
        train(TEXT.part(0, 1_500), SMALL, runs=tmp_path),
        train(TEXT, SMALL.replace(learning_rate=0.05), runs=tmp_path),
        train(TEXT._replace(vocabulary=TEXT.vocabulary[:-1] + "☃"), SMALL, runs=tmp_path),
    ]
    monkeypatch.setattr(runs, "FORMAT", runs.FORMAT + 1)
    others.append(train(TEXT, SMALL, runs=tmp_path))
    monkeypatch.undo()
    assert len({other.directory for other in (run, *others)}) == 5
    for name in ("checkpoint", "snapshots/100"):
        ours = (run.directory / name).read_bytes()
        for theirs in [other.directory / name for other in others] + [run.directory / "snapshots" / "200"]:
            (run.directory / name).write_bytes(theirs.read_bytes())
            with pytest.raises(RunError, match=rf"{name} belongs to another run or step"):
                train(TEXT, SMALL, runs=tmp_path).params(100)
        (run.directory / name).write_bytes(ours)


class Evil:
    """What pickle would call while it loads."""

    def __reduce__(self):
        return print, ("this was executed",)


def test_nothing_is_unpickled(tmp_path, capsys):
    run = train(TEXT, SMALL, runs=tmp_path)
    for data in (pickle.dumps(Evil()), gzip.compress(pickle.dumps(Evil()))):
        for name in ("snapshots/100", "run.json", "checkpoint"):
            (run.directory / name).write_bytes(data)
            with pytest.raises(RunError):
                read_run(run.directory).params(100)
    assert "executed" not in capsys.readouterr().out


def test_a_full_disk_loses_no_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    runs.write_atomically(path, b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="file cannot be used: No space left"):
        runs.write_atomically(path, b"after")
    assert path.read_bytes() == b"before"


def in_a_process(runs, ready):
    training.CHECKPOINT_SECONDS = 0.05
    ready.set()
    train(TEXT, SMALL.replace(epochs=500), runs=runs)


def test_a_killed_run_goes_on_and_ends_with_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.05)
    whole = train(TEXT, SMALL.replace(epochs=500), runs=tmp_path / "whole")
    random = np.random.default_rng(0)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_training"])
    ended = []
    for _ in range(12):
        ready = context.Event()
        process = context.Process(target=in_a_process, args=(tmp_path / "killed", ready))
        process.start()
        assert ready.wait(VERY_LONG)
        time.sleep(random.uniform(0, 0.3))  # while it starts, takes steps, writes
        process.kill()
        process.join()
        ended.append(process.exitcode)
    assert ended.count(-signal.SIGKILL) > 3, "and not by themselves"
    resumed = train(TEXT, SMALL.replace(epochs=500), runs=tmp_path / "killed")
    assert np.array_equal(resumed.losses, whole.losses)
    assert resumed.snapshots == whole.snapshots
    for step in whole.snapshots:
        assert all(np.array_equal(a, b) for a, b in zip(resumed.params(step), whole.params(step), strict=True))


RMSPROP = """
def rmsprop(theta, squares, means, g, learning_rate, n):
    squares += {share} * (g * g - squares)
    theta -= learning_rate * g / np.sqrt(squares + 1e-8)
"""


def cell(source):
    """Run source code as a notebook does, whose cells `inspect` can read."""
    names = {"np": np, "__name__": "__main__"}
    name = f"<cell {hashlib.sha256(source.encode()).hexdigest()}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), names)
    return names


def test_a_rule_from_a_cell_trains_with_numpy_and_other_code_is_another_run(tmp_path, monkeypatch):
    config = SMALL.replace(learning_rate=0.001, engine="numpy", epochs=1)
    trained = []
    for share in (0.1, 0.1, 0.2):
        monkeypatch.setitem(OPTIMIZERS, "rmsprop", cell(RMSPROP.format(share=share))["rmsprop"])
        trained.append(train(TEXT, config.replace(optimizer="rmsprop"), runs=tmp_path))
    run, again, other = trained
    assert run.losses[-50:].mean() < run.losses[:50].mean()
    assert run.directory == again.directory != other.directory
    assert not np.array_equal(run.losses, other.losses)
    assert read_run(run.directory).config == config.replace(optimizer="rmsprop")
    with pytest.raises(RunError, match="does not have your optimiser 'rmsprop': set engine='numpy'"):
        train(TEXT, SMALL.replace(optimizer="rmsprop"), runs=tmp_path)
    monkeypatch.delitem(OPTIMIZERS, "rmsprop")
    with pytest.raises(RunError, match=r"a setting that is unknown here: optimizer must be 'adagrad' or"):
        read_run(run.directory)


def test_a_rule_of_ones_own_under_a_known_name_is_not_taken_for_rnns(tmp_path, monkeypatch):
    theirs = train(TEXT, SMALL.replace(engine="numpy", epochs=1), runs=tmp_path)
    monkeypatch.setitem(OPTIMIZERS, "adagrad", cell(RMSPROP.format(share=0.1))["rmsprop"])
    ours = train(TEXT, SMALL.replace(engine="numpy", epochs=1), runs=tmp_path)
    assert ours.directory != theirs.directory
    with pytest.raises(RunError, match="set engine='numpy'"):
        train(TEXT, SMALL, runs=tmp_path)


def test_every_step_can_be_seen_from_inside(tmp_path):
    """`numpy_steps` takes the steps of a run with the engine "numpy", and those of the kernel but for rounding."""
    config = SMALL.replace(dtype="float64", learning_rate=0.002, epochs=1)
    steps = [
        (step.number, step.loss, step.gradient.W.copy(), np.abs(step.h).max()) for step in numpy_steps(TEXT, config)
    ]
    numbers, losses, gradients, h = zip(*steps, strict=True)
    assert numbers == tuple(range(199))
    assert np.array_equal(losses, train(TEXT, config.replace(engine="numpy"), runs=tmp_path).losses)
    np.testing.assert_allclose(losses, train(TEXT, config, runs=tmp_path).losses, rtol=1e-10)
    params, _, h0, *_ = training.first_state(TEXT.K, config)
    forward = model.forward(params, TEXT.codes[:10], h0[0])
    gradient, _ = model.backward(params, TEXT.codes[:10], TEXT.codes[1:11], *forward)
    np.testing.assert_allclose(gradients[0], gradient.W)
    assert 0 < max(h) < 1
    assert len(list(numpy_steps(TEXT, config, 3))) == 3

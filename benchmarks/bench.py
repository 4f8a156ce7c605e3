"""Compare the time of a step of training: PyTorch and JAX, our NumPy reference, the kernel, and C.

    python benchmarks/bench.py build [QUICK]

All implementations run in turns in one process, on one thread (`make bench` sets that); Node runs the page's kernel.
Before anything is timed, all must give the same losses. The table has medians with their range. `build/bench.json` has
the medians in microseconds a step, and `build/bench.svg` is the figure of docs/speed.md.
"""

import json
import platform
import sys
import time
from pathlib import Path

import baselines
import matplotlib.pyplot as plt
import numpy as np
import parts
from tabulate import tabulate

from report.show import plots
from rnn import model
from rnn.corpus import read_corpus
from rnn.engine.runs import Config

REPEATS = 7
SECONDS = 0.25  # the approximate length of a measurement
ADAM = Config(optimizer="adam", learning_rate=0.001)


def make_problem(K, m, seed=0):
    """Return codes of a text with K characters (the default text for its own K) and initial parameters."""
    corpus = read_corpus()
    rng = np.random.default_rng(seed)
    codes = corpus.codes[:300_000] if corpus.K == K else rng.integers(0, K, 300_000).astype(np.uint16)
    return codes, model.init_params(K, m, rng)


def check_same_losses(implementations, codes, params, steps=60):
    """Raise AssertionError unless all give the losses of `model.train_step`. A small rate keeps rounding small."""
    batched = {name: train for name, train in implementations.items() if name in baselines.BATCHED}
    for config, trainers in ((Config(learning_rate=0.001), implementations), (ADAM.replace(B=3), batched)):
        expected = baselines.numpy_reference(codes, params, steps, config)
        for name, train in trainers.items():
            losses = train(codes, params, steps, config)
            np.testing.assert_allclose(losses, expected, rtol=1e-4, err_msg=f"{name} computes something else")


def time_in_turns(implementations, codes, params, config, repeats=REPEATS):
    """Return {name: list of microseconds a step, one for each repeat}, measured in turns."""
    steps = {}
    taken = {name: [] for name in implementations}
    for name, train in implementations.items():  # the first call compiles, the second tells how fast it is
        train(codes, params, 20, config)
        began = time.perf_counter()
        train(codes, params, 20, config)
        per_step = (time.perf_counter() - began) / 20
        steps[name] = int(np.clip(SECONDS / per_step, 20, 5_000))
        train(codes, params, steps[name], config)  # some compile for each number of steps
    for _ in range(repeats):
        for name, train in implementations.items():
            began = time.perf_counter()
            train(codes, params, steps[name], config)
            taken[name].append((time.perf_counter() - began) / steps[name] * 1e6)
    return taken


def runnable(implementations, codes, params):
    """Return the implementations that run here, and print why the rest do not."""
    found = {}
    for name, train in implementations.items():
        try:
            train(codes, params, 2, Config(learning_rate=0.001))
            found[name] = train
        except Exception as error:  # a missing or broken library may raise anything
            print(f"{name} does not run here: {type(error).__name__}: {str(error).splitlines()[0][:150]}")
    return found


def main():
    """Measure, print a table, and write bench.json."""
    folder, quick = Path(sys.argv[1]), "QUICK" in sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    K, m = read_corpus().K, 100
    codes, params = make_problem(K, m)
    implementations = dict(baselines.QUICK)
    if c_float32 := baselines.build_c(folder):
        implementations["c_float32"] = c_float32
    if web_float32 := baselines.build_web(folder):
        implementations["web_float32"] = web_float32
    if not quick:
        implementations |= runnable(baselines.FULL, codes, params)
    check_same_losses(implementations, codes, params)
    print(f"All {len(implementations)} compute the same losses. m = {m}, K = {K}, T = 25, {platform.machine()}.")
    taken = time_in_turns(implementations, codes, params, Config())
    medians = {name: float(np.median(times)) for name, times in taken.items()}
    rows = [
        (name, f"{medians[name]:,.0f}", f"{min(times):,.0f} to {max(times):,.0f}", f"{medians[name] / kernel:.2f}")
        for kernel in [medians["kernel_float32"]]
        for name, times in sorted(taken.items(), key=lambda item: medians[item[0]])
    ]
    print(
        tabulate(rows, ["implementation", "microseconds a step", "range", "against the kernel"], disable_numparse=True)
    )
    step_parts = {}
    for B, optimizer in ((1, "adagrad"), (1, "adam"), (16, "adam")):
        config = (ADAM if optimizer == "adam" else Config()).replace(B=B)
        kinds = parts.measure(K, m, B, optimizer)
        whole = np.median(time_in_turns({"step": baselines.kernel_float32}, codes, params, config)["step"])
        measured, floor = map(sum, zip(*kinds.values(), strict=True))
        step_parts[f"B = {B}, {optimizer}"] = kinds | {"the rest": (whole - measured, 0), "a step": (whole, floor)}
        rows = [(name, *times) for name, times in step_parts[f"B = {B}, {optimizer}"].items()]
        head = [f"of the kernel's step, B = {B}, {optimizer}", "microseconds", "at least"]
        print(tabulate(rows, head, floatfmt=".0f"))
    results = medians | {
        "details": {"range": {name: [min(t), max(t)] for name, t in taken.items()}, "parts": step_parts}
    }
    if not quick:
        results["details"]["growth"] = growth(implementations)
        draw(taken, results["details"]["growth"], folder / "bench.svg")
    (folder / "bench.json").write_text(json.dumps(results, indent=1))
    print(f"Written to {folder / 'bench.json'}")


GROWTH = {
    "m": (50, 100, 200, 500, 1000),
    "T": (10, 25, 50, 100, 200),
    "K": (20, 83, 500, 2000, 5000),
    "B": (1, 2, 4, 8, 16, 32, 64, 128),  # with Adam
}


def growth(implementations):
    """Return {what grows: {name: [microseconds a step]}} for the fast ones, the other sizes being the assignment's."""
    measured = {}
    for size, values in GROWTH.items():
        fast = baselines.BATCHED if size == "B" else ("numpy_reference", "kernel_float32", "c_float32", "jax_scan")
        chosen = {name: implementations[name] for name in fast if name in implementations}
        measured[size] = {name: [] for name in chosen}
        for value in values:
            sizes = {"m": 100, "T": 25, "K": 83, "B": 1} | {size: value}
            codes, params = make_problem(sizes["K"], sizes["m"])
            config = (ADAM if size == "B" else Config()).replace(m=sizes["m"], T=sizes["T"], B=sizes["B"])
            taken = time_in_turns(chosen, codes, params, config, repeats=3)
            for name in chosen:
                measured[size][name].append(float(np.median(taken[name])))
        head = [f"{size}, Adam" if size == "B" else size, *chosen]
        print(tabulate(zip(values, *measured[size].values(), strict=True), head, floatfmt=",.0f"))
    return measured


SHOWN = {
    "kernel_float32": ("the kernel, float32", plots.BLUE),
    "kernel_float64": ("the kernel, float64", plots.BLUE),
    "c_float32": ("C for these sizes, float32", plots.ORANGE),
    "web_float32": ("the page's, WebAssembly, float32", plots.ORANGE),
    "jax_scan": ("JAX, one jit, float32", plots.GREEN),
    "numpy_reference": ("NumPy, model.py, float32", plots.GREY),
    "torch_eager": ("PyTorch, eager", plots.GREY),
    "torch_compile": ("PyTorch, torch.compile", plots.GREY),
    "min_char_rnn_numpy": ("NumPy, min-char-rnn style", plots.GREY),
}


def draw(taken, growth, path):
    """Draw the time of a step by implementation, with its range, and its growth with m, T and K."""
    plots.use_style()
    plt.rcParams["svg.fonttype"] = "path"  # where README is read, the typeface is not
    figure, axes = plt.subplot_mosaic([["bars"] * len(GROWTH), list(GROWTH)], figsize=(10, 6), height_ratios=(1, 1.1))
    bars = axes["bars"]
    for name in sorted(taken, key=lambda name: -np.median(taken[name])):
        low, middle, high = np.percentile(taken[name], (0, 50, 100))
        label, color = SHOWN[name]
        bars.barh(label, middle, xerr=[[middle - low], [high - middle]], color=color, height=0.7, error_kw={"lw": 0.8})
        bars.annotate(f"  {middle:,.0f}", (high, label), va="center", fontsize=9)
    bars.set_xlabel("microseconds a step (median and range), m = 100, T = 25, K = 83, one thread")
    bars.tick_params(axis="y", length=0)
    lines = {}
    for size, values in GROWTH.items():
        for name, times in growth[size].items():
            label, color = SHOWN[name]
            style = "o:" if name == "torch_eager" else "o-"
            (lines[label],) = axes[size].loglog(values, times, style, ms=3, color=color)
            lines[label].set_zorder(3 if name == "kernel_float32" else 2)
        every = 1 + len(values) // 6  # that the numbers do not touch
        ticks = [f"{value / 1000:g}k" if value >= 1000 else value for value in values]
        axes[size].set(
            xlabel=f"{size}, with Adam" if size == "B" else size, xticks=values[::every], xticklabels=ticks[::every]
        )
        axes[size].xaxis.minorticks_off()
        axes[size].yaxis.set_major_formatter("{x:,.0f}")
    axes["m"].set_ylabel("microseconds a step")
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=len(lines))
    figure.savefig(path, metadata={"Date": None}, transparent=False, facecolor="white")


if __name__ == "__main__":
    main()

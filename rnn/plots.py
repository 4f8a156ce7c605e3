"""The figures. Each function draws one idea on axes that it is given."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from rnn.corpus import ROOT

# Okabe and Ito's colours, which the colour-blind can tell apart; the lightness differs too, for print
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
WIDTH = 6.3  # inches: the measure of the text, so that type in a figure has the size of the type around it


def use_style():
    """Set matplotlib to the report's typeface, sizes and colours, and to SVG that is the same in every build."""
    warnings.filterwarnings("ignore", "Glyph .* missing")  # SVG has text as text: the reader's own fonts draw it
    for font in (ROOT / "build" / "fonts").glob("*.ttf"):
        font_manager.fontManager.addfont(font)
    has_typeface = "Libertinus Serif" in font_manager.fontManager.get_font_names()
    plt.rcParams.update(
        {
            "font.family": ["Libertinus Serif", "DejaVu Serif"] if has_typeface else ["DejaVu Serif"],
            "mathtext.fontset": "custom" if has_typeface else "dejavuserif",
            **{f"mathtext.{style}": "Libertinus Serif" for style in ("rm", "sf", "tt")},
            **{f"mathtext.{style}": "Libertinus Serif:italic" for style in ("it", "cal", "bfit")},
            "mathtext.bf": "Libertinus Serif:bold",
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "legend.fontsize": 9,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.6,
            "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, GREY]),
            "lines.linewidth": 1.2,
            "legend.frameon": False,
            "figure.figsize": (WIDTH, 2.6),
            "figure.constrained_layout.use": True,
            "savefig.transparent": True,
            "svg.fonttype": "none",
            "svg.hashsalt": "rnn",
        }
    )


def in_thousands(ax):
    """Label the x axis in thousands of steps."""
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step / 1000:g}"))
    ax.set_xlabel("training step (thousands)")


def plot_error_against_step(ax, steps, errors, label, color, marker):
    """Draw the largest relative error of a numerical gradient against the step h it was taken with."""
    ax.loglog(steps, np.maximum(errors, 1e-17), color=color, marker=marker, markersize=4, label=label)
    ax.set_xlabel("step $h$ of the numerical derivative")
    ax.set_ylabel("largest relative error")


def plot_overfit(ax, losses, label, color):
    """Draw the loss of every step, in nats per sequence, on logarithmic axes."""
    ax.loglog(np.arange(1, len(losses) + 1), losses, color=color, linewidth=0.8, label=label)
    ax.set_xlabel("training step")
    ax.set_ylabel("loss (nats per sequence)")


def plot_range(ax, losses, parts=600):
    """Draw the losses of all steps as a band, from the lowest to the highest among neighbouring steps."""
    chunks = np.array_split(losses, min(parts, len(losses)))
    steps = np.linspace(0, len(losses), len(chunks))
    lowest, highest = [chunk.min() for chunk in chunks], [chunk.max() for chunk in chunks]
    ax.fill_between(steps, lowest, highest, color=GREY, alpha=0.35, linewidth=0, label="every step, range")


def plot_smoothed(ax, curves, epoch_ends=()):
    """Draw smoothed losses {label: curve over all steps}, in nats per sequence, and where epochs end."""
    for (label, curve), color, width in zip(curves.items(), (ORANGE, BLUE), (0.7, 1.4), strict=True):
        steps = thinned(len(curve))
        ax.plot(steps, curve[steps], color=color, linewidth=width, label=label)
    for end in epoch_ends:
        ax.axvline(end, color=GREY, linewidth=0.4, linestyle=":")
    ax.set_ylabel("loss (nats per sequence)")
    in_thousands(ax)


def thinned(n, at_most=1500):
    """Return at most `at_most` evenly spaced indices into n steps: what a figure can show, for a small file."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(int))


def plot_epochs(ax, means, label, color, marker, first=1):
    """Draw the mean loss of each epoch, in nats per sequence, the first of them being epoch number `first`."""
    epochs = first + np.arange(len(means))
    ax.plot(epochs, means, color=color, marker=marker, markersize=4, linewidth=0.9, label=label)
    ax.set_xlabel("epoch")
    ax.set_ylabel("mean loss (nats per sequence)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def plot_seeds(ax, x, curves, label, color, marker=None):
    """Draw the mean of `curves` (seeds, points) over `x`, and the range of the seeds as a band."""
    curves = np.asarray(curves)
    ax.fill_between(x, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.25, linewidth=0)
    ax.plot(x, curves.mean(axis=0), color=color, marker=marker, markersize=3, label=label)


def plot_values(ax, values, intervals, colors):
    """Draw {label: values} as a column of dots each, and their mean and interval {label: (mean, half width)}."""
    for place, (label, of_label) in enumerate(values.items()):
        mean, half = intervals[label]
        ax.plot(np.full(len(of_label), place), of_label, ".", color=colors[label], alpha=0.35, markersize=5, mew=0)
        ax.errorbar(place + 0.25, mean, half, color=colors[label], marker="_", markersize=8, capsize=2, linewidth=1)
    ax.set_xticks(range(len(values)), [label.replace(", ", ",\n") for label in values])
    ax.set_xlim(-0.5, len(values) - 0.25)
    ax.tick_params(axis="x", length=0)


def plot_scores(ax, scores, colors):
    """Draw scores {label: (bits per character, half width of the interval)} as horizontal bars, the best at the top."""
    for label, (score, half) in sorted(scores.items(), key=lambda item: -item[1][0]):
        ax.barh(label, score, xerr=half, color=colors[label], height=0.7, error_kw={"lw": 0.8, "capsize": 2})
        ax.annotate(f"  {score:.2f}", (score + half, label), va="center", fontsize=9)
    ax.set_xlabel("bits per character")
    ax.tick_params(axis="y", length=0)


def plot_against(ax, x, measured, yardstick):
    """Draw means with intervals [(mean, half width)] against x, and one of the text itself as a line with a band."""
    means, halves = np.transpose(measured)
    ax.axhspan(yardstick[0] - yardstick[1], yardstick[0] + yardstick[1], color=GREY, alpha=0.25, linewidth=0)
    ax.axhline(yardstick[0], color=GREY, linewidth=0.8)
    ax.errorbar(x, means, halves, color=BLUE, marker="o", markersize=3, capsize=2, linewidth=1)


def plot_distributions(axes, distributions, labels):
    """Draw next-character distributions {title: p (K,)} as bars, one on each of `axes`, of the same characters."""
    places = np.arange(len(labels))
    for ax, (title, p) in zip(axes, distributions.items(), strict=True):
        ax.bar(places, p, color=BLUE, width=0.75)
        ax.set_title(title)
        ax.set_xticks(places, labels)
        ax.tick_params(axis="x", length=0)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].set_ylabel("probability")

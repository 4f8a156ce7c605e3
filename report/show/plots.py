"""The figures. Each function draws one idea and returns a Matplotlib figure for `show.figure`."""

import itertools
import textwrap
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from report.show.characters import named
from rnn.corpus import ROOT

# Okabe and Ito's colours, which the colour-blind can tell apart; they also differ in lightness, for print
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#009E73"
GREY = "#8A8A8A"
INK = "#000001"  # of letters and axes; Jupyter replaces it by the colour of the surrounding text
WIDTH = 6.3  # inches, the width of the text, so that type in a figure is as large as the type around it


def use_style():
    """Set Matplotlib to the report's typeface, sizes and colours."""
    warnings.filterwarnings("ignore", "Glyph .* missing")  # in SVG, the reader's own fonts draw such letters
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
            **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
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
            "figure.figsize": (WIDTH, 1.75),
            "figure.constrained_layout.use": True,
        }
    )


def thinned(n, at_most=1500):
    """Return at most `at_most` evenly spaced indices into n steps, enough for a figure in a small file."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(int))


def in_thousands(ax):
    """Label the x axis in thousands of steps."""
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step / 1000:g}"))
    ax.set_xlabel("training step (thousands)")


def mark_epochs(ax, ends):
    """Draw a dashed line at each of the steps `ends`, where an epoch ends."""
    for end in ends:
        ax.axvline(end, color=GREY, linewidth=0.4, linestyle="--")


def error_against_step(steps, errors):
    """Draw the largest relative errors {method: (steps,)} against the step of a numerical derivative."""
    fig, ax = plt.subplots()
    for (method, method_errors), color, marker in zip(errors.items(), (ORANGE, BLUE), "os", strict=True):
        ax.loglog(steps, np.maximum(method_errors, 1e-17), color=color, marker=marker, markersize=4, label=method)
    ax.set(xlabel="step δ of the numerical derivative", ylabel="largest relative error")
    ax.legend()
    return fig


def overfit(losses, uniform):
    """Draw the loss of every step, and the loss `uniform` of a uniform guess as a dashed line, in nats per sequence."""
    fig, ax = plt.subplots()
    ax.loglog(np.arange(1, len(losses) + 1), losses, color=BLUE, linewidth=0.8)
    ax.axhline(uniform, color=GREY, linewidth=0.8, linestyle="--")
    ax.set(xlabel="training step", ylabel="nats per sequence")
    return fig


def times(microseconds, other_times, floor):
    """Draw the times of a step {label: microseconds} as bars, `other_times` in grey, and `floor` as a line."""
    everything = microseconds | other_times
    fig, ax = plt.subplots(figsize=(WIDTH, 0.7 + 0.22 * len(everything)))
    for label, time in everything.items():
        ax.barh(label, time, color=GREY if label in other_times else BLUE, height=0.7)
        ax.annotate(f" {time:,.0f}", (time, label), va="center", fontsize=9)
    ax.axvline(floor, color=ORANGE, linewidth=1.2, linestyle="--", label="roofline")
    lowest = min(floor, *everything.values())
    highest = max(floor, *everything.values())
    ax.set(xscale="log", xlabel="microseconds a step", xlim=(lowest / 1.5, 2 * highest))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.legend(loc="lower right")
    return fig


def training(run, smoothed, validation, per_epoch):
    """Draw the losses of a `Run`, all of them and a close-up, in nats per sequence.

    They are the losses of every step as a band, `smoothed` {alpha: curve}, and the `validation` loss at each snapshot.
    """
    fig, (whole, close) = plt.subplots(1, 2, width_ratios=(3, 2), figsize=(WIDTH, 2.3))
    pieces = np.array_split(run.losses, min(600, len(run.losses)))
    at = run.first_step + np.linspace(0, len(run.losses), len(pieces))
    band = [piece.min() for piece in pieces], [piece.max() for piece in pieces]
    whole.fill_between(at, *band, color=GREY, alpha=0.35, linewidth=0, label="every step, range")
    shown = thinned(len(run.losses))
    for ax in (whole, close):
        for alpha, color, width in zip(sorted(smoothed), (ORANGE, BLUE), (0.7, 1.4), strict=False):
            label = f"smoothed, α = {alpha}"
            ax.plot(run.first_step + shown, smoothed[alpha][shown], color=color, linewidth=width, label=label)
        ax.plot(run.snapshots, validation, color=GREEN, marker="o", markersize=2.5, linewidth=0.8, label="validation")
        mark_epochs(ax, np.arange(per_epoch, len(run.losses) + 1, per_epoch))
        in_thousands(ax)
    late = min(per_epoch, len(run.losses) - 1)  # the close-up shows the range of the curves after the first epoch
    late_smoothed = smoothed[max(smoothed)][late:]
    late_validation = validation[np.array(run.snapshots) >= run.first_step + late]
    late_losses = np.concatenate((late_smoothed, late_validation))
    close.set_ylim(late_losses.min() - 3, late_losses.max() + 3)
    whole.set_yscale("log")
    whole.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    whole.yaxis.set_major_formatter("{x:g}")
    whole.yaxis.set_minor_formatter(NullFormatter())
    whole.set_ylabel("nats per sequence")
    fig.legend(*whole.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def first_losses(losses, smoothed, uniform):
    """Draw the loss of every step, the smoothed loss, and that of a uniform guess (dashed), in nats per sequence."""
    fig, ax = plt.subplots()
    steps = np.arange(1, len(losses) + 1)
    ax.semilogy(steps, losses, color=GREY, linewidth=0.4, label="every step")
    ax.semilogy(steps, smoothed, color=BLUE, label="smoothed")
    ax.axhline(uniform, color=GREY, linewidth=0.8, linestyle="--")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="training step", ylabel="nats per sequence")
    ax.legend()
    return fig


def curves(lines, ylabel):
    """Draw {label: (steps, values)} against the training step."""
    fig, ax = plt.subplots()
    for (label, (steps, values)), color in zip(lines.items(), (ORANGE, BLUE, GREEN, GREY), strict=False):
        shown = thinned(len(values))
        ax.plot(np.asarray(steps)[shown], np.asarray(values)[shown], color=color, label=label)
    in_thousands(ax)
    ax.set_ylabel(ylabel)
    ax.legend()
    return fig


def sparse_smoothing(sparse, smoothed, every):
    """Draw the loss `smoothed` on every step, and `sparse`, smoothed on every `every`-th step."""
    steps = np.arange(len(smoothed))
    label = f"every {every}th step, α = 0.999 (original)"
    lines = {label: (steps[::every], sparse), "every step, α = 0.999": (steps, smoothed)}
    return curves(lines, "nats per sequence")


def extension(losses, per_epoch, first):
    """Draw the mean loss of each epoch of several runs, {label: losses of all steps}.

    The first run is the beginning of the second, and ends after `first` epochs, at a dashed line. All later runs begin
    with the second.
    """
    _, trunk, *ends = losses
    means = {label: losses[label].reshape(-1, per_epoch).mean(axis=1) for label in (trunk, *ends)}
    n = len(means[trunk])
    fig, ax = plt.subplots(figsize=(WIDTH, 2.4))
    ax.plot(1 + np.arange(n), means[trunk], color=GREY, marker="o", markersize=3, label=trunk)
    for label, color, marker in zip(ends, itertools.cycle((ORANGE, BLUE, GREEN)), itertools.cycle("^sD"), strict=False):
        epochs = np.arange(n, len(means[label]) + 1)
        ax.plot(epochs, means[label][n - 1 :], color=color, marker=marker, markersize=3, label=label)
    mark_epochs(ax, [first + 0.5])
    ax.set(xlabel="epoch", ylabel="mean loss (nats per sequence)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return fig


def distributions(by_temperature, vocabulary, n):
    """Draw distributions of the next character {temperature: p (K,)} as bars, for the n most probable characters."""
    first = next(iter(by_temperature.values()))
    top = np.argsort(-first, kind="stable")[:n]
    labels = [{" ": "␣", "\n": "↵", "\t": "⇥"}.get(vocabulary[k], named(vocabulary[k])) for k in top]
    labels = [label.replace("$", "\\$") for label in labels]  # else matplotlib reads a formula
    fig, axes = plt.subplots(1, len(by_temperature), sharey=True, figsize=(WIDTH, 2.2))
    for ax, (tau, p) in zip(axes, by_temperature.items(), strict=True):
        ax.bar(np.arange(len(top)), p[top], color=BLUE, width=0.75)
        ax.set_title(f"τ = {tau:g}")
        ax.set_xticks(np.arange(len(top)), labels)
        ax.tick_params(axis="x", length=0)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].set_ylabel("probability")
    return fig


def stopping_place(changes):
    """Draw how held-out losses depend on where in the epoch training stops, {label: Series of bits by place}."""
    fig, ax = plt.subplots(figsize=(WIDTH, 2.3))
    ax.axhline(0, color=INK, linewidth=0.6)
    for (label, change), color, marker in zip(changes.items(), (ORANGE, BLUE, GREEN), "os^", strict=False):
        ax.plot(change.index, change, marker, color=color, markersize=4, label=label)
    ax.set(xlabel="where in the epoch training stops", ylabel="change of the loss (bits)", xlim=(0, 1.02))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(loc="lower left", ncols=3)
    return fig


def gains(by_group):
    """Draw what a predictor adds by group, a panel for each of {name of the groups: DataFrame of `Estimate`}."""
    widths = [max(3, len(frame)) for frame in by_group.values()]
    fig, axes = plt.subplots(1, len(by_group), sharey=True, squeeze=False, figsize=(WIDTH, 2.2), width_ratios=widths)
    for ax, (name, frame) in zip(axes[0], by_group.items(), strict=True):
        ax.axhline(0, color=INK, linewidth=0.6)
        _estimates(ax, range(len(frame)), frame.iloc[:, 0], color=BLUE, marker="o", linestyle="none")
        words = isinstance(frame.index[0], str)
        labels = [member if words else f"{member:g}" for member in frame.index]
        slanted = {"rotation": 50, "ha": "right", "rotation_mode": "anchor"} if words else {}
        ax.set_xticks(range(len(frame)), labels, **slanted)
        ax.set_xlabel("" if words else name)
    axes[0, 0].set_ylabel("bits per character")
    return fig


def first_steps(by_label):
    """Draw the columns of {label: DataFrame with a row for each step}, a panel for each column."""
    columns = list(next(iter(by_label.values())))
    fig, axes = plt.subplots(1, len(columns), figsize=(WIDTH, 2.3))
    for ax, column in zip(axes, columns, strict=True):
        for (label, frame), color, style in zip(by_label.items(), (ORANGE, BLUE), ("-", "--"), strict=False):
            ax.semilogx(frame.index, frame[column], color=color, linestyle=style, label=label)
        ax.set(xlabel="step", xlim=(0.85, len(frame) * 1.15))
        ax.set_title("\n".join(textwrap.wrap(column, 16)), fontsize=9)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:g}"))
        ax.xaxis.set_major_locator(LogLocator(numticks=9))
        if column.startswith(("share", "states")):
            ax.set_ylim(-0.03, 1.03)
            ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def shifts(by_label, usual, frame=0.3):
    """Draw a row for each changed setting with its two `Shift`s.

    `by_label` are two DataFrames {label: a row for each (choice, setting), with "shift" and "p"}. A point is filled if
    p is at most 0.05. `usual` {choice: setting} has the unchanged settings. A point beyond ±`frame` becomes an arrow at
    the edge, with its value.
    """
    rows = list(next(iter(by_label.values())).index)
    fig, ax = plt.subplots(figsize=(WIDTH, 0.8 + 0.32 * len(rows)))
    ax.axvline(0, color=INK, linewidth=0.6)
    colors = dict(zip(by_label, (ORANGE, BLUE), strict=True))
    edge = 0.97 * frame
    for (label, table), up in zip(by_label.items(), (-0.19, 0.19), strict=True):
        for row, (shift, p) in enumerate(zip(table["shift"], table["p"], strict=True)):
            color = colors[label]
            y = row + up
            low, high = np.clip((shift.low, shift.high), -edge, edge)
            ax.plot([low, high], [y, y], color=color, linewidth=1.4, solid_capstyle="butt")
            fill = color if p <= 0.05 else "white"
            marker = "o" if abs(shift.value) <= frame else ">" if shift.value > 0 else "<"
            ax.plot(np.clip(shift.value, -edge, edge), y, marker, color=color, markerfacecolor=fill, markersize=4.5)
            if marker != "o":
                side, away = ("right", -7) if shift.value > 0 else ("left", 7)
                placed = {"textcoords": "offset points", "va": "center", "ha": side, "fontsize": 8, "color": color}
                shown = f"{shift.value:+.2f}".replace("-", "−")
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
                ax.annotate(shown, (np.sign(shift.value) * edge, y), (away, 0), bbox=box, **placed)
    ax.set_yticks(range(len(rows)), [f"{choice}: {setting} (not {usual[choice]})" for choice, setting in rows])
    for row in range(1, len(rows)):
        ax.axhline(row - 0.5, color=GREY, linewidth=0.3, alpha=0.5)
    ax.set(xlim=(-frame, frame), ylim=(len(rows) - 0.5, -0.5), xlabel="difference in bits per character")
    handles = [plt.Line2D([], [], color=color, marker="o", linewidth=1.4) for color in colors.values()]
    fig.legend(handles, colors, loc="outside upper center", ncols=2)
    ax.tick_params(axis="y", length=0)
    return fig


def measures(panels, itself):
    """Draw a row of panels for each measure and a column for each of {x label: DataFrame of `Estimate`}.

    The index of a DataFrame has the x values. `itself` has the measures of the text itself, drawn as a grey line with
    its interval.
    """
    names = list(itself.index)
    fig, axes = plt.subplots(
        len(names), len(panels), sharey="row", sharex="col", squeeze=False, figsize=(WIDTH, 1.5 * len(names))
    )
    for row, name in zip(axes, names, strict=True):
        for ax, frame in zip(row, panels.values(), strict=True):
            value = itself[name].value
            half = np.nan_to_num(itself[name].half)
            ax.axhspan(value - half, value + half, color=GREY, alpha=0.25, linewidth=0)
            ax.axhline(value, color=GREY, linewidth=0.8)
            values = [estimate.value for estimate in frame[name]]
            halves = [estimate.half for estimate in frame[name]]
            ax.errorbar(list(frame.index), values, halves, color=BLUE, marker="o", markersize=3, capsize=2, linewidth=1)
        if name != "longest copy":
            row[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        row[0].set_ylabel(name)
    for ax, label in zip(axes[-1], panels, strict=True):
        ax.set_xlabel(label)
        if "thousands" in label:
            in_thousands(ax)
    return fig


def _estimates(ax, x, estimates, **style):
    """Draw `Estimate`s at x with their intervals."""
    values, halves = ([getattr(estimate, part) for estimate in estimates] for part in ("value", "half"))
    ax.errorbar(list(x), values, np.nan_to_num(halves), markersize=3, linewidth=1, elinewidth=0.7, **style)


def _label_panels(fig, ax, **settings):
    """Put the legend of a panel above the whole figure."""
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", **settings)


def memory(norms, T, context, ngrams, floor=1e-15):
    """Draw what networks remember after k characters, in three panels.

    Left: the norms of gradients {(network, when): (reach + 1, places)}, median and quartiles, with a dashed line at T.
    Middle: the bits, and right: the costs, from `context` {network: DataFrame by k with "bits", "cost" and "shuffled"}.
    `ngrams` are the bits of n-grams {k: bits}.
    """
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.5))
    colors = dict(zip(context, itertools.cycle((BLUE, ORANGE, GREEN)), strict=False))
    for (network, when), place_norms in norms.items():
        low, median, high = np.maximum(np.quantile(place_norms, (0.25, 0.5, 0.75), axis=1), floor / 10)
        left.fill_between(np.arange(len(median)), low, high, color=colors[network], alpha=0.25, linewidth=0)
        left.semilogy(
            median, color=colors[network], linestyle=":" if when == "first weights" else "-", label=f"{network}, {when}"
        )
    left.axvline(T, color=GREY, linewidth=0.8, linestyle="--")
    left.set(xlabel="characters back, k", title="norm of gradient", ylim=(floor, None))
    for network, frame in context.items():
        color = colors[network]
        shuffled = frame["shuffled"].dropna()
        middle.plot(frame.index, frame["bits"], color=color, marker="o", markersize=3, label=network)
        _estimates(
            right, frame.index, frame["cost"], color=color, marker="o", linestyle="-", label=f"{network}, in order"
        )
        _estimates(
            right, shuffled.index, shuffled, color=color, marker="x", linestyle=":", label=f"{network}, shuffled"
        )
    middle.plot(list(ngrams), list(ngrams.values()), color=GREY, marker="o", markersize=3, label="n-gram, n = k + 1")
    middle.set_ylim(0, None)
    right.axhline(0, color=INK, linewidth=0.6)
    right.set_yscale("symlog", linthresh=0.01)
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    for ax, title in ((middle, "bits per character"), (right, "extra bits")):
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:g}"))
        ax.set(xlabel="characters read, k", title=title)
    _label_panels(fig, middle, ncols=3)
    for ax, labels in ((left, ("trained", "first weights")), (right, ("in order", "shuffled"))):
        handles = [plt.Line2D([], [], color=INK, linestyle=style) for style in "-:"]
        ax.legend(handles, labels, loc="upper right", fontsize=8)
    return fig


def where(bits, differences):
    """Draw the bits by group, {name: DataFrame of `Estimate`, a column for each predictor}, and below the differences.

    `differences` has the differences from the last predictor, in the same form.
    """
    fig, axes = plt.subplots(
        2, len(bits), squeeze=False, sharex="col", sharey="row", height_ratios=(3, 2), figsize=(WIDTH, 2.6)
    )
    for (top, below), (name, frame) in zip(axes.T, bits.items(), strict=True):
        words = isinstance(frame.index[0], str)
        x = np.arange(len(frame)) if words else list(frame.index)
        networks = itertools.cycle(((BLUE, "o"), (ORANGE, "s"), (GREEN, "D")))
        styles = dict(zip(frame, networks, strict=False)) | {frame.columns[-1]: (GREY, "^")}
        for ax, panel in ((top, frame), (below, differences[name])):
            for label, estimates_of_label in panel.items():
                color, marker = styles[label]
                line = "none" if words else "-"
                _estimates(ax, x, estimates_of_label, color=color, marker=marker, linestyle=line, label=label)
        below.axhline(0, color=INK, linewidth=0.6)
        if words:
            below.set_xticks(x, frame.index, rotation=50, ha="right", rotation_mode="anchor")
        else:
            below.set_xlabel(name)
            if max(x) > 50:
                below.set_xscale("log")
            else:
                below.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[0, 0].set_ylabel("bits")
    axes[1, 0].set_ylabel(f"minus the\n{label_of_last(bits)}’s")
    _label_panels(fig, axes[0, 0], ncols=3)
    return fig


def label_of_last(frames):
    """Return the name of the last column in the first of several DataFrames."""
    return next(iter(frames.values())).columns[-1]


def through_the_book(means):
    """Draw the loss (epochs, pieces) in each piece of the text, one line for each epoch, in bits per character."""
    fig, ax = plt.subplots(figsize=(WIDTH, 1.9))
    middle = (np.arange(means.shape[1]) + 0.5) / means.shape[1]
    for epoch, epoch_losses in enumerate(means, 1):
        alpha = 1 if epoch == 1 else 0.25 + 0.75 * epoch / len(means)
        width = 1.6 if epoch == len(means) else 0.8
        label = f"epoch {epoch}" if epoch in (1, len(means)) else None
        ax.plot(middle, epoch_losses, color=ORANGE if epoch == 1 else BLUE, alpha=alpha, linewidth=width, label=label)
    ax.set(xlabel="place in the training text", ylabel="bits per character", xlim=(0, 1))
    ax.set_ylim(means[1:].min() - 0.1 if len(means) > 1 else None, np.quantile(means[0, 1:], 0.99) + 0.1)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(loc="upper right", ncols=2)
    return fig


def coloured(text, values, width=84):
    """Draw a text, `width` characters a line, once for each of {label: values (N,)}; -1 is blue and 1 is orange."""
    shown = [name if len(name) == 1 else "□" for name in map(named, text.replace("\n", "↵"))]
    values = values or {"no label": np.zeros(len(text))}
    lines = -(-len(shown) // width)
    fig, axes = plt.subplots(len(values), 1, squeeze=False, figsize=(WIDTH, (0.2 * lines + 0.3) * len(values)))
    for ax, (label, text_values) in zip(axes[:, 0], values.items(), strict=True):
        for n, (character, value) in enumerate(zip(shown, text_values, strict=True)):
            y, x = divmod(n, width)
            color = ORANGE if value > 0 else BLUE
            ax.add_patch(plt.Rectangle((x, y), 1, 1, color=color, alpha=0.55 * min(1, abs(value)), linewidth=0))
            if character != " ":
                escaped = character.replace("$", "\\$")
                ax.text(x + 0.5, y + 0.74, escaped, ha="center", fontsize=7.5, family="DejaVu Sans Mono")
        ax.set(xlim=(0, width), ylim=(lines, 0))
        ax.set_title(label, loc="left", fontsize=9)
        ax.axis("off")
    return fig


def calibration(tables, entropies, level):
    """Draw reliability `tables` {network: DataFrame} and `entropies` {network: (characters, texts)} while writing.

    `level` {network: bits} has the held-out losses, drawn as dashed lines.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.5))
    left.plot([1e-5, 1], [1e-5, 1], color=GREY, linewidth=0.8)
    left.set(
        xscale="log", yscale="log", xlabel="probability predicted", ylabel="how often it happened", ylim=(3e-6, 1.5)
    )
    for (label, table), color, marker in zip(tables.items(), (BLUE, ORANGE), "os", strict=False):
        _estimates(
            left, table["predicted"], table["happened"], color=color, marker=marker, linestyle="none", label=label
        )
        text_entropies = entropies[label]
        edges = np.unique(np.geomspace(1, len(text_entropies) + 1, 12).astype(int))
        pieces = [text_entropies[a - 1 : b - 1].mean(axis=0) for a, b in itertools.pairwise(edges)]
        mean = np.mean(pieces, axis=1)
        half = 1.96 * np.std(pieces, axis=1) / np.sqrt(text_entropies.shape[1])
        at = np.sqrt(edges[:-1] * edges[1:])
        right.errorbar(at, mean, half, color=color, marker=marker, markersize=3, linewidth=1, label=label)
        right.axhline(level[label], color=color, linewidth=0.8, linestyle="--")
    right.set(xscale="log", xlabel="characters written", ylabel="entropy (bits)")
    _label_panels(fig, left, ncols=2)
    return fig


def _log_binned(x, y, bins):
    """Return the geometric means of x and y, where both are above 0, in `bins` of equal width on a logarithmic axis."""
    above = (x > 0) & (y > 0)
    x = np.log(x[above])
    y = np.log(y[above])
    if not len(x):
        return np.empty(0), np.empty(0)
    bin_of = np.minimum(bins * (x - x.min()) / (np.ptp(x) or 1), bins - 1).astype(int)
    n = np.bincount(bin_of, minlength=bins)
    full = n > 0
    return tuple(np.exp(np.bincount(bin_of, logs, bins)[full] / n[full]) for logs in (x, y))


def laws(zipf, heaps, taylor):
    """Draw the curves of the three laws, each {label: curve}; see `report.measure.laws.curves`."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.5))
    colors = dict(zip(zipf, (BLUE, ORANGE, GREY, INK, GREEN), strict=False))
    for label, color in colors.items():
        for ax, curve in ((left, zipf[label]), (middle, heaps[label])):
            if len(curve):
                at = np.unique(np.geomspace(1, len(curve), 60).astype(int))
                ax.plot(at, curve[at - 1], color=color, label=label)
        x, y = _log_binned(*taylor[label], bins=13)
        right.plot(x, y, color=color, marker="o", markersize=2, linewidth=0.8)
    for ax in (left, middle, right):
        if any(len(line.get_xdata()) for line in ax.lines):  # a text without words has nothing to draw
            ax.set(xscale="log", yscale="log")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_minor_formatter(NullFormatter())
    left.set(xlabel="rank of a word", ylabel="how often it occurs")
    middle.set(xlabel="words read", ylabel="different words")
    right.set(xlabel="mean count", ylabel="standard deviation")
    _label_panels(fig, left, ncols=5, columnspacing=1)
    return fig

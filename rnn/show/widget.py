"""What readers move: the sliders of notebook 4 and of the report's page, and the page's trainer."""

import base64
import gzip
import html
import json
from functools import cache

import ipywidgets
import numpy as np
from IPython.display import display

from rnn.corpus import ROOT, split
from rnn.runs import Config
from rnn.sampling import sample_text
from rnn.training import first_state, smooth

PAGE_STEPS = 5  # training steps in the page's sampler, fewer where their weights are more than PAGE_BYTES
PAGE_BYTES = 3_000_000
PAGE_CHARACTERS = 3_000_000  # of the text that the page's trainer has, as in web/worker.mjs


def sampler(run, prime="\n"):
    """Return a widget that shows text sampled from the `Run`, with sliders for everything that decides it."""
    wide = {"style": {"description_width": "9em"}, "layout": {"width": "32em"}}
    steps = [(f"{step:,}", step) for step in run.snapshots]
    step = ipywidgets.SelectionSlider(options=steps, value=run.last_step, description="training step", **wide)
    temperature = ipywidgets.FloatSlider(1.0, min=0.05, max=2, step=0.05, description="temperature", **wide)
    top_p = ipywidgets.FloatSlider(1.0, min=0.05, max=1, step=0.05, description="top-p", **wide)
    length = ipywidgets.IntSlider(400, min=0, max=2000, step=50, description="length", **wide)
    priming = ipywidgets.Textarea(prime, description="priming text", rows=2, **wide)
    seed = ipywidgets.IntText(1, description="seed", **wide)
    another = ipywidgets.Button(description="another draw", icon="random")
    text = ipywidgets.HTML()
    params = cache(run.params)

    def draw(_=None):
        try:
            drawn = sample_text(
                params(step.value),
                run.vocabulary,
                priming.value,
                length.value,
                seed.value,
                temperature.value,
                top_p.value,
            )
        except ValueError as error:
            text.value = f"<p role='alert'><b>{html.escape(str(error))}</b></p>"
        else:
            text.value = (
                "<pre style='white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; max-width: 50em'>"
                f"<b>{html.escape(priming.value)}</b>{html.escape(drawn)}</pre>"
            )

    def draw_another(_):
        seed.value += 1

    controls = (step, temperature, top_p, length, priming, seed)
    for control in controls:
        control.observe(draw, "value")
    another.on_click(draw_another)
    draw()
    return ipywidgets.VBox([*controls, another, text])


def pack(params):
    """Return weights for report/sampler.mjs: float32, one array after the other, U transposed, in base64."""
    arrays = [theta.ravel().astype("<f4") for theta in params._replace(U=params.U.T)]
    return base64.b64encode(np.concatenate(arrays).tobytes()).decode()


def spread(steps, n):
    """Return at most n of the ascending `steps`, at least one: the last, the first, and others on a log scale."""
    if n < 3 or len(steps) < 3:
        return [steps[0], steps[-1]] if n > 1 and len(steps) > 1 else [steps[-1]]
    wanted = np.geomspace(steps[1], steps[-1], n - 1)
    return sorted({steps[0], *(min(steps, key=lambda step: abs(step - w)) for w in wanted)})


def sampler_in_page(run, corpus, prime):
    """Put a sampler into the report's page: the network of a `Run`, at as many steps as the page has room for."""
    room = min(PAGE_STEPS, PAGE_BYTES // len(pack(run.params())))
    snapshots = [{"step": step, "weights": pack(run.params(step))} for step in spread(run.snapshots, room)]
    packed = {"vocabulary": run.vocabulary, "m": run.config.m, "prime": prime, "snapshots": snapshots}
    _display_in_page("sampler", packed, corpus, "In Jupyter, use the sliders below.")


def trainer_in_page(run, corpus, alpha=0.999):
    """Put a trainer into the report's page: the `Run`, on the first part of a `split` of the text, once more.

    The page gets the text, the first weights, and the run's smoothed loss. A run that the page cannot repeat, because
    it takes several sequences a step or in another order, say, is there to be compared with.
    """
    config, parts, smoothed = run.config, split(corpus), smooth(run.losses, alpha)
    same = ("m", "T", "learning_rate", "sigma", "clip", "epochs", "seed", "optimizer", "dtype", "engine")
    plain = Config(**{name: getattr(config, name) for name in same})  # all else as the page has it
    repeats = run.first_step == 0 and config == plain and config.optimizer in ("adagrad", "adam")
    weights = pack(first_state(corpus.K, config).params)
    cut = len(corpus.codes) > PAGE_CHARACTERS
    steps = np.unique(np.geomspace(1, len(smoothed), 500).astype(int))
    settings = {"m": config.m, "T": config.T, "rate": config.learning_rate, "seed": config.seed, "sigma": config.sigma}
    settings["clip"] = config.clip if np.isfinite(config.clip) else None
    settings["optimizer"] = "adam" if config.optimizer == "adam" else "adagrad"
    packed = {
        "name": corpus.name,
        "vocabulary": corpus.vocabulary,
        "settings": settings,
        "repeats": repeats,
        "cut": cut,
        "end": None if cut else len(parts.train.codes),
        "heldOut": None if cut else parts.validation.stop,
        "alpha": alpha,
        "curve": [[int(step), round(float(smoothed[step - 1]), 2)] for step in steps],
        "weights": weights if len(weights) <= PAGE_BYTES else None,
        "text": base64.b64encode(gzip.compress(corpus.part(0, PAGE_CHARACTERS).text.encode(), mtime=0)).decode(),
    }
    _display_in_page("trainer", packed, corpus, "In Jupyter, change the settings above and run the notebook again.")


def _display_in_page(name, packed, corpus, in_jupyter):
    path = ROOT / "figures" / corpus.id / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(packed), "utf-8")
    markdown = f'::: {{.{name} file="{path.relative_to(ROOT)}"}}\n:::'
    in_jupyter = f"<p>The page of the report has its own {name} here. {in_jupyter}</p>"
    display({"text/html": in_jupyter, "text/markdown": markdown, "text/plain": f"the page's {name}"}, raw=True)

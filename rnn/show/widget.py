"""The sliders: text from any snapshot of a run, while a slider moves, in notebook 4 and in the report's page."""

import base64
import html
import json
from functools import cache

import ipywidgets
import numpy as np
from IPython.display import display

from rnn.corpus import ROOT
from rnn.sampling import sample_text

PAGE_STEPS = 5  # training steps in the page's sampler, fewer where their weights are more than PAGE_BYTES
PAGE_BYTES = 3_000_000


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
    path = ROOT / "figures" / corpus.id / "sampler.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = {"vocabulary": run.vocabulary, "m": run.config.m, "prime": prime, "snapshots": snapshots}
    path.write_text(json.dumps(packed), "utf-8")
    markdown = f'::: {{.sampler file="{path.relative_to(ROOT)}"}}\n:::'
    in_jupyter = "<p>The page of the report has its own sampler here. In Jupyter, use the sliders below.</p>"
    display({"text/html": in_jupyter, "text/markdown": markdown, "text/plain": "the page's sampler"}, raw=True)

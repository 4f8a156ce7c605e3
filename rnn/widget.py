"""The sliders of notebook 4: text from any snapshot of a run, while a slider moves."""

import html
from functools import cache

import ipywidgets

from rnn.sampling import sample_text


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

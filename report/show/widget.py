"""What readers move: a sampler and a trainer, the same in Jupyter, as an anywidget, and in the report's page.

Both run in the browser (web/). In Jupyter they get weights and texts as bytes in a message; no notebook is saved with
them. For the page they are files, which the Markdown that stands beside a widget in a notebook's output names.
"""

import hashlib
import re

import anywidget
import traitlets
from traitlets import Float, Int, Unicode

from report.show import web
from rnn.corpus import ROOT
from rnn.engine.runs import write_atomically
from rnn.sampling import check_settings

THE_NETWORK, THE_BEST = "the network", "the best network"
PAGE_STEPS = 4  # training steps of a network in the page, fewer where their weights are more than web.PAGE_BYTES
JUPYTER_BYTES = 50_000_000  # of a network's weights in Jupyter


class _FromWeb(anywidget.AnyWidget):
    """A part of web/ as a widget, which asks for what is packed when it is shown."""

    _esm = web.script("jupyter")
    _css = web.style("jupyter")
    _markup = Unicode().tag(sync=True)

    def __init__(self, name, packed, files, **settings):
        self._name, self._packed, self._files = name, packed, files
        super().__init__(_markup=web.markup(name), **settings)
        self.on_msg(lambda *_: self.send(*web.as_message(self._packed)))

    def _repr_mimebundle_(self, **_):
        data, metadata = super()._repr_mimebundle_()
        files = " ".join(str(path.relative_to(ROOT)) for path in self._files)
        markdown = f'::: {{.{self._name} files="{files}"}}\n:::'
        return data | {"text/markdown": markdown, "text/plain": f"the {self._name}"}, metadata


class Sampler(_FromWeb):
    """Text that networks write, with all that decides it; Python can read, set and observe every setting.

    Raises TraitError, in a sentence, for settings that mean nothing.
    """

    network = Unicode(help="the name of the network that is drawn from").tag(sync=True)
    step = Int(help="its training step, the nearest one that there is").tag(sync=True)
    temperature = Float(1.0).tag(sync=True)
    top_p = Float(1.0).tag(sync=True)
    length = Int(500, help="characters to draw").tag(sync=True)
    prime = Unicode(help="what the network reads first").tag(sync=True)
    seed = Int(1).tag(sync=True)
    colour = Unicode("surprise", help="what colours mean: surprise, leaned, or unit and its number").tag(sync=True)
    text = Unicode(help="what is shown, the priming text first; a text that is set is read, not drawn").tag(sync=True)

    @traitlets.validate("temperature", "top_p", "length")
    def _means_something(self, proposal):
        try:
            check_settings(**{proposal["trait"].name: proposal["value"]})
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        return proposal["value"]

    @traitlets.validate("colour")
    def _has_a_meaning(self, proposal):
        if not re.fullmatch(r"surprise|leaned|unit \d+", proposal["value"]):
            raise traitlets.TraitError(f"colour must be surprise, leaned, or unit 7, got {proposal['value']!r}")
        return proposal["value"]

    @traitlets.validate("step")
    def _is_there(self, proposal):
        networks = {network["name"]: network for network in self._packed["networks"]}
        snapshots = networks.get(self.network, {}).get("snapshots") or [{"step": proposal["value"]}]
        return min((snapshot["step"] for snapshot in snapshots), key=lambda step: abs(step - proposal["value"]))


class Trainer(_FromWeb):
    """A run taken again in the browser, beside the loss of the first; a text and settings of the reader's own."""


def sampler(run, corpus, prime="\n", best=None, units=None):
    """Return a `Sampler` of the network of a `Run`, and of a second one, the `best`; `corpus` is counted for n-grams.

    `units` gives names to units, {name: number}, of the best network if it is given. The page has one sampler, where
    the first of these stands; others lend it what they have more: the best network, and names.
    """
    runs = {THE_NETWORK: run} | ({} if best is None else {THE_BEST: best})
    name, added = list(runs.items())[-1]
    names = {name: units or {}}
    networks = [web.packed_network(of, label, prime, JUPYTER_BYTES, names.get(label)) for label, of in runs.items()]
    steps = PAGE_STEPS if best is None else 1
    room = min(web.PAGE_BYTES * 3 // 4, steps * len(networks[-1]["snapshots"][-1]["weights"]))
    files = [_file(corpus, name, web.packed_network(added, name, prime, room))]
    if units:
        files.append(_file(corpus, "units", {"of": name, "units": networks[-1]["units"]}))
    packed = {"networks": networks, "text": web.packed_text(corpus)}
    return Sampler("sampler", packed, files, network=THE_NETWORK, prime=prime, step=run.last_step)


def trainer(run, corpus, smoothed, alpha=0.999):
    """Return a `Trainer` of the `Run`, on the first part of a `split` of the text; its loss is `smoothed` by alpha."""
    training = web.packed_training(run, corpus, smoothed, alpha)
    return Trainer("trainer", {"training": training, "kernels": web.kernels()}, [_file(corpus, "training", training)])


def _file(corpus, name, packed):
    data = web.as_json(packed).encode()
    kept = f"{name.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:8]}.json"  # an experiment's is another
    path = ROOT / "figures" / corpus.id / kept
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)
    return path

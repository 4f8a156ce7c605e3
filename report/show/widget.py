"""What readers move: a sampler, a trainer, one sequence forward and back, the same in Jupyter and in the page.

All run in the browser (web/), in Jupyter as an anywidget. There they get weights and texts as bytes in a message; no
notebook is saved with them. For the page they are files, which the Markdown of a widget's output names.
"""

import hashlib
import html
import re

import anywidget
import matplotlib.pyplot as plt
import traitlets
from IPython.display import display
from traitlets import Bool, Float, Int, Unicode

from report.show import sequence as sequences
from report.show import web
from report.show.outputs import svg_of
from report.show.svg import shortened
from rnn.corpus import ROOT
from rnn.engine.runs import write_atomically

THE_NETWORK, THE_BEST = "the network", "the best network"
PAGE_STEPS = 12  # training steps of a network in the page, fewer where their weights are more than web.PAGE_BYTES
JUPYTER_BYTES = 50_000_000  # of a network's weights in Jupyter


# What a saved notebook shows in the place of a widget when it is opened without the kernel that made it
WITHOUT_KERNEL = """<style>
.jp-OutputArea-child:has(+ .jp-OutputArea-child .without-kernel):not(:has(.sampler, .trainer, .sequence)),
.jp-OutputArea-child:has(.sampler, .trainer, .sequence) + .jp-OutputArea-child:has(.without-kernel) { display: none; }
</style>
<p class="without-kernel">%s</p>"""


class _FromWeb(anywidget.AnyWidget):
    """A part of web/ as a widget, which asks for what is packed when it is shown."""

    _esm = web.script("jupyter")
    _css = web.style("jupyter")
    _markup = Unicode().tag(sync=True)

    def __init__(self, name, packed, files, first="", still="", **settings):
        self._name, self._packed, self._files, self._first, self._still = name, packed, files, first, still
        super().__init__(_markup=web.markup(name), **settings)
        self.on_msg(lambda *_: self.send(*web.as_message(self._packed)))

    def _repr_mimebundle_(self, **_):
        data, metadata = super()._repr_mimebundle_()
        files = {"files": self._files, "first": [self._first], "still": [self._still]}
        names = {kind: " ".join(map(_relative, filter(None, paths))) for kind, paths in files.items()}
        given = "".join(f' data-{kind}="{html.escape(value)}"' for kind, value in names.items() if value)
        markdown = f'<div class="{self._name}"{given}></div>'  # for filter.lua
        return data | {"text/markdown": markdown, "text/plain": self._sentence}, metadata

    def _ipython_display_(self):
        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        without = {"text/html": WITHOUT_KERNEL % self._sentence, "text/markdown": "", "text/plain": ""}
        display(without, raw=True)

    @property
    def _sentence(self):
        words = {"sequence": "view"}.get(self._name, self._name)
        return f"Run this notebook (Run, Run All Cells) to use the {words}: a saved notebook does not contain it."


class Sampler(_FromWeb):
    """Text that networks write, with all that decides it; Python can read, set and observe every setting.

    Raises TraitError for an impossible value and for an unknown setting.
    """

    network = Unicode(help="the name of the network that is drawn from").tag(sync=True)
    step = Int(help="its training step, one of those that it has").tag(sync=True)
    temperature = Float(1.0).tag(sync=True)
    top_p = Float(1.0).tag(sync=True)
    length = Int(500, help="characters to draw").tag(sync=True)
    prime = Unicode(help="what the network reads first").tag(sync=True)
    seed = Int(1).tag(sync=True)
    colour = Unicode("surprise", help="what colours mean: surprise, leaned, or unit and its number").tag(sync=True)
    counted = Bool(False, help="whether a 5-gram's text is shown too").tag(sync=True)
    text = Unicode(help="what is shown, the priming text first; a text that is set is read, not drawn").tag(sync=True)

    def __setattr__(self, name, value):
        if not name.startswith("_") and not hasattr(type(self), name):
            settings = ", ".join(("network", "step", *self._CHECKED, "prime", "text"))
            raise traitlets.TraitError(f"the sampler has no setting {name}; it has {settings}")
        super().__setattr__(name, value)

    _CHECKED = ("temperature", "top_p", "length", "seed", "colour", "counted")  # by the table of web/

    @traitlets.validate(*_CHECKED)
    def _can_be(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        sentence = web.complaint(name, value)
        unit = re.fullmatch(r"unit (\d+)", value) if name == "colour" else None
        if unit and int(unit[1]) >= (m := self._shown["m"]):
            sentence = f"The network has {m} units, numbered from 0: there is no unit {unit[1]}."
        if sentence:
            raise traitlets.TraitError(sentence)
        return value

    @traitlets.validate("step")
    def _is_there(self, proposal):
        steps = [snapshot["step"] for snapshot in self._shown["snapshots"]]
        if proposal["value"] not in steps:
            raise traitlets.TraitError(f"step must be one of {', '.join(map(str, steps))}, got {proposal['value']}")
        return proposal["value"]

    @property
    def _shown(self):
        networks = {network["name"]: network for network in self._packed["networks"]}
        return networks.get(self.network, networks[THE_NETWORK])


class Trainer(_FromWeb):
    """A run taken again in the browser, compared with the first one; a text and settings of the reader's own."""


class Sequence(_FromWeb):
    """One sequence, forward and back: what a notebook's own functions return, and every number that leads there."""


def sampler(run, corpus, prime="\n", best=None, units=None, surprise=None):
    """Return a `Sampler` of the network of a `Run`, and of a second one, the `best`; `corpus` is counted for n-grams.

    `units` gives names to units, {name: number}, of the best network if it is given. The page has one sampler, where
    the first of these is; later calls add their best network and the names of units to it. The first screen of the
    page reads with the first one's `run`; `surprise` compares it with an n-gram, see `web.packed_reading`.
    """
    runs = {THE_NETWORK: run} | ({} if best is None else {THE_BEST: best})
    name, added = list(runs.items())[-1]
    names = {name: units or {}}
    networks = [web.packed_network(run, label, prime, JUPYTER_BYTES, names.get(label)) for label, run in runs.items()]
    room = min(web.PAGE_BYTES * 3 // 4, (PAGE_STEPS if best is None else 1) * len(web.pack(added.params(), "<f2")))
    in_page = web.packed_network(added, name, prime, room, dtype="<f2")
    files, first = [_file(corpus, name, in_page)], ""
    if units:
        files.append(_file(corpus, "units", {"of": name, "units": networks[-1]["units"]}))
    if best is None and len(run.vocabulary) == corpus.K:
        steps = [snapshot["step"] for snapshot in in_page["snapshots"]]
        first = _file(corpus, "reading", web.packed_reading(run, corpus, steps, surprise))
    packed = {"networks": networks, "text": web.packed_text(corpus)}
    settings = {"network": THE_NETWORK, "prime": prime, "step": run.last_step}
    return Sampler("sampler", packed, files, first, **settings)


def trainer(run, corpus, smoothed, alpha=0.999):
    """Return a `Trainer` of the `Run`, on the first part of a `split` of the text; its loss is `smoothed` by alpha."""
    training = web.packed_training(run, corpus, smoothed, alpha)
    return Trainer("trainer", {"training": training, "kernels": web.kernels()}, [_file(corpus, "training", training)])


def sequence(problem, forward, backward, corpus):
    """Return a `Sequence` of a `gradcheck.Problem`, with what a notebook's `forward` and `backward` make of it.

    The columns in which they differ from `rnn.model` are marked. The reader can choose the weights of the report's
    networks too, as far as they have been trained. Paper has a still picture of the view.
    """
    packed = sequences.packed(corpus, problem, forward, backward)
    fig = sequences.still(corpus)
    still = _kept(corpus, "sequence", "svg", shortened(svg_of(fig, "none")).encode())
    plt.close(fig)
    # the notebook shows its own weights first, the page a network of the report
    return Sequence(
        "sequence", packed | {"first": sequences.NOTEBOOKS}, [_file(corpus, "sequence", packed)], still=still
    )


def _relative(path):
    return str(path.relative_to(ROOT))


def _file(corpus, name, packed):
    return _kept(corpus, name, "json", web.as_json(packed).encode())


def _kept(corpus, name, suffix, data):
    """Return the path of a file with some bytes; an experiment's is another."""
    kept = f"{name.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:8]}.{suffix}"
    path = ROOT / "figures" / corpus.id / kept
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)
    return path

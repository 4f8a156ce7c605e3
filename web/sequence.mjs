// One sequence, forward and back: what a step of training computes, with every number in it. web/lens.mjs draws it.
import { cellAt, coloursOf, wideOf } from "./cells.mjs";
import { THETAS, drawBlocks, drawLetters, drawMap, drawPlace, drawStrip, drawTerms, drawWeight, makeStrip, totalOf } from "./lens.mjs";
import { MISTAKES, adagrad, apart, backward, crossEntropy, forward, numbers, norm, ofLastLoss, read, unpack, wrongColumns } from "./model.mjs";

const PLAY = 180; // milliseconds a column
const LONGEST = 100; // columns
const CLIP = 5;
const UPDATED = "updated step by step";

const gradientsOf = ({ gradient, dh0 }) => ({ ...gradient, h0: dh0 });
const placeOfLargest = (values) => values.reduce((best, v, i) => (Math.abs(v) > Math.abs(values[best]) ? i : best), 0);
const within = (value, least, most) => Math.max(least, Math.min(value, most));

const paramsOf = (weights, m, vocabulary) => unpack(weights, m, Array.from(vocabulary).length);

// a network of the report on the passage, after the text before it
function ofNetwork({ m, weights }, { vocabulary, passage, context }) {
  const params = paramsOf(weights, m, vocabulary);
  const h0 = context.reduce((h, code) => read(params, h, code), new Float64Array(m));
  return { params, vocabulary, h0, x: passage.slice(0, -1), y: passage.slice(1) };
}

// what a notebook has checked, and what its own functions returned
function ofNotebook({ m, weights, vocabulary, x, y, h0, theirs }) {
  const params = paramsOf(weights, m, vocabulary);
  const [T, K] = [x.length, params.c.length];
  const rows = (packed, n, wide) => {
    const all = numbers(packed, n * wide);
    return Array.from({ length: n }, (_, t) => all.subarray(t * wide, (t + 1) * wide));
  };
  const returned = {
    h: rows(theirs.h, T + 1, m),
    p: rows(theirs.p, T, K),
    dh0: numbers(theirs.dh0, m),
    gradient: unpack(theirs.gradient, m, K),
    columns: theirs.columns,
  };
  return { params, vocabulary, h0: Float64Array.from(h0), x, y, theirs: returned };
}

// one step of the trainer
function ofTrainer({ params, m, vocabulary, x, y, h0 }) {
  return { params: paramsOf(params, m, vocabulary), vocabulary, h0: Float64Array.from(h0), x: x.slice(0, LONGEST), y: y.slice(0, LONGEST) };
}

class Sequence {
  state = { weights: "", start: "carried", mistake: "", pace: "full", direction: "forward", column: LONGEST, unit: 22, theta: "W", index: null, delta: -5 };
  updates = null; // what training has come to, from the first weights on

  constructor(section, packed) {
    Object.assign(this, { section, packed, colours: coloursOf(section) });
    const parts = ["strip", "columns", "blocks", "letters", "map", "reading", "total", "which", "sum", "centred", "complex"];
    for (const name of parts) this[name] = section.querySelector(`.${name}`);
    const { networks, problem, first, mistakes } = packed;
    this.sources = new Map(networks.map(({ name, ...network }) => [name, () => ofNetwork(network, packed)]));
    if (problem) this.sources.set(problem.name, () => ofNotebook(problem));
    this.sources.set(UPDATED, () => this.ofUpdates());
    this.state.weights = first ?? (networks[1] ?? networks[0]).name;
    this.find("mistake").append(...mistakes.filter(({ name }) => MISTAKES[name]).map(({ name, label }) => new Option(label, name)));
    this.fillSources();
    this.take();
    this.draw();
  }

  find = (name) => this.section.querySelector(`[name=${name}]`);

  fillSources() {
    this.find("weights").replaceChildren(...[...this.sources.keys()].map((name) => new Option(name, name)));
  }

  // the first sequences of training, one after another
  ofUpdates() {
    const { networks: [{ weights, m }], vocabulary, beginning, T } = this.packed;
    if (!this.updates) {
      const params = paramsOf(weights, m, vocabulary);
      const squares = Object.fromEntries(Object.entries(params).map(([name, theta]) => [name, new Float64Array(theta.length)]));
      this.updates = { n: 0, losses: [], params, squares, h0: new Float64Array(m) };
    }
    const { n, params, h0 } = this.updates;
    const codes = beginning.slice(n * T, (n + 1) * T + 1);
    return { params, vocabulary, h0, x: codes.slice(0, -1), y: codes.slice(1) };
  }

  // compute everything for the weights, h_0 and mistake that are chosen
  take() {
    const { start, mistake, weights } = this.state;
    const { params, vocabulary, x, y, ...problem } = this.sources.get(weights)();
    const h0 = start === "zero" ? new Float64Array(params.b.length) : problem.h0;
    const { h, p } = forward(params, x, h0);
    const truth = backward(params, x, y, h, p);
    const found = mistake ? MISTAKES[mistake](params, x, y, h, p) : truth;
    const theirs = start === "zero" || mistake ? null : problem.theirs;
    Object.assign(this, { params, x, y, h0, truth, found, theirs, T: x.length, m: h0.length, characters: Array.from(vocabulary) });
    Object.assign(this, { h: theirs?.h ?? h, p: theirs?.p ?? p, loss: crossEntropy(p, y), reach: ofLastLoss(params, h, truth.dO.at(-1)).map(norm) });
    [this.gradients, this.trueGradients] = [theirs ?? found, truth].map(gradientsOf);
    this.differences = Object.fromEntries(THETAS.map((theta) => [theta, apart(this.gradients[theta], this.trueGradients[theta])]));
    this.wrong = theirs?.columns ?? wrongColumns(found, truth);
    this.cells = makeStrip(this);
    drawStrip(this);
  }

  // the gradient of a parameter, of the columns that backward has come to
  gradientSoFar(theta) {
    const { params, x, y, h, p, state: { column, mistake } } = this;
    if (this.theirs || column === 1) return this.gradients[theta];
    if (theta === "h0") return new Float64Array(this.m);
    return (MISTAKES[mistake] ?? backward)(params, x, y, h, p, column - 1).gradient[theta];
  }

  // one step of AdaGrad from the first weights on; the trainer takes its own
  update() {
    const { state, trainer, packed: { T, beginning, rate, warmup } } = this;
    if (trainer && state.weights === trainer.name) return trainer.next();
    if (state.weights !== UPDATED) this.set({ weights: UPDATED, start: "carried" });
    const { updates } = this;
    if ((updates.n + 2) * T >= beginning.length) return this.say("The view has no more sequences. Choose another learning rate to begin again.");
    const share = state.pace === "warm" ? Math.min((updates.n + 1) / warmup, 1) : 1;
    adagrad(this.params, updates.squares, this.found.gradient, share * rate, CLIP);
    Object.assign(updates, { n: updates.n + 1, losses: [...updates.losses, this.loss], h0: this.h.at(-1) });
    this.take();
    this.draw();
  }

  // a sentence for everyone, and for screen readers
  say(sentence) {
    if (this.reading.textContent !== sentence) this.reading.textContent = sentence;
  }

  draw() {
    const { section, state } = this;
    state.column = within(state.column, 1, this.T);
    state.unit = within(state.unit, 0, this.m - 1);
    if (!(state.index < this.gradients[state.theta].length)) state.index = null;
    state.index ??= placeOfLargest(this.trueGradients[state.theta]);
    for (const name of ["weights", "start", "mistake", "pace", "delta"]) this.find(name).value = state[name];
    state.delta = Number(this.find("delta").value); // the slider keeps to its ends
    for (const button of section.querySelectorAll("button[value]")) button.setAttribute("aria-pressed", state[button.name] === button.value);
    section.dataset.direction = state.direction;
    section.classList.toggle("updating", state.weights === UPDATED);
    this.total.textContent = totalOf(this);
    for (const drawPart of [drawLetters, drawTerms, drawBlocks, drawWeight, drawMap, drawPlace]) drawPart(this);
  }

  // change what is chosen, compute what that needs, and draw
  set(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    const isNew = (name) => this.state[name] !== before[name];
    if (isNew("direction") && !("column" in changes)) this.state.column = this.state.direction === "forward" ? this.T : 1;
    if (isNew("theta")) this.state.index = null;
    if (isNew("pace")) this.updates = null;
    if (["weights", "start", "mistake", "pace"].some(isNew)) this.take();
    this.draw();
  }

  get isAtEnd() {
    return this.state.column === (this.state.direction === "forward" ? this.T : 1);
  }

  // one column on in the direction that is chosen, or from its end to its beginning
  next() {
    const isForward = this.state.direction === "forward";
    if (this.isAtEnd) this.set({ column: isForward ? 1 : this.T });
    else this.set({ column: this.state.column + (isForward ? 1 : -1) });
  }

  play() {
    const wasPlaying = this.playing;
    this.stop();
    if (wasPlaying) return;
    this.playing = setInterval(() => (this.isAtEnd ? this.stop() : this.next()), PLAY);
    this.find("play").textContent = "Stop";
    if (this.isAtEnd) this.next();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    this.find("play").textContent = "Play";
  }

  // a step of the trainer comes in
  hold({ step, next, ...given }) {
    if (this.trainer) this.sources.delete(this.trainer.name);
    this.trainer = { name: `your network, step ${step.toLocaleString("en")}`, next };
    this.sources.set(this.trainer.name, () => ofTrainer(given));
    this.fillSources();
    this.state.weights = ""; // so that the step is new even if it has the name of the one before
    this.set({ weights: this.trainer.name, start: "carried", mistake: "", direction: "backward", column: 1, index: null });
  }
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-Infinity, 0], End: [Infinity, 0] };

// the arrow keys move what is chosen in a part of the view
function onKeys(element, move) {
  element.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(...KEYS[event.key]);
  });
}

function onPointer(element, choose) {
  for (const kind of ["pointermove", "click"]) element.addEventListener(kind, (event) => event.target.matches("canvas") && choose(cellAt(event.target, event)));
}

function listen(view) {
  const { section, find, strip, blocks, map } = view;
  section.addEventListener("change", ({ target }) => target.matches("select") && view.set({ [target.name]: target.value }));
  section.addEventListener("click", ({ target }) => {
    const button = target.closest("button[value]");
    if (button) view.set({ [button.name]: button.value });
  });
  for (const name of ["next", "play", "update"]) find(name).addEventListener("click", () => view[name]());
  find("delta").addEventListener("input", ({ target }) => view.set({ delta: +target.value }));
  strip.addEventListener("click", ({ target }) => target.closest("[data-t]") && view.set({ column: +target.closest("[data-t]").dataset.t }));
  onKeys(strip, (right, down) => view.set({ column: view.state.column + right + down }));
  onKeys(blocks, (right, down) => view.set({ unit: view.state.unit + right + down * wideOf(view.m) }));
  onPointer(blocks, (unit) => unit !== view.state.unit && view.set({ unit }));
  const choose = (index) => view.set({ index: within(index, 0, view.gradients[view.state.theta].length - 1) });
  onKeys(map, (right, down) => choose(view.state.index + right + down * map.width));
  onPointer(map, (index) => index !== view.state.index && choose(index));
  section.addEventListener("sequence", ({ detail }) => (view.hold(detail), section.scrollIntoView({ block: "start" })));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    view.colours = coloursOf(section);
    drawStrip(view);
    view.draw();
  });
}

// what a link in the prose chooses: #lens=backward&column=1&mistake=H0_DROPPED
function stateOf(hash, section) {
  const words = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  if (!("lens" in words)) return null;
  const valuesOf = (name) => Array.from(section.querySelectorAll(`select[name=${name}] option, button[name=${name}]`), ({ value }) => value);
  words.direction = words.lens;
  const chosen = ["weights", "start", "mistake", "pace", "direction", "theta"].filter((name) => valuesOf(name).includes(words[name]));
  const numbers = ["column", "unit", "delta"].filter((name) => /^-?\d+$/.test(words[name]));
  return Object.fromEntries([...chosen.map((name) => [name, words[name]]), ...numbers.map((name) => [name, Number(words[name])])]);
}

// Make the view of a section with the markup of web/sequence.html, for what report/show/sequence.py has packed.
export function mountSequence(section, packed) {
  const view = new Sequence(section, packed);
  listen(view);
  const restore = () => {
    const changes = stateOf(location.hash, section);
    if (!changes) return;
    view.set(changes);
    section.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", restore);
  restore();
}

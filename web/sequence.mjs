// One sequence, forward and back: what a step of training computes, with every number in it. web/lens.mjs draws it.
import { cellAt, coloursOf, wideOf } from "./cells.mjs";
import { drawBlocks, drawLetters, drawMap, drawStrip, drawWeight, drawWords, largestOf, write } from "./lens.mjs";
import { MISTAKES, adagrad, apart, backward, crossEntropy, forward, norm, numbers, ofLastLoss, unpack, wrongColumns } from "./model.mjs";

const PLAY = 180; // milliseconds a column
const CLIP = 5;
const UPDATED = "updated step by step";

// the nearest whole number that can be chosen
const within = (value, least, most) => Math.round(Math.max(least, Math.min(value, most))) || least;

// a sequence, weights, and in `theirs` what a notebook's own functions have returned
function unpacked({ m, weights, vocabulary, x, y, h0, theirs }) {
  const characters = Array.from(vocabulary);
  const K = characters.length;
  const problem = { characters, x, y, h0: numbers(h0, m), params: unpack(weights, m, K) };
  if (!theirs) return problem;
  const [h, p] = [theirs.h.map((h_t) => numbers(h_t, m)), theirs.p.map((p_t) => numbers(p_t, K))];
  return { ...problem, theirs: { h, p, gradient: { ...unpack(theirs.gradient, m, K), h0: numbers(theirs.dh0, m) }, wrong: theirs.wrong } };
}

// how far the arrow keys go to the right and down
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-Infinity, 0], End: [Infinity, 0] };

class Sequence {
  kept = {}; // the unit and the number that the pointer does not change
  updates = null; // what training has come to, from the first weights on

  constructor(section, packed) {
    Object.assign(this, { section, packed, colours: coloursOf(section) });
    for (const name of ["strip", "columns", "blocks", "letters", "map", "reading"]) this[name] = section.querySelector(`.${name}`);
    this.problems = new Map(packed.problems.map((problem) => [problem.name, problem]));
    this.beginning = { weights: packed.first, start: "carried", mistake: "", pace: "full", direction: "forward", unit: 22, theta: "W", index: null, delta: -5 };
    this.state = { ...this.beginning, column: Infinity };
    this.find("mistake").append(...packed.mistakes.map(({ name, label }) => new Option(label, name)));
    this.listWeights();
    this.take();
    this.draw();
    this.listen();
    this.follow();
  }

  find = (name) => this.section.querySelector(`[name=${name}]`);

  listWeights() {
    this.find("weights").replaceChildren(...[...this.problems.keys(), UPDATED].map((name) => new Option(name, name)));
  }

  // the next sequence of training, and the weights that the steps before have made
  ofUpdates() {
    const { problems: [untrained], training: { codes, T } } = this.packed;
    this.updates ??= { ...unpacked(untrained), h0: new Float64Array(untrained.m), n: 0, losses: [], squares: {} };
    const at = this.updates.n * T;
    return { ...this.updates, x: codes.slice(at, at + T), y: codes.slice(at + 1, at + T + 1) };
  }

  // compute everything for the weights, h_0 and mistake that are chosen
  take() {
    const { start, mistake, weights } = this.state;
    const { params, characters, x, y, ...problem } = weights === UPDATED ? this.ofUpdates() : unpacked(this.problems.get(weights));
    const h0 = start === "zero" ? problem.h0.map(() => 0) : problem.h0;
    const theirs = start === "zero" || mistake ? null : problem.theirs;
    const { h, p } = forward(params, x, h0);
    const truth = backward(params, x, y, h, p);
    const backwardTo = (t) => (MISTAKES[mistake] ?? backward)(params, x, y, h, p, t);
    const found = { h, p, ...backwardTo(0), ...theirs };
    if (this.m !== h0.length || this.characters.length !== characters.length) this.state.index = null; // another network’s numbers
    Object.assign(this, { params, characters, x, y, h0, theirs, truth, backwardTo, found, T: x.length, m: h0.length });
    this.loss = crossEntropy(found.p, y);
    this.reach = ofLastLoss(params, h, truth.dO.at(-1)).map(norm);
    this.wrong = found.wrong ?? wrongColumns(found, truth);
    this.differences = Object.fromEntries(Object.entries(truth.gradient).map(([theta, d]) => [theta, apart(found.gradient[theta], d)]));
  }

  // one step of AdaGrad from the first weights on; the trainer takes its own
  update() {
    const { state, trainer, packed: { training } } = this;
    if (trainer && state.weights === trainer.name) return trainer.next();
    if (state.weights !== UPDATED) this.set({ weights: UPDATED, start: "carried" });
    const { updates, loss, found } = this;
    const n = updates.n + 1;
    if ((n + 1) * training.T >= training.codes.length) return write(this.reading, "The view has no more sequences. Choose another learning rate to begin again.");
    const share = state.pace === "warm" ? Math.min(n / training.warmup, 1) : 1;
    adagrad(updates.params, updates.squares, found.gradient, share * training.rate, CLIP);
    Object.assign(updates, { n, losses: [...updates.losses, loss], h0: found.h.at(-1) });
    this.take();
    this.draw();
  }

  draw() {
    const { section, state, T, m, truth } = this;
    const sizes = truth.gradient[state.theta].map(Math.abs);
    state.index ??= sizes.indexOf(largestOf(sizes));
    state.column = within(state.column, 1, T);
    state.unit = within(state.unit, 0, m - 1);
    state.index = within(state.index, 0, sizes.length - 1);
    for (const field of section.querySelectorAll("select, input")) field.value = state[field.name];
    state.delta = Number(this.find("delta").value); // the slider keeps to its ends
    for (const button of section.querySelectorAll("button[value]")) button.setAttribute("aria-pressed", state[button.name] === button.value);
    Object.assign(section.dataset, { direction: state.direction, theta: state.theta });
    section.classList.toggle("updating", state.weights === UPDATED);
    write(this.find("update"), `Update the ${[UPDATED, this.trainer?.name].includes(state.weights) ? "" : "first "}weights`);
    for (const drawPart of [drawStrip, drawBlocks, drawLetters, drawWeight, drawMap, drawWords]) drawPart(this);
  }

  // change what is chosen, compute what that needs, and draw
  set(changes) {
    const before = this.state;
    const isNew = (name) => name in changes && changes[name] !== before[name];
    this.state = { ...before, ...changes };
    if (isNew("direction")) this.state.column = changes.column ?? this.ends[1];
    if (isNew("theta")) this.state.index = changes.index ?? null;
    if (isNew("pace")) this.updates = null;
    if (["weights", "start", "mistake", "pace"].some(isNew)) this.take();
    this.draw();
  }

  // the columns at which the chosen direction begins and ends
  get ends() {
    return this.state.direction === "forward" ? [1, this.T] : [this.T, 1];
  }

  // one column on, and after the last one the first
  next() {
    const [[first, last], { column }] = [this.ends, this.state];
    this.set({ column: column === last ? first : column + Math.sign(last - first) });
  }

  // one column after the other, or stop
  play(isOn = !this.playing) {
    const isAtEnd = () => this.state.column === this.ends[1];
    clearInterval(this.playing);
    this.playing = isOn && setInterval(() => (isAtEnd() ? this.play(false) : this.next()), PLAY);
    this.find("play").textContent = isOn ? "Stop" : "Play";
    if (isOn && isAtEnd()) this.next();
  }

  // a step of the trainer comes in
  hold({ name, next, ...problem }) {
    this.problems.delete(this.trainer?.name);
    this.trainer = { name, next };
    this.problems.set(name, problem);
    this.listWeights();
    this.state.weights = ""; // so that the step is new even if it has the name of the one before
    this.set({ weights: name, start: "carried", mistake: "", direction: "backward", column: 1, index: null });
    this.section.scrollIntoView({ block: "start" });
  }

  // what a link in the prose chooses: #lens=backward&column=1&mistake=H0_DROPPED
  follow() {
    const { lens, ...words } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    if (lens === undefined) return;
    const offers = Array.from(this.section.querySelectorAll("option, button"), (one) => `${(one.closest("select") ?? one).name}=${one.value}`);
    const isOffered = ([name, word]) => (typeof this.state[name] === "number" ? /^-?\d+$/.test(word) : offers.includes(`${name}=${word}`));
    this.set({ ...this.beginning, ...Object.fromEntries(Object.entries({ ...words, direction: lens }).filter(isOffered)) });
    this.section.scrollIntoView({ block: "start" });
  }

  listen() {
    const { section, map, find } = this;
    section.addEventListener("input", ({ target }) => this.set({ [target.name]: target.value }));
    section.addEventListener("click", ({ target }) => {
      const [button, column] = ["button[value]", ".column"].map((kind) => target.closest(kind));
      if (button) this.set({ [button.name]: button.value });
      if (column) this.set({ column: Array.from(column.parentElement.children).indexOf(column) - 1 });
    });
    for (const name of ["next", "play", "update"]) find(name).addEventListener("click", () => this[name]());
    section.addEventListener("keydown", (event) => {
      const parts = { strip: ["column", 1], blocks: ["unit", wideOf(this.m)], map: ["index", map.width] };
      const [[name, wide], move] = [parts[event.target.classList[0]] ?? [], MOVES[event.key]];
      if (!name || !move || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.set({ [name]: this.state[name] + move[0] + move[1] * wide });
    });
    for (const kind of ["pointermove", "click"]) section.addEventListener(kind, (event) => {
      const name = { cells: "unit", map: "index" }[event.target.classList[0]];
      if (!name || (kind === "pointermove" && (this.kept[name] || event.pointerType === "touch"))) return;
      const place = cellAt(event.target, event);
      if (kind === "click") this.kept[name] = !this.kept[name] || place !== this.state[name];
      if (place !== this.state[name]) this.set({ [name]: place });
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.colours = coloursOf(section);
      this.draw();
    });
    addEventListener("hashchange", () => this.follow());
    // the same link again changes no address, so no hashchange tells of it
    document.addEventListener("click", ({ target }) => target.closest("a")?.hash === location.hash && this.follow());
  }
}

// Make the view of a section with the markup of web/sequence.html, for what report/show/sequence.py has packed. Its `hold` takes
// a step of the trainer.
export const mountSequence = (section, packed) => new Sequence(section, packed);

// One sequence, forward and back: what a step of training computes, with every number in it. web/lens.mjs draws it.
import { cellAt, onColours, wideOf } from "./cells.mjs";
import { onKeys, write } from "./elements.mjs";
import { adagrad, examined, problemOf } from "./gradients.mjs";
import { drawBlocks, drawLetters, drawMap, drawStrip, drawWeight, drawWords, largestOf } from "./lens.mjs";

const PLAY = 180; // milliseconds a column
const UPDATED = "updated step by step";

// the nearest whole number that can be chosen
const within = (value, least, most) => Math.round(Math.max(least, Math.min(value, most))) || least;

class Sequence {
  kept = {}; // the unit and the number that the pointer does not change
  updates = null; // what training has come to, from the first weights on

  constructor(section, packed) {
    Object.assign(this, { section, packed });
    for (const name of ["strip", "columns", "blocks", "letters", "map"]) this[name] = section.querySelector(`.${name}`);
    this.problems = new Map(packed.problems.map((problem) => [problem.name, problem]));
    const chosen = { weights: packed.first, start: "carried", mistake: "", pace: "full", direction: "forward" };
    this.beginning = { ...chosen, column: null, unit: 22, theta: "W", index: null, delta: -5 };
    this.state = { ...this.beginning };
    this.find("mistake").append(...packed.mistakes.map(({ name, label }) => new Option(label, name)));
    this.listWeights();
    this.take();
    onColours(section, (colours) => {
      this.colours = colours;
      this.draw();
    });
    this.listen();
    this.follow();
  }

  find = (name) => this.section.querySelector(`[name=${name}]`);

  listWeights() {
    this.find("weights").replaceChildren(...[...this.problems.keys(), UPDATED].map((name) => new Option(name, name)));
  }

  // the next sequence of training, and the weights that the steps before have made
  ofUpdates() {
    const { codes, T, from } = this.packed.training;
    const untrained = this.problems.get(from);
    this.updates ??= { problem: { ...problemOf(untrained), h0: new Float64Array(untrained.m) }, losses: [], squares: {} };
    const { problem, losses: { length: n } } = this.updates;
    return { ...problem, x: codes.slice(n * T, (n + 1) * T), y: codes.slice(n * T + 1, (n + 1) * T + 1) };
  }

  // compute everything for the weights, h_0 and mistake that are chosen
  take() {
    const { start, mistake, weights } = this.state;
    const problem = weights === UPDATED ? this.ofUpdates() : problemOf(this.problems.get(weights));
    if (start === "zero") problem.h0 = problem.h0.map(() => 0);
    if (start === "zero" || mistake) problem.theirs = null;
    const [T, m] = [problem.x.length, problem.h0.length];
    if (this.m !== m || this.characters.length !== problem.characters.length) this.state.index = null; // another network’s numbers
    Object.assign(this, { T, m, ...problem, ...examined(problem, mistake) });
  }

  // one step of AdaGrad from the first weights on; the trainer takes its own
  update() {
    if (this.state.weights === this.trainer?.name) return this.trainer.next();
    if (this.state.weights !== UPDATED) this.set({ weights: UPDATED, start: "carried" });
    const { updates: { problem, losses, squares }, loss, found, state, packed: { training } } = this;
    if (losses.length < training.updates) {
      losses.push(loss);
      const share = state.pace === "warm" ? Math.min(losses.length / training.warmup, 1) : 1;
      adagrad(problem.params, squares, found.gradient, share * training.rate, training.clip);
      problem.h0 = found.h.at(-1);
    } else this.updates = null; // begin again
    this.take();
    this.draw();
  }

  draw() {
    const { section, state, T, m, truth } = this;
    const sizes = truth.gradient[state.theta].map(Math.abs);
    state.index ??= sizes.indexOf(largestOf(sizes));
    state.column = within(state.column ?? this.ends[1], 1, T);
    state.unit = within(state.unit, 0, m - 1);
    state.index = within(state.index, 0, sizes.length - 1);
    for (const field of section.querySelectorAll("select, input")) field.value = state[field.name];
    state.delta = Number(this.find("delta").value); // the slider keeps to its ends
    for (const button of section.querySelectorAll("button[value]")) button.setAttribute("aria-pressed", state[button.name] === button.value);
    Object.assign(section.dataset, { direction: state.direction, theta: state.theta });
    section.classList.toggle("updating", state.weights === UPDATED);
    const isLast = state.weights === UPDATED && this.updates.losses.length === this.packed.training.updates;
    write(this.find("update"), isLast ? "Begin again" : `Update the ${[UPDATED, this.trainer?.name].includes(state.weights) ? "" : "first "}weights`);
    for (const drawPart of [drawStrip, drawBlocks, drawLetters, drawWeight, drawMap, drawWords]) drawPart(this);
  }

  // change what is chosen, compute what that needs, and draw
  set(changes) {
    const before = this.state;
    const isNew = (name) => name in changes && changes[name] !== before[name];
    this.state = { ...before, ...changes };
    if (isNew("direction")) this.state.column = changes.column ?? null;
    if (isNew("theta")) this.state.index = null;
    if (isNew("pace")) this.updates = null;
    if (["weights", "start", "mistake", "pace"].some(isNew)) this.take();
    if ("index" in changes) this.state.index = changes.index;
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
    const { section, strip, blocks, map, find } = this;
    section.addEventListener("input", ({ target }) => this.set({ [target.name]: target.value }));
    section.addEventListener("click", ({ target }) => {
      const [button, column] = ["button[value]", ".column"].map((kind) => target.closest(kind));
      if (button) this.set({ [button.name]: button.value });
      if (column) this.set({ column: Array.from(column.parentElement.children).indexOf(column) - 1 });
    });
    for (const name of ["next", "play", "update"]) find(name).addEventListener("click", () => this[name]());
    const move = (name) => (by) => this.set({ [name]: this.state[name] + by });
    onKeys(strip, move("column"), () => 1);
    onKeys(blocks, move("unit"), () => wideOf(this.m));
    onKeys(map, move("index"), () => map.width);
    for (const kind of ["pointermove", "click"]) section.addEventListener(kind, (event) => {
      const name = { cells: "unit", map: "index" }[event.target.classList[0]];
      if (!name || (kind === "pointermove" && (this.kept[name] || event.pointerType === "touch"))) return;
      const place = cellAt(event.target, event);
      if (kind === "click") this.kept[name] = !this.kept[name] || place !== this.state[name];
      if (place !== this.state[name]) this.set({ [name]: place });
    });
    addEventListener("hashchange", () => this.follow());
    // the same link again changes no address, so no hashchange tells of it
    document.addEventListener("click", ({ target }) => target.closest("a")?.hash === location.hash && this.follow());
  }
}

// Make the view of a section with the markup of web/sequence.html, for what report/show/sequence.py has packed. Its `hold` takes
// a step of the trainer.
export const mountSequence = (section, packed) => new Sequence(section, packed);

// One sequence, forward and back: what a step of training computes, with every number in it. web/lens.mjs draws it.
import { drawHistogram, drawInside, drawMap, drawStrip, makeBlocks, makeStrip } from "./lens.mjs";
import { coloursOf, cellAt } from "./cells.mjs";
import { MISTAKES, adagrad, backward, centredDifference, complexStep, crossEntropy, forward, numbers, read, transposedProduct, unpack } from "./model.mjs";

export const THETAS = ["W", "U", "V", "b", "c", "h0"];
const PLAY = 180; // milliseconds a column
const LONGEST = 100; // columns
const CLIP = 5;

const copyOf = (params) => Object.fromEntries(Object.entries(params).map(([name, theta]) => [name, Float64Array.from(theta)]));
const zerosOf = (params) => Object.fromEntries(Object.entries(params).map(([name, theta]) => [name, new Float64Array(theta.length)]));
const norm = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

// how far two gradients are apart, of the larger one's size: 0 where they are the same to rounding
export function apart(found, truth) {
  const size = Math.max(norm(found), norm(truth));
  const share = size ? norm(found.map((g, i) => g - truth[i])) / size : 0;
  return share < 1e-10 ? 0 : share;
}

// in which columns what backward found differs from the truth
export function wrongColumns(found, truth) {
  const differs = (a, b) => a.some((v, i) => Math.abs(v - b[i]) > 1e-10 * (Math.abs(v) + Math.abs(b[i])) + 1e-300);
  return truth.da.map((da, t) => differs(found.da[t], da) || differs(found.dO[t], truth.dO[t]) || differs(found.states[t], truth.states[t]));
}

// the size of dL_T/dh_t, of the last character's loss alone: how far back it reaches
function reachOf(params, { h }, dO) {
  const sizes = [];
  let dh = transposedProduct(params.V, dO.at(-1), params.b.length);
  for (let t = dO.length; t >= 0; t--) {
    sizes[t] = norm(dh);
    if (t > 0) dh = transposedProduct(params.W, dh.map((d, i) => d * (1 - h[t][i] ** 2)), params.b.length);
  }
  return sizes;
}

export class Sequence {
  state = { weights: "", start: "carried", mistake: "", pace: "full", direction: "forward", column: 25, unit: 22, theta: "W", index: null, delta: -5 };

  constructor(section, packed) {
    Object.assign(this, { section, packed, sources: this.sourcesOf(packed), updates: null });
    this.find = (name) => section.querySelector(`[name=${name}]`);
    const parts = { strip: ".strip", columns: ".columns", blocks: ".blocks", letters: ".letters", map: ".map", tabs: ".tabs", reading: ".reading", total: ".total" };
    for (const [name, selector] of Object.entries(parts)) this[name] = section.querySelector(selector);
    this.colours = coloursOf(section);
    this.state.weights = [...this.sources.keys()].find((name) => name.startsWith("trained")) ?? [...this.sources.keys()].at(-1);
    this.state.weights = packed.first ?? this.state.weights;
    this.fillSources();
    this.find("mistake").append(...packed.mistakes.filter(({ name }) => MISTAKES[name]).map(({ name, label }) => new Option(label, name)));
    this.tabs.append(...THETAS.map((theta) => this.tab(theta)));
    makeBlocks(this);
    this.take();
    this.draw();
  }

  // {name: what it makes a sequence of}: the weights there are
  sourcesOf({ networks, problem }) {
    const sources = new Map(networks.map(({ name, ...network }) => [name, () => this.ofNetwork(network)]));
    if (problem) sources.set(problem.name, () => this.ofProblem(problem));
    return sources;
  }

  fillSources() {
    this.find("weights").replaceChildren(...[...this.sources.keys()].map((name) => new Option(name, name)));
  }

  tab(theta) {
    const button = Object.assign(document.createElement("button"), { type: "button", name: "theta", value: theta });
    button.setAttribute("role", "radio");
    button.innerHTML = `<i>${theta === "h0" ? "h<sub>0</sub>" : theta}</i><small></small>`;
    return button;
  }

  // a network of the report on the passage, after the text before it
  ofNetwork({ m, weights }) {
    const { vocabulary, passage, context, beginning } = this.packed;
    const K = Array.from(vocabulary).length;
    const params = unpack(weights, m, K);
    if (this.updates) return this.ofUpdates(params, beginning);
    let h0 = new Float64Array(m);
    if (this.state.start === "carried") for (const code of context) h0 = read(params, h0, code);
    return { params, vocabulary, h0, x: passage.slice(0, -1), y: passage.slice(1) };
  }

  // the sequences of training in their order, from the first weights on
  ofUpdates(params, beginning) {
    const { updates, packed: { T } } = this;
    updates.params ??= copyOf(params);
    updates.squares ??= zerosOf(params);
    updates.h0 ??= new Float64Array(params.b.length);
    const some = beginning.slice(updates.n * T, updates.n * T + T + 1);
    return { params: updates.params, vocabulary: this.packed.vocabulary, h0: updates.h0, x: some.slice(0, -1), y: some.slice(1) };
  }

  // what a notebook has checked, and what its own functions returned
  ofProblem({ m, weights, vocabulary, x, y, h0, theirs }) {
    const K = Array.from(vocabulary).length;
    const params = unpack(weights, m, K);
    const rows = (packed, n, wide) => Array.from({ length: n }, (_, t) => packed.subarray(t * wide, t * wide + wide));
    const returned = theirs && {
      h: rows(numbers(theirs.h, (x.length + 1) * m), x.length + 1, m),
      p: rows(numbers(theirs.p, x.length * K), x.length, K),
      dh0: numbers(theirs.dh0, m),
      gradient: unpack(theirs.gradient, m, K),
      columns: theirs.columns,
    };
    return { params, vocabulary, h0: this.state.start === "zero" ? new Float64Array(m) : Float64Array.from(h0), x, y, theirs: this.state.start === "carried" ? returned : null };
  }

  // one step of the trainer
  ofTrainer({ params, squares, m, vocabulary, x, y, h0 }) {
    const K = Array.from(vocabulary).length;
    const made = { params: unpack(params, m, K), squares: unpack(squares, m, K), vocabulary, h0: this.state.start === "zero" ? new Float64Array(m) : Float64Array.from(h0) };
    return { ...made, x: x.slice(0, LONGEST), y: y.slice(0, LONGEST) };
  }

  // compute everything of the weights, sequence and mistake that are chosen
  take() {
    const { state } = this;
    const problem = (this.sources.get(state.weights) ?? [...this.sources.values()][0])();
    const { params, x, y, h0, theirs } = problem;
    Object.assign(this, problem, { T: x.length, theirs: theirs ?? null });
    this.characters = Array.from(problem.vocabulary);
    this.pass = forward(params, x, h0);
    this.loss = crossEntropy(this.pass.p, y);
    const { h, p } = this.pass;
    this.truth = backward(params, x, y, h, p);
    this.found = state.mistake ? MISTAKES[state.mistake](params, x, y, h, p) : this.truth;
    this.wrong = this.theirs ? this.theirs.columns : wrongColumns(this.found, this.truth);
    this.reach = reachOf(params, this.pass, this.truth.dO);
    this.differences = Object.fromEntries(THETAS.map((theta) => [theta, apart(this.gradientOf(theta), this.ofAll(this.truth, theta))]));
    state.column = Math.min(state.column, this.T);
    state.unit = Math.min(state.unit, h0.length - 1);
    const size = this.ofAll(this.truth, state.theta).length;
    if (state.index === null || state.index >= size) state.index = this.clearIndex(state.theta);
    makeStrip(this);
  }

  ofAll = ({ gradient, dh0 }, theta) => (theta === "h0" ? dh0 : gradient[theta]);

  // the gradient that is shown, of all columns: the notebook's, a mistaken one, or the true one
  gradientOf(theta) {
    if (!this.theirs) return this.ofAll(this.found, theta);
    return theta === "h0" ? this.theirs.dh0 : this.theirs.gradient[theta];
  }

  // the same of the columns that backward has come to
  gradientSoFar(theta) {
    const { state, params, x, y, pass: { h, p } } = this;
    if (this.theirs || state.column <= 1) return this.gradientOf(theta);
    const how = state.mistake ? MISTAKES[state.mistake] : backward;
    return theta === "h0" ? new Float64Array(h[0].length) : this.ofAll(how(params, x, y, h, p, state.column - 1), theta);
  }

  // a number of a parameter that has something to show: the one with the largest gradient in the row of the chosen unit
  clearIndex(theta) {
    const [gradient, m] = [this.ofAll(this.truth, theta), this.h0.length];
    const row = theta === "W" ? this.state.unit : null;
    let best = row === null ? 0 : row * m;
    for (let i = 0; i < gradient.length; i++) {
      if ((row === null || Math.floor(i / m) === row) && Math.abs(gradient[i]) > Math.abs(gradient[best])) best = i;
    }
    return best;
  }

  // the three answers for the number that is pointed at
  answers() {
    const { state: { theta, index, delta }, params, x, y, h0 } = this;
    return {
      sum: this.gradientOf(theta)[index],
      centred: centredDifference(params, x, y, h0, theta, index, 10 ** delta),
      complex: complexStep(params, x, y, h0, theta, index),
    };
  }

  get isUpdating() {
    return this.updates !== null;
  }

  // one step of AdaGrad, from the first weights on; the trainer takes its own
  update() {
    const { state, packed } = this;
    if (this.trainersNext && state.weights === this.trainersName) return this.trainersNext();
    if (!this.updates) {
      this.updates = { n: 0, losses: [] };
      state.weights = packed.networks[0].name;
      state.start = "carried";
      this.take();
      this.updates.first = copyOf(this.params);
    }
    const { updates } = this;
    if ((updates.n + 2) * packed.T >= packed.beginning.length) return this.say("The view has only the first steps: this was the last.");
    const rate = packed.rate * (state.pace === "warm" ? Math.min((updates.n + 1) / packed.warmup, 1) : 1);
    updates.losses.push(this.loss);
    adagrad(this.params, updates.squares, this.found.gradient, rate, CLIP);
    Object.assign(updates, { n: updates.n + 1, h0: this.pass.h.at(-1) });
    this.take();
    return this.draw();
  }

  // the sentence for everyone, and for screen readers
  say(sentence) {
    if (this.reading.textContent !== sentence) this.reading.textContent = sentence;
  }

  draw() {
    const { state } = this;
    for (const name of ["weights", "start", "mistake", "pace"]) this.find(name).value = state[name];
    this.find("delta").value = state.delta;
    for (const name of ["forward", "backward"]) this.find(name).setAttribute("aria-pressed", state.direction === name);
    this.section.dataset.direction = state.direction;
    this.section.classList.toggle("updating", this.isUpdating);
    this.section.classList.toggle("mistaken", this.wrong.some(Boolean) || Object.values(this.differences).some((share) => share > 0));
    drawStrip(this);
    drawInside(this);
    drawMap(this);
    if (this.isUpdating) drawHistogram(this);
  }

  // change what is chosen, compute what that needs, and draw
  set(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    const isNew = (...names) => names.some((name) => name in changes && changes[name] !== before[name]);
    if (isNew("weights", "pace")) this.updates = this.isUpdating && isNew("pace") ? { n: 0, losses: [] } : null;
    if (isNew("theta") && !("index" in changes)) this.state.index = null;
    if (isNew("unit") && !("index" in changes) && this.state.theta === "W") this.state.index = null;
    if (isNew("weights", "start", "mistake", "pace")) {
      this.take();
      if (this.isUpdating) this.updates.first ??= copyOf(this.params);
    } else if (this.state.index === null) this.state.index = this.clearIndex(this.state.theta);
    this.draw();
  }

  move(by) {
    this.set({ column: Math.max(1, Math.min(this.T, this.state.column + by)) });
  }

  // one column on in the direction that is chosen; returns whether there is another
  next() {
    const { direction, column } = this.state;
    const to = direction === "forward" ? column + 1 : column - 1;
    const isEnd = to < 1 || to > this.T;
    this.set({ column: isEnd ? (direction === "forward" ? 1 : this.T) : to });
    return !(direction === "forward" ? this.state.column >= this.T : this.state.column <= 1);
  }

  play() {
    clearInterval(this.playing);
    const button = this.find("play");
    const isOn = button.textContent === "Play";
    button.textContent = isOn ? "Stop" : "Play";
    if (!isOn) return;
    this.set({ column: this.state.direction === "forward" ? 1 : this.T });
    this.playing = setInterval(() => {
      if (this.next()) return;
      clearInterval(this.playing);
      button.textContent = "Play";
    }, PLAY);
  }

  // a step of the trainer comes in
  hold(step) {
    if (this.trainersName) this.sources.delete(this.trainersName);
    this.trainersName = `your network, step ${step.step.toLocaleString("en")}`;
    this.trainersNext = step.next;
    this.sources.set(this.trainersName, () => this.ofTrainer(step));
    this.fillSources();
    Object.assign(this, { updates: null });
    Object.assign(this.state, { weights: this.trainersName, start: "carried", mistake: "", index: null, direction: "backward", column: 1 });
    this.take();
    this.draw();
  }
}

// what the section's controls and pointers do
function listen(view) {
  const { section, find } = view;
  for (const name of ["weights", "start", "mistake", "pace"]) find(name).addEventListener("change", ({ target }) => view.set({ [name]: target.value }));
  for (const name of ["forward", "backward"]) find(name).addEventListener("click", () => view.set({ direction: name, column: name === "forward" ? view.T : 1 }));
  find("next").addEventListener("click", () => view.next());
  find("play").addEventListener("click", () => view.play());
  find("update").addEventListener("click", () => view.update());
  find("delta").addEventListener("input", ({ target }) => view.set({ delta: +target.value }));
  view.tabs.addEventListener("click", ({ target }) => target.closest("button") && view.set({ theta: target.closest("button").value }));
  view.tabs.addEventListener("keydown", ({ key }) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!move) return;
    view.set({ theta: THETAS[(THETAS.indexOf(view.state.theta) + move + THETAS.length) % THETAS.length] });
    view.tabs.querySelector("[aria-checked=true]").focus();
  });
  view.columns.addEventListener("click", ({ target }) => target.closest("[data-t]") && view.set({ column: Math.max(1, +target.closest("[data-t]").dataset.t) }));
  view.strip.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5, Home: -view.T, End: view.T };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    view.move(moves[event.key]);
  });
  for (const kind of ["pointermove", "click"]) {
    view.blocks.addEventListener(kind, (event) => event.target.matches("canvas") && view.set({ unit: Math.min(cellAt(event.target, event), view.h0.length - 1) }));
    view.map.addEventListener(kind, (event) => {
      const index = cellAt(view.map, event);
      if (index !== view.state.index && index < view.ofAll(view.truth, view.state.theta).length) view.set({ index });
    });
  }
  for (const name of ["row", "column"]) find(name).addEventListener("input", () => pick(view));
  section.addEventListener("sequence", ({ detail }) => (view.hold(detail), section.scrollIntoView({ block: "start" })));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => ((view.colours = coloursOf(section)), view.draw()));
}

function pick(view) {
  const [row, column] = ["row", "column"].map((name) => view.find(name).valueAsNumber);
  const m = view.h0.length;
  const isVector = ["b", "c", "h0"].includes(view.state.theta);
  const size = view.ofAll(view.truth, view.state.theta).length;
  const index = view.state.theta === "U" ? column * m + row : isVector ? row : row * m + column; // U lies transposed
  if (Number.isInteger(index) && index >= 0 && index < size && (isVector || (view.state.theta === "U" ? row : column) < m)) view.set({ index });
}

const WORDS = { weights: String, start: String, mistake: String, direction: String, theta: String, pace: String, column: Number, unit: Number, index: Number, delta: Number };

// a link in the prose sets the view: #lens=backward&column=1&mistake=H0_DROPPED
export function stateOf(hash, view) {
  const words = new URLSearchParams(hash.slice(1));
  if (!words.has("lens")) return null;
  if (words.get("lens")) words.set("direction", words.get("lens"));
  const changes = {};
  for (const [name, kind] of Object.entries(WORDS)) if (words.has(name)) changes[name] = kind(words.get(name));
  const among = { weights: [...view.sources.keys()], start: ["carried", "zero"], mistake: ["", ...Object.keys(MISTAKES)], direction: ["forward", "backward"], theta: THETAS, pace: ["full", "warm"] };
  for (const [name, values] of Object.entries(among)) if (!values.includes(changes[name])) delete changes[name];
  const most = { column: [1, view.T], unit: [0, view.h0.length - 1], index: [0, view.ofAll(view.truth, changes.theta ?? view.state.theta).length - 1], delta: [-12, -1] };
  for (const [name, [low, high]] of Object.entries(most)) if (!(Number.isInteger(changes[name]) && changes[name] >= low && changes[name] <= high)) delete changes[name];
  return changes;
}

// Make the view of a section with the markup of web/sequence.html, for what report/show/sequence.py has packed.
export function mountSequence(section, packed) {
  const view = new Sequence(section, packed);
  listen(view);
  const restore = () => {
    const changes = stateOf(location.hash, view);
    if (!changes) return;
    view.set(changes);
    section.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", restore);
  restore();
  return view;
}

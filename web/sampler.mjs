// The network of the report in the reader's browser, with the letters of rnn/model.py: in the page, and in Jupyter.
import { bytes } from "./network.mjs";

// weights: W (m, m), U transposed (K, m), V (K, m), b, c after one another, float32, as `bytes` takes them
export function unpack(weights, m, K) {
  const all = Float64Array.from(new Float32Array(bytes(weights).buffer));
  let at = 0;
  const [W, U, V, b, c] = [m * m, K * m, K * m, m, K].map((n) => all.subarray(at, (at += n)));
  return { W, U, V, b, c };
}

// y + A x. Four rows of A at a time: a processor adds to four sums in the time of one
function plus(y, A, x) {
  const m = x.length;
  let i = 0;
  for (; i + 4 <= y.length; i += 4) {
    let [a, b, c, d] = [y[i], y[i + 1], y[i + 2], y[i + 3]];
    let [of_a, of_b, of_c, of_d] = [i * m, (i + 1) * m, (i + 2) * m, (i + 3) * m];
    for (let j = 0; j < m; j++) {
      const x_j = x[j];
      a += A[of_a++] * x_j;
      b += A[of_b++] * x_j;
      c += A[of_c++] * x_j;
      d += A[of_d++] * x_j;
    }
    [y[i], y[i + 1], y[i + 2], y[i + 3]] = [a, b, c, d];
  }
  for (; i < y.length; i++) for (let j = 0; j < m; j++) y[i] += A[i * m + j] * x[j];
  return y;
}

// h_t = tanh(W h_{t-1} + U x_t + b)
export function read({ W, U, b }, h, x) {
  const a = U.slice(x * b.length, (x + 1) * b.length);
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  plus(a, W, h);
  for (let i = 0; i < a.length; i++) a[i] = Math.tanh(a[i]);
  return a;
}

// o = V h + c
const scores = ({ V, c }, h) => plus(c.slice(), V, h);

// p = softmax(o / temperature), then its nucleus
export function distribution(o, temperature = 1, topP = 1) {
  let largest = -Infinity;
  for (const score of o) if (score > largest) largest = score;
  const p = o.slice();
  for (let k = 0; k < p.length; k++) p[k] = Math.exp((p[k] - largest) / temperature);
  scale(p);
  if (topP < 1) {
    let total = 0;
    for (const k of order(p)) {
      if (total >= topP) p[k] = 0;
      else total += p[k];
    }
    scale(p);
  }
  return p;
}

export const nextDistribution = (params, h, temperature, topP) => distribution(scores(params, h), temperature, topP);

function scale(p) {
  let total = 0;
  for (const p_k of p) total += p_k;
  for (let k = 0; k < p.length; k++) p[k] /= total;
}

export const order = (p) => Array.from(p.keys()).sort((a, b) => p[b] - p[a]);

// uniform numbers in [0, 1) from a seed: a Weyl sequence through the finalizer of MurmurHash3
export function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}

export function draw(p, uniform) {
  let k = 0;
  let below = p[0];
  while (below <= uniform && k < p.length - 1) below += p[++k];
  while (p[k] === 0) k--; // rounding may have left the sum below `uniform`
  return k;
}

// How much each of the inputs read before mattered for the code y: the norm of d log p_y / d x_t, x_t one-hot (Madsen, 2019,
// calls it connectivity). `states` are those after each input, the last is the one that p = softmax(V h + c) was made from.
export function leaned({ W, U, V, b }, states, p, y) {
  const m = b.length;
  const transposed = W.map((_, at) => W[(at % m) * m + Math.floor(at / m)]);
  let dh = Float64Array.from(b, (_, i) => p.reduce((sum, p_k, k) => sum + ((k === y) - p_k) * V[k * m + i], 0));
  return states.toReversed().map((h) => {
    const da = dh.map((d, i) => d * (1 - h[i] ** 2));
    dh = plus(new Float64Array(m), transposed, da);
    return Math.sqrt(plus(new Float64Array(p.length), U, da).reduce((sum, d) => sum + d * d, 0));
  }).toReversed();
}

const NAMES = { " ": "␣", "\n": "↵", "\t": "⇥" };
const BARS = 14;
const BACK = 100; // characters before one that are looked at, in what it leaned on
const TASK = 30; // milliseconds of drawing, before the browser does something else

export const named = (character) =>
  NAMES[character] ?? (/[\p{C}\p{Z}]/u.test(character) ? `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` : character);

// characters with a colour behind each: 0 is none, 12 the strongest
export function tint(element, value) {
  element.style.setProperty("--bits", Math.min(Math.abs(value), 12).toFixed(1));
  element.classList.toggle("negative", value < 0);
}
export function span(character) {
  const element = document.createElement("span");
  element.textContent = character;
  element.classList.toggle("newline", character === "\n");
  return element;
}

// Make a sampler of a section with the markup of web/sampler.html. `networks` have a name, vocabulary, m, prime, snapshots
// and units, {name: number}; `counts` draws from a 5-gram, or is null; `wrote` is told every text. Returns what moves it.
export function mountSampler(section, networks, { counts = null, wrote = () => {}, ...given } = {}) {
  const settings = { network: networks[0].name, step: Infinity, temperature: 1, top_p: 1, length: 500, prime: networks[0].prime, seed: 1, colour: "surprise", ...given };
  const find = (name) => section.querySelector(`[name=${name}]`);
  const [step, network, prime, colour, unit, count] = ["step", "network", "prime", "colour", "unit", "count"].map(find);
  const [text, counted, bars, reading, alert] = [".drawn", ".counted", ".bars", ".reading", "[role=alert]"].map((what) => section.querySelector(what));
  let packed, vocabulary, codes; // of the network that is drawn from
  let unpacked; // {step: params}
  let params;
  let drawn = []; // of each character: its element, its code, the state before it and after it, its bits
  let h, o; // the state after the last, and its scores
  let chosen = null; // the character that is looked at, or null for the one that comes next
  let latest = 0; // the number of the latest draw

  const shown = (code) => named(vocabulary[code]);
  const percent = (p) => (p >= 0.0995 ? `${(100 * p).toFixed(0)}%` : `${(100 * p).toPrecision(2)}%`);
  const unitOf = () => +(colour.value.split(" ")[1] ?? unit.value);
  const isUnit = () => colour.value.startsWith("unit");

  function take() {
    packed = networks.find(({ name }) => name === settings.network) ?? networks[0];
    vocabulary = Array.from(packed.vocabulary);
    codes = new Map(vocabulary.map((character, code) => [character, code]));
    unpacked = new Map();
    if (Array.from(settings.prime).some((character) => !codes.has(character))) settings.prime = packed.prime;
    network.replaceChildren(...networks.map(({ name }) => new Option(name, name, false, name === packed.name)));
    network.parentElement.hidden = networks.length < 2;
    unit.max = packed.m - 1;
    const of_units = Object.entries(packed.units ?? {}).map(([name, number]) => new Option(`unit ${number}: ${name}`, `unit ${number}`));
    colour.replaceChildren(...[...colour.options].slice(0, 3), ...of_units);
    count.parentElement.hidden = !counts || counts.vocabulary !== packed.vocabulary;
  }

  // the inputs say what the settings are; a range has no place for some
  function fill() {
    const steps = packed.snapshots.map((snapshot) => Math.abs(snapshot.step - Math.min(settings.step, Number.MAX_SAFE_INTEGER)));
    const nearest = steps.indexOf(Math.min(...steps));
    settings.step = packed.snapshots[nearest].step;
    [step.max, step.value, step.disabled] = [packed.snapshots.length - 1, nearest, packed.snapshots.length < 2];
    step.setAttribute("aria-valuetext", `after ${settings.step.toLocaleString("en")} steps`);
    const shown = { step: settings.step.toLocaleString("en"), temperature: settings.temperature.toFixed(2), top_p: settings.top_p.toFixed(2), length: settings.length };
    for (const [name, value] of Object.entries(shown)) find(name).parentElement.querySelector("output").textContent = value;
    for (const name of ["temperature", "top_p", "length", "prime", "seed"]) if (find(name).value !== String(settings[name])) find(name).value = settings[name];
    const [kind, number = 0] = settings.colour.split(" ");
    colour.value = settings.colour;
    if (!colour.value) colour.value = kind; // a unit without a name has its number beside it
    if (!colour.value) colour.value = settings.colour = "surprise";
    if (kind === "unit") unit.value = Math.min(+number, unit.max);
    unit.hidden = colour.value !== "unit";
  }

  function add(code, isGiven) {
    const element = span(vocabulary[code]);
    const bits = drawn.length ? -Math.log2(distribution(o)[code]) : 0;
    element.classList.toggle("given", isGiven);
    const before = h;
    h = read(params, h, code);
    o = scores(params, h);
    drawn.push({ element, code, before, after: h, bits });
    if (colour.value !== "leaned") colourOf(drawn.at(-1));
    return element;
  }

  const colourOf = ({ element, bits, after }) => tint(element, isUnit() ? 12 * (after[unitOf()] ?? 0) : bits);

  function paint(p, code) {
    const end = chosen ?? drawn.length;
    const norms = leaned(params, drawn.slice(Math.max(0, end - BACK), end).map(({ after }) => after), p, code);
    const largest = Math.max(...norms);
    drawn.forEach(({ element }, n) => tint(element, (12 * (norms[n - end + norms.length] ?? 0)) / largest || 0));
  }

  function say(sentence) {
    if (reading.textContent !== sentence) reading.textContent = sentence; // a screen reader reads what changes
  }

  function look() {
    const at = chosen === null ? h : drawn[chosen].before;
    const p = nextDistribution(params, at, settings.temperature, settings.top_p);
    const top = order(p).slice(0, BARS).filter((k) => p[k] > 0);
    const code = chosen === null ? -1 : drawn[chosen].code;
    bars.replaceChildren(
      ...top.map((k) => {
        const bar = document.createElement("span");
        bar.style.setProperty("--p", p[k]);
        bar.classList.toggle("this", k === code);
        bar.dataset.character = shown(k);
        bar.dataset.share = percent(p[k]);
        return bar;
      }),
    );
    bars.setAttribute("aria-label", `The most probable next characters: ${top.slice(0, 5).map((k) => `${shown(k)} ${percent(p[k])}`).join(", ")}`);
    if (colour.value === "leaned") {
      const own = nextDistribution(params, at, 1, 1);
      const of = chosen === null ? order(own)[0] : code;
      paint(own, of);
      say(`What “${shown(of)}” ${chosen === null ? "would lean" : "leaned"} on: the stronger the colour, the more its probability depends on that earlier character. Look how far back the colour reaches.`);
    } else if (isUnit()) say(`Unit ${unitOf()} after each character: orange where it is near 1, blue where it is near −1. Look for one that changes at spaces, at line ends, or between quotation marks.`);
    else if (chosen === null && count.checked) say("Right, or below: the same draw from a 5-gram, which has only counted what follows four characters. Look for what takes more than that: words that exist, marks that close, sentences that end.");
    else if (chosen === null) say("What comes next, after the end of the text. Point at a character or tap it to see how surprised the network was by it.");
    else if (chosen === 0) say(`“${shown(code)}” is the first: nothing came before it.`);
    else {
      const own = nextDistribution(params, at, 1, 1);
      say(`“${shown(code)}” surprised the network by ${(-Math.log2(own[code])).toFixed(1)} bits: at temperature 1 it gave it ${percent(own[code])}, and ${percent(own[order(own)[0]])} to “${shown(order(own)[0])}”.`);
    }
  }

  function choose(index) {
    if (chosen !== null) drawn[chosen]?.element.classList.remove("chosen");
    chosen = index;
    if (chosen !== null) drawn[chosen].element.classList.add("chosen");
    look();
  }

  // the codes of a text, or null where it has none or a character that the network does not know, which is said
  function read_(whole, what) {
    const given = Array.from(whole, (character) => codes.get(character));
    const unknown = [...new Set(Array.from(whole).filter((character) => !codes.has(character)))];
    alert.textContent = unknown.length
      ? `The network has never seen ${unknown.map((character) => `“${named(character)}”`).join(", ")}: use only characters of its text.`
      : given.length ? "" : `The ${what} must have at least one character.`;
    prime.setAttribute("aria-invalid", alert.textContent !== "");
    return alert.textContent ? null : given;
  }

  // show the characters `given`, and draw as many as are wanted
  function write(given, wanted, isPrime) {
    const mine = ++latest;
    if (!unpacked.has(settings.step)) {
      unpacked.set(settings.step, unpack(packed.snapshots.find((snapshot) => snapshot.step === settings.step).weights, packed.m, vocabulary.length));
    }
    params = unpacked.get(settings.step);
    h = new Float64Array(packed.m);
    [drawn, chosen] = [[], null];
    const first = given.map((code) => add(code, isPrime));
    const uniform = generator(settings.seed);
    const go = () => {
      if (mine !== latest) return; // another draw has begun
      const began = performance.now();
      const more = first.splice(0);
      const isNew = more.length > 0;
      while (drawn.length < given.length + wanted && performance.now() - began < TASK) {
        more.push(add(draw(distribution(o, settings.temperature, settings.top_p), uniform()), false));
      }
      if (isNew) text.replaceChildren(...more);
      else text.append(...more);
      const isDone = drawn.length >= given.length + wanted;
      if (chosen === null && (colour.value !== "leaned" || isDone)) look();
      if (!isDone) return void requestAnimationFrame(go);
      section.dataset.draws = latest;
      wrote(drawn.map(({ code }) => vocabulary[code]).join(""));
    };
    if (count.checked && isPrime && !count.parentElement.hidden) writeCounts(mine); // in a worker, at the same time
    go();
  }

  async function writeCounts(mine) {
    counted.textContent ||= "The browser counts …";
    const { characters, bits } = await counts.draw({ ...settings });
    if (mine !== latest) return;
    const all = Array.from(settings.prime).concat(characters).map(span);
    const given = all.length - characters.length;
    all.forEach((element, i) => (i < given ? element.classList.add("given") : tint(element, bits[i - given])));
    counted.replaceChildren(...all);
    section.dataset.counted = mine;
  }

  function redraw() {
    fill();
    const given = read_(settings.prime, "priming text");
    if (given) write(given, settings.length, true); // else the text that is there stays, and goes on if it is being drawn
  }

  function repaint() {
    unit.hidden = colour.value !== "unit";
    drawn.forEach(colourOf);
    if (drawn.length) look();
  }

  // change some settings, and draw if one of them is new
  function set(changes) {
    const anew = Object.keys(changes).filter((name) => changes[name] !== settings[name]);
    Object.assign(settings, changes);
    if (anew.includes("network")) take();
    if (anew.some((name) => name !== "colour")) redraw();
    else if (anew.length) fill(), repaint();
  }

  const NUMBERS = ["temperature", "top_p", "length", "seed"];
  section.addEventListener("input", ({ target: { name, value } }) => {
    if (name === "colour" || name === "unit") {
      settings.colour = isUnit() ? `unit ${unitOf()}` : colour.value;
      repaint();
    } else if (name === "count") {
      counted.hidden = !count.checked;
      section.querySelector(".pair").classList.toggle("both", count.checked);
      redraw();
    } else if (name === "network") set({ network: value, step: Infinity });
    else if (name === "step") set({ step: packed.snapshots[value].step });
    else if (name === "prime") set({ prime: value });
    else if (NUMBERS.includes(name)) set({ [name]: name === "seed" || name === "length" ? Math.trunc(+value) : +value });
  });
  find("another").addEventListener("click", () => {
    set({ seed: settings.seed + 1 });
    for (const kind of ["input", "change"]) find("seed").dispatchEvent(new Event(kind, { bubbles: true })); // as if it was written there
  });
  for (const kind of ["pointerover", "click"]) {
    text.addEventListener(kind, (event) => {
      const index = drawn.findIndex(({ element }) => element === event.target);
      if (index >= 0) choose(index);
    });
  }
  text.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && drawn.length && choose(null));
  text.addEventListener("blur", () => drawn.length && choose(null));
  text.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || !drawn.length || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook has its own use for them
    const from = chosen ?? (move > 0 ? -1 : drawn.length);
    choose(Math.min(Math.max(from + move, 0), drawn.length - 1));
    drawn[chosen].element.scrollIntoView({ block: "nearest" });
  });

  take();
  redraw();
  return {
    settings,
    set,
    get text() {
      return drawn.map(({ code }) => vocabulary[code]).join("");
    },
    // read a text instead of drawing one
    show(whole) {
      const given = read_(whole, "text");
      if (given) write(given, 0, false);
    },
    // hold one more network, in the place of the one that has its name, and draw from it
    hold(more) {
      const at = networks.findIndex(({ name }) => name === more.name);
      networks.splice(at < 0 ? networks.length : at, 1, more);
      Object.assign(settings, { network: more.name, step: Infinity });
      take();
      redraw();
    },
  };
}

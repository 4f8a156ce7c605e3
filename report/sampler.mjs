// The network of the report in the reader's browser, with the letters of rnn/model.py. The page has this file inside.

// weights: W (m, m), U transposed (K, m), V (K, m), b, c after one another, float32, in base64 or not
export function unpack(weights, m, K) {
  const { buffer } = typeof weights === "string" ? Uint8Array.from(atob(weights), (character) => character.charCodeAt(0)) : weights;
  let at = 0;
  const [W, U, V, b, c] = [m * m, K * m, K * m, m, K].map((n) => new Float32Array(buffer, 4 * (at += n) - 4 * n, n));
  return { W, U, V, b, c };
}

// h_t = tanh(W h_{t-1} + U x_t + b)
export function read({ W, U, b }, h, x) {
  const m = b.length;
  return Float64Array.from(b, (a, i) => {
    a += U[x * m + i];
    for (let j = 0; j < m; j++) a += W[i * m + j] * h[j];
    return Math.tanh(a);
  });
}

// p = softmax((V h + c) / temperature), then its nucleus
export function nextDistribution({ V, c }, h, temperature, topP) {
  const m = h.length;
  const o = Float64Array.from(c, (score, k) => {
    for (let j = 0; j < m; j++) score += V[k * m + j] * h[j];
    return score;
  });
  const largest = o.reduce((a, b) => Math.max(a, b));
  const p = o.map((score) => Math.exp((score - largest) / temperature));
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

function scale(p) {
  const total = p.reduce((a, b) => a + b);
  for (let k = 0; k < p.length; k++) p[k] /= total;
}

const order = (p) => Array.from(p.keys()).sort((a, b) => p[b] - p[a]);

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
  let dh = Float64Array.from(b, (_, i) => p.reduce((sum, p_k, k) => sum + ((k === y) - p_k) * V[k * m + i], 0));
  return states.toReversed().map((h) => {
    const da = dh.map((d, i) => d * (1 - h[i] ** 2));
    dh = da.map((_, j) => da.reduce((sum, d, i) => sum + W[i * m + j] * d, 0));
    return Math.hypot(...Array.from(p, (_, k) => da.reduce((sum, d, i) => sum + U[k * m + i] * d, 0)));
  }).toReversed();
}

const NAMES = { " ": "␣", "\n": "↵", "\t": "⇥" };
const BARS = 14;
const BACK = 100; // characters before one that are looked at, in what it leaned on

function mount(section) {
  const networks = [{ name: "the report's", ...JSON.parse(section.querySelector("script").textContent) }];
  let packed, vocabulary, codes; // of the network that is drawn from
  const find = (name) => section.querySelector(`[name=${name}]`);
  const [colour, unit] = ["colour", "unit"].map(find);
  const [network, step, temperature, topP, length, prime, seed] = ["network", "step", "temperature", "top-p", "length", "prime", "seed"].map(find);
  const text = section.querySelector(".drawn");
  const bars = section.querySelector(".bars");
  const reading = section.querySelector(".reading");
  const unpacked = new Map();
  let params;
  let settings; // temperature and top-p of the text that is shown
  let drawn = []; // of each character: its element, its code, the state before it
  let h; // the state after the last
  let chosen = null; // the character that is looked at, or null for the one that comes next
  let latest = 0; // the number of the latest draw

  function take(number) {
    packed = networks[number];
    vocabulary = Array.from(packed.vocabulary);
    codes = new Map(vocabulary.map((character, code) => [character, code]));
    unpacked.clear();
    step.max = packed.snapshots.length - 1;
    step.value = step.max;
    step.disabled = packed.snapshots.length < 2;
    prime.value = packed.prime;
    network.replaceChildren(...networks.map(({ name }, n) => new Option(name, n, false, n === number)));
    network.hidden = network.labels[0].hidden = networks.length < 2;
    unit.max = packed.m;
    redraw();
  }

  const named = (character) =>
    NAMES[character] ?? (/[\p{C}\p{Z}]/u.test(character) ? `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` : character);
  const shown = (code) => named(vocabulary[code]);
  const percent = (p) => (p >= 0.0995 ? `${(100 * p).toFixed(0)}%` : `${(100 * p).toPrecision(2)}%`);

  function add(code, given) {
    const element = document.createElement("span");
    element.textContent = vocabulary[code];
    const bits = drawn.length ? -Math.log2(nextDistribution(params, h, 1, 1)[code]) : 0;
    element.classList.toggle("given", given);
    element.classList.toggle("newline", vocabulary[code] === "\n");
    const before = h;
    h = read(params, h, code);
    drawn.push({ element, code, before, after: h, bits });
    if (colour.value !== "leaned") tint(drawn.at(-1));
    return element;
  }

  // the colour behind a character: 0 is none, 12 the strongest
  function tint({ element, bits, after }, value = colour.value === "unit" ? 12 * (after[unit.value - 1] ?? 0) : bits) {
    element.style.setProperty("--bits", Math.min(Math.abs(value), 12).toFixed(1));
    element.classList.toggle("negative", value < 0);
  }

  function paint(p, code) {
    const end = chosen ?? drawn.length;
    const norms = leaned(params, drawn.slice(Math.max(0, end - BACK), end).map(({ after }) => after), p, code);
    const largest = Math.max(...norms);
    drawn.forEach((character, n) => tint(character, (12 * (norms[n - end + norms.length] ?? 0)) / largest || 0));
  }

  function say(sentence) {
    if (reading.textContent !== sentence) reading.textContent = sentence; // a screen reader reads what changes
  }

  function look() {
    const at = chosen === null ? h : drawn[chosen].before;
    const p = nextDistribution(params, at, settings.temperature, settings.topP);
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
    } else if (colour.value === "unit") say(`Unit ${unit.value} after each character: orange where it is near 1, blue where it is near −1. Look for one that changes at spaces, at line ends, or between quotation marks.`);
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

  function redraw() {
    const { step: number } = packed.snapshots[step.value];
    section.querySelector("[for=step] output").textContent = number.toLocaleString("en");
    step.setAttribute("aria-valuetext", `after ${number.toLocaleString("en")} steps`);
    for (const input of [temperature, topP]) section.querySelector(`[for=${input.name}] output`).textContent = (+input.value).toFixed(2);
    section.querySelector("[for=length] output").textContent = length.value;
    const given = Array.from(prime.value, (character) => codes.get(character));
    const unknown = [...new Set(Array.from(prime.value).filter((character) => !codes.has(character)))];
    prime.setAttribute("aria-invalid", unknown.length > 0 || given.length === 0);
    section.querySelector("[role=alert]").textContent = unknown.length
      ? `The network has never seen ${unknown.map((character) => `“${named(character)}”`).join(", ")}: use only characters of its text.`
      : given.length ? "" : "The priming text must have at least one character.";
    if (unknown.length || !given.length) return; // the text that is there stays, and goes on if it is being drawn
    const mine = ++latest;
    settings = { temperature: +temperature.value, topP: +topP.value };
    if (!unpacked.has(step.value)) unpacked.set(step.value, unpack(packed.snapshots[step.value].weights, packed.m, vocabulary.length));
    params = unpacked.get(step.value);
    h = new Float64Array(packed.m);
    drawn = [];
    chosen = null;
    text.replaceChildren(...given.map((code) => add(code, true)));
    const uniform = generator(+seed.value);
    const wanted = given.length + +length.value;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const atOnce = still ? wanted : Math.ceil(length.value / 80);
    const stream = () => {
      if (mine !== latest) return; // another draw has begun
      const new_ = document.createDocumentFragment();
      for (let n = 0; n < atOnce && drawn.length < wanted; n++) {
        new_.append(add(draw(nextDistribution(params, h, settings.temperature, settings.topP), uniform()), false));
      }
      text.append(new_);
      if (chosen === null && (colour.value !== "leaned" || drawn.length >= wanted)) look();
      if (drawn.length < wanted) requestAnimationFrame(stream);
      else section.dataset.draws = latest;
    };
    stream();
  }

  for (const input of [colour, unit]) {
    input.addEventListener("input", () => {
      unit.hidden = colour.value !== "unit";
      drawn.forEach((character) => tint(character));
      if (drawn.length) look();
    });
  }

  // the page's address keeps the settings, so that what was found can be sent; the address of a section is none
  const kept = { temperature, "top-p": topP, length, seed, prime };
  function keep() {
    if (packed !== networks[0]) return; // the trained one is not at the address
    const words = new URLSearchParams({ step: packed.snapshots[step.value].step });
    for (const [name, input] of Object.entries(kept)) words.set(name, input.value);
    history.replaceState(null, "", `#${words}`);
  }
  function restore() {
    const words = new URLSearchParams(location.hash.slice(1));
    if (!words.has("temperature")) return;
    for (const [name, input] of Object.entries(kept)) if (words.has(name)) input.value = words.get(name);
    const far = packed.snapshots.map((snapshot) => Math.abs(snapshot.step - words.get("step")));
    if (words.has("step")) step.value = far.indexOf(Math.min(...far));
    redraw();
    section.scrollIntoView({ block: "center" });
  }
  addEventListener("hashchange", restore);
  section.addEventListener("change", (event) => event.target.name in { step, ...kept } && keep());

  for (const input of [step, temperature, topP, length, prime, seed]) input.addEventListener("input", redraw);
  section.querySelector("button").addEventListener("click", () => {
    seed.value = +seed.value + 1;
    redraw();
    keep();
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
    const from = chosen ?? (move > 0 ? -1 : drawn.length);
    choose(Math.min(Math.max(from + move, 0), drawn.length - 1));
    drawn[chosen].element.scrollIntoView({ block: "nearest" });
  });
  network.addEventListener("change", () => take(+network.value));
  section.addEventListener("network", ({ detail }) => { // the trainer's
    networks[1] = { name: "the one you have trained", ...detail };
    take(1);
  });
  section.hidden = false;
  take(0);
  restore();
}

for (const section of globalThis.document?.querySelectorAll(".sampler") ?? []) mount(section);

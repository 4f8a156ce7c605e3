// The sampler: text that a network writes, with all that decides it, in the page and in Jupyter.
import { joins, named, span, spans, tint } from "./characters.mjs";
import { inBits, percent, withMinus } from "./digits.mjs";
import { bar, onKeys, onPointed, tell, write } from "./elements.mjs";
import { leaned } from "./gradients.mjs";
import { distribution, draw, generator, nextDistribution, numbers, order, read, scores, unpack } from "./model.mjs";
import { complaint, valueOf } from "./settings.mjs";

const BARS = 14;
const SHOWN = 5000; // characters of a priming text: of a longer one, what comes before them is read and not shown
const BACK = 100; // characters before one that are looked at, in what it leaned on
const TASK = 30; // milliseconds of drawing, before the browser does something else
const STILL = 0.01; // a unit whose variance is below that does not move
const CLOCKS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]; // periods in characters, as in chapter 8
const SETTINGS = ["step", "temperature", "top_p", "length", "seed", "colour", "counted"]; // those that the table has

// the period n and the share of the variance of some values that the mean at each t modulo n accounts for
export function clockOf(values) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const all = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return CLOCKS.map((n) => {
    const [sums, counts] = [new Float64Array(n), new Float64Array(n)];
    values.forEach((v, t) => ((sums[t % n] += v - mean), counts[t % n]++));
    return { n, share: all > STILL * values.length ? sums.reduce((sum, s, i) => sum + (counts[i] ? s ** 2 / counts[i] : 0), 0) / all : 0 };
  }).reduce((a, b) => (b.share > a.share + 0.02 ? b : a));
}

// the last of a snapshot's steps that is not above `step`, or the nearest
const nearestStep = (snapshots, step) => snapshots.reduce((a, b) => (Math.abs(b.step - step) < Math.abs(a.step - step) ? b : a)).step;

class Sampler {
  hidden = []; // the codes of the beginning of a long priming text, which is read and not shown
  drawn = []; // of each character: its element, its code, the state before it and after it, its bits
  chosen = null; // the character that is looked at, or null for the one that comes next
  latest = 0; // the number of the latest draw

  constructor(section, networks, { counts, wrote, ...given }) {
    Object.assign(this, { section, networks, counts, wrote });
    this.settings = { network: networks[0].name, step: Infinity, temperature: 1, top_p: 1, length: 500, prime: networks[0].prime, seed: 1, colour: "surprise", counted: false, ...given };
    const names = ["step", "network", "prime", "colour", "unit", "counted", "temperature", "top_p", "length", "seed"];
    this.fields = Object.fromEntries(names.map((name) => [name, section.querySelector(`[name=${name}]`)]));
    const [text, counted, bars, reading, alert] = [".drawn", ".counted", ".bars", ".reading", "[role=alert]"].map((selector) => section.querySelector(selector));
    Object.assign(this, { text, counted, bars, reading, alert });
    this.take();
    this.listen();
    this.redraw();
  }

  shown = (code) => named(this.vocabulary[code]);
  unitOf = () => +(this.settings.colour.split(" ")[1] ?? 0);
  isUnit = () => this.settings.colour.startsWith("unit");

  // begin with the network that is named
  take() {
    const { fields, settings, networks } = this;
    this.packed = networks.find(({ name }) => name === settings.network) ?? networks[0];
    this.vocabulary = Array.from(this.packed.vocabulary);
    this.codes = new Map(this.vocabulary.map((character, code) => [character, code]));
    this.unpacked = new Map();
    for (const character of settings.prime) if (!this.codes.has(character)) settings.prime = this.packed.prime;
    fields.network.replaceChildren(...networks.map(({ name }) => new Option(name, name, false, name === this.packed.name)));
    fields.network.parentElement.hidden = networks.length < 2;
    fields.unit.max = this.packed.m - 1;
    const units = Object.entries(this.packed.units ?? {}).map(([name, number]) => new Option(`unit ${number}: ${name}`, `unit ${number}`));
    fields.colour.replaceChildren(...[...fields.colour.options].slice(0, 3), ...units);
    fields.counted.parentElement.hidden = !this.counts || this.counts.vocabulary !== this.packed.vocabulary;
  }

  // the inputs say what the settings are; a range has no place for some
  fill() {
    const { fields, settings, packed } = this;
    settings.step = nearestStep(packed.snapshots, Math.min(settings.step, Number.MAX_SAFE_INTEGER));
    const number = packed.snapshots.findIndex(({ step }) => step === settings.step);
    const only = packed.snapshots.length < 2;
    Object.assign(fields.step, { max: packed.snapshots.length - 1, value: number, disabled: only });
    tell(fields.step, { text: `after ${settings.step.toLocaleString("en")} steps` });
    const shown = { step: settings.step.toLocaleString("en") + (only ? " (the only step here)" : ""), temperature: settings.temperature.toFixed(2), top_p: settings.top_p.toFixed(2), length: settings.length };
    for (const [name, value] of Object.entries(shown)) fields[name].parentElement.querySelector("output").textContent = value;
    for (const name of ["temperature", "top_p", "length", "prime", "seed"]) if (fields[name].value !== String(settings[name])) fields[name].value = settings[name];
    this.fit();
    this.fillColour();
    fields.counted.checked = settings.counted;
    const both = settings.counted && !fields.counted.parentElement.hidden;
    this.counted.hidden = !both;
    this.section.querySelector(".pair").classList.toggle("both", both);
  }

  fillColour() {
    const { colour, unit } = this.fields;
    const [kind, number = 0] = this.settings.colour.split(" ");
    colour.value = this.settings.colour;
    if (!colour.value) colour.value = kind; // a unit without a name has its number in a field of its own
    if (kind === "unit") unit.value = Math.min(+number, unit.max);
    unit.hidden = colour.value !== "unit";
  }

  // the priming box is as high as its text, within limits
  fit() {
    const { prime } = this.fields;
    prime.style.height = "auto";
    if (prime.scrollHeight) prime.style.height = `${Math.min(prime.scrollHeight + 4, 160)}px`;
  }

  add(code, isGiven) {
    const { drawn, params, vocabulary } = this;
    const last = drawn.at(-1);
    const isJoined = last && last.isGiven === isGiven && joins(last.element.textContent, vocabulary[code]);
    const element = isJoined ? last.element : span(vocabulary[code]);
    if (isJoined) element.textContent += vocabulary[code];
    element.classList.toggle("given", isGiven);
    const bits = -Math.log2(distribution(this.o)[code]);
    const before = this.h;
    this.h = read(params, before, code);
    this.o = scores(params, this.h);
    drawn.push({ element, code, isGiven, before, after: this.h, bits: isJoined ? bits + last.bits : bits });
    if (this.settings.colour !== "leaned") this.colourOf(drawn.at(-1));
    return element;
  }

  colourOf = ({ element, bits, after }) => tint(element, this.isUnit() ? 12 * (after[this.unitOf()] ?? 0) : bits);

  // colour what came before by how much it mattered for a code; returns in how many characters nine tenths of it lie
  paint(p, code) {
    const { drawn, params } = this;
    const end = this.chosen ?? drawn.length;
    const norms = leaned(params, drawn.slice(Math.max(0, end - BACK), end).map(({ after }) => after), p, code);
    const largest = Math.max(...norms, 0);
    drawn.forEach(({ element }, n) => tint(element, (12 * (norms[n - end + norms.length] ?? 0)) / largest || 0));
    const total = norms.reduce((sum, norm) => sum + norm, 0);
    let [sum, back] = [0, 0];
    while (back < norms.length && sum < 0.9 * total) sum += norms[norms.length - ++back];
    return back;
  }

  say = (sentence) => write(this.reading, sentence);

  look() {
    const { chosen, drawn } = this;
    const before = chosen === null ? this.h : drawn[chosen].before;
    const code = chosen === null ? -1 : drawn[chosen].code;
    this.showBars(nextDistribution(this.params, before, this.settings.temperature, this.settings.top_p), code);
    const p = nextDistribution(this.params, before, 1, 1);
    if (this.settings.colour === "leaned") this.sayLeaned(p, code);
    else if (this.isUnit()) this.sayUnit();
    else if (chosen === null) this.say("The bars show what may come after the end of the text. Point at a character, or tap it, to see how surprised the network was by it.");
    else this.saySurprise(p, code);
  }

  saySurprise(p, code) {
    const best = order(p)[0];
    const other = best === code ? "" : ` The most probable character was “${this.shown(best)}”, with ${percent(p[best])}.`;
    this.say(`“${this.shown(code)}” surprised the network by ${inBits(p[code])} bits: at temperature 1 its probability was ${percent(p[code])}.${other}`);
  }

  // the most probable characters; what is below half a per cent would be a hairline
  showBars(p, code) {
    const top = order(p).slice(0, BARS).filter((k, n) => p[k] > 0.005 || (n < 3 && p[k] > 0));
    this.bars.replaceChildren(...top.map((k) => {
      const element = document.createElement("span");
      bar(element, p[k] / p[top[0]]);
      element.classList.toggle("this", k === code);
      Object.assign(element.dataset, { character: this.shown(k), share: percent(p[k]) });
      return element;
    }));
    this.bars.setAttribute("aria-label", `The most probable next characters: ${top.slice(0, 5).map((k) => `${this.shown(k)} ${percent(p[k])}`).join(", ")}`);
  }

  sayLeaned(p, code) {
    const target = code < 0 ? order(p)[0] : code;
    const back = this.paint(p, target);
    this.say(`What “${this.shown(target)}” ${code < 0 ? "would lean" : "leaned"} on: the stronger the colour, the more its probability depends on that earlier character. Nine tenths of it lie in the last ${back === 1 ? "character" : `${back} characters`}.`);
  }

  sayUnit() {
    const { chosen, drawn } = this;
    const { code, after } = drawn[chosen ?? drawn.length - 1];
    const unit = this.unitOf();
    const { n, share } = clockOf(drawn.slice(-400).map((one) => one.after[unit]));
    const repeats = drawn.filter((one, t) => one.code === drawn[t - n]?.code).length; // then every unit has the text's period
    const clock = drawn.length > 50 && share > 0.5 && repeats < drawn.length / 2 ? ` It is a clock, as in chapter 8: a period of ${n} characters explains ${percent(share)} of its variance.` : "";
    this.say(`Unit ${unit} after “${this.shown(code)}”: ${withMinus(after[unit].toFixed(2))}. Orange is above zero, blue below.${clock}`);
  }

  choose(index) {
    if (this.chosen !== null) this.drawn[this.chosen]?.element.classList.remove("chosen");
    this.chosen = index;
    if (index !== null) this.drawn[index].element.classList.add("chosen");
    this.look();
  }

  // the codes of a text, or null where it has none or a character that the network does not know, which is said
  encode(whole, what) {
    const given = [];
    const unknown = new Set();
    for (const character of whole) {
      if (this.codes.has(character)) given.push(this.codes.get(character));
      else unknown.add(character);
    }
    const named_ = [...unknown].slice(0, 8).map((character) => `“${named(character)}”`).join(", ");
    this.alert.textContent = unknown.size
      ? `The network has never seen ${named_}${unknown.size > 8 ? " and more" : ""}: use only characters of its text.`
      : given.length ? "" : `The ${what} must have at least one character.`;
    this.fields.prime.setAttribute("aria-invalid", this.alert.textContent !== "");
    return this.alert.textContent ? null : given;
  }

  // the weights at the step that is set, and the state that training carried there
  begin() {
    const { packed, settings, unpacked } = this;
    if (!unpacked.has(settings.step)) {
      const { weights, h } = packed.snapshots.find(({ step }) => step === settings.step);
      unpacked.set(settings.step, { params: unpack(weights, packed.m, this.vocabulary.length), h: h ? numbers(h, packed.m) : new Float64Array(packed.m) });
    }
    const { params, h } = unpacked.get(settings.step);
    Object.assign(this, { params, h, o: scores(params, h), hidden: [], drawn: [], chosen: null });
  }

  // read the characters `given`, and draw as many as are wanted
  write(given, wanted, isPrime) {
    const number = ++this.latest;
    const { settings } = this;
    this.begin();
    const uniform = generator(settings.seed);
    const early = isPrime ? given.slice(0, -SHOWN) : [];
    const shown = given.slice(early.length);
    const all = shown.length + wanted;
    const go = () => {
      if (number !== this.latest) return; // another draw has begun
      const began = performance.now();
      if (this.readOn(early, began)) return void requestAnimationFrame(go);
      const isFirst = this.drawn.length === 0;
      const some = document.createDocumentFragment();
      if (isFirst && early.length) some.append("…");
      while (this.drawn.length < all && (this.drawn.length % 8 || performance.now() - began < TASK)) {
        const n = this.drawn.length;
        const code = n < shown.length ? shown[n] : draw(distribution(this.o, settings.temperature, settings.top_p), uniform());
        some.append(this.add(code, isPrime && n < shown.length));
      }
      if (isFirst) this.text.replaceChildren(some);
      else this.text.append(some);
      const isDone = this.drawn.length >= all;
      if (isDone) this.look();
      if (!isDone) return void requestAnimationFrame(go);
      this.section.dataset.draws = number;
      this.wrote(this.textOf());
    };
    if (!this.counted.hidden && isPrime) this.writeCounts(number); // in a worker, at the same time
    go();
  }

  // read what is not shown, for the time of a task; returns whether there is more
  readOn(early, began) {
    const { hidden, params } = this;
    if (hidden.length === early.length) return false;
    do {
      for (const code of early.slice(hidden.length, hidden.length + 8)) {
        this.h = read(params, this.h, code);
        hidden.push(code);
      }
    } while (hidden.length < early.length && performance.now() - began < TASK);
    this.o = scores(params, this.h);
    return hidden.length < early.length;
  }

  textOf = () => [...this.hidden, ...this.drawn.map(({ code }) => code)].map((code) => this.vocabulary[code]).join("");

  async writeCounts(number) {
    this.counted.textContent ||= "Counting …";
    const { characters, bits } = await this.counts.draw({ ...this.settings });
    if (number !== this.latest) return;
    const given = Array.from(this.settings.prime);
    const elements = spans([...given, ...characters]);
    elements.forEach((element, n) => (n < given.length ? element.classList.add("given") : tint(element, bits[n - given.length])));
    this.counted.replaceChildren(...new Set(elements));
    this.section.dataset.counted = number;
  }

  redraw() {
    this.fill();
    const given = this.encode(this.settings.prime, "priming text");
    if (given) this.write(given, this.settings.length, true); // else the text that is there stays, and goes on if it is being drawn
  }

  repaint() {
    this.fillColour();
    this.drawn.forEach(this.colourOf);
    if (this.drawn.length) this.look();
  }

  // why some changes cannot be, in a sentence, or ""
  complaintOf(changes) {
    const sentences = SETTINGS.filter((name) => name in changes && changes[name] !== Infinity).map((name) => complaint(name, changes[name]));
    const unit = /^unit (\d+)$/.exec(changes.colour ?? "")?.[1];
    if (unit >= this.packed.m) sentences.push(`The network has ${this.packed.m} units, numbered from 0: there is no unit ${unit}.`);
    return sentences.find((sentence) => sentence) ?? "";
  }

  // change some settings, and draw if one of them is new; what cannot be is said, and changes nothing
  set(changes) {
    const sentence = this.complaintOf(changes);
    if (sentence) return void (this.alert.textContent = sentence);
    this.alert.textContent = "";
    const changed = Object.keys(changes).filter((name) => changes[name] !== this.settings[name]);
    Object.assign(this.settings, changes);
    if (changed.includes("network")) this.take();
    if (changed.some((name) => name !== "colour")) this.redraw();
    else if (changed.length) this.repaint();
  }

  // what the reader has put into a field
  entered({ name, value, checked }) {
    if (name === "colour" || name === "unit") {
      const unit = name === "unit" ? value : this.fields.unit.value;
      if (name === "unit" && complaint("unit", valueOf("unit", value))) return void (this.alert.textContent = complaint("unit", valueOf("unit", value)));
      this.set({ colour: this.fields.colour.value === "unit" ? `unit ${unit}` : this.fields.colour.value });
    } else if (name === "counted") this.set({ counted: checked });
    else if (name === "network") this.set({ network: value, step: Infinity });
    else if (name === "step") this.set({ step: this.packed.snapshots[value].step });
    else if (name === "prime") this.set({ prime: value });
    else if (SETTINGS.includes(name)) this.set({ [name]: valueOf(name, value) });
  }

  listen() {
    const { section, text } = this;
    section.addEventListener("input", ({ target }) => this.entered(target));
    section.querySelector("[name=another]").addEventListener("click", () => {
      this.set({ seed: this.settings.seed + 1 });
      for (const kind of ["input", "change"]) this.fields.seed.dispatchEvent(new Event(kind, { bubbles: true })); // as if it was written there
    });
    onPointed(text, (pointed) => {
      const index = this.drawn.findLastIndex(({ element }) => element === pointed);
      if (index >= 0) this.choose(index);
      else if (!pointed && this.drawn.length) this.choose(null);
    });
    onKeys(text, (by) => this.step(by));
  }

  step(by) {
    const { drawn } = this;
    if (!drawn.length) return;
    const from = this.chosen ?? (by > 0 ? -1 : drawn.length);
    this.choose(Math.min(Math.max(from + by, 0), drawn.length - 1));
    drawn[this.chosen].element.scrollIntoView({ block: "nearest" });
  }
}

// Make a sampler of a section with the markup of web/sampler.html. `networks` have a name, vocabulary, m, prime, snapshots
// and units, {name: number}; `counts` draws from a 5-gram, or is null; `wrote` is told every text. Returns what moves it.
export function mountSampler(section, networks, { counts = null, wrote = () => {}, ...given } = {}) {
  const sampler = new Sampler(section, networks, { counts, wrote, ...given });
  return {
    settings: sampler.settings,
    set: (changes) => sampler.set(changes),
    complain: (sentence) => (sampler.alert.textContent = sentence),
    get text() {
      return sampler.textOf();
    },
    // read a text instead of drawing one
    show(whole) {
      const given = sampler.encode(whole, "text");
      if (given) sampler.write(given, 0, false);
    },
    // hold one more network, in the place of the one that has its name, and draw from it
    hold(more) {
      const at = networks.findIndex(({ name }) => name === more.name);
      networks.splice(at < 0 ? networks.length : at, 1, more);
      Object.assign(sampler.settings, { network: more.name, step: Infinity });
      sampler.take();
      sampler.redraw();
    },
  };
}

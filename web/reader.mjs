// The first screen: the network reads a page that it has never seen, character by character, and what the reader types.
import { onColours, paintCells } from "./cells.mjs";
import { joins, named, span, tint } from "./characters.mjs";
import { inBits, percent } from "./digits.mjs";
import { bar, fillIn, onKeys, onPointed, tell, write } from "./elements.mjs";
import { distribution, draw, generator, numbers, order, read, scores, unpack } from "./model.mjs";

const PACE = 125; // milliseconds a character
const WRITING_PACE = 60;
const PATIENCE = 1800; // milliseconds after the last key, before it goes on by itself
const STILL = 180; // characters of the finished picture, where nothing moves
const WRITTEN = 240; // characters that it goes on with
const TEMPERATURE = 0.7;
const TASK = 12; // milliseconds of reading, before the browser does something else
const SENTENCES = { book: "It is reading now.", typed: "It is reading you now.", writing: "It is writing now.", written: "It has continued your text.", still: "It has read the beginning of this passage.", paused: "It is paused." };

class Reader {
  done = []; // of each character that was read: {before, bits}
  isPaused = false;
  isSeen = true;
  mode = "book"; // or "typed", or "writing" behind what was typed, or "written"
  pointed = null; // the place that is looked back at
  work = 0; // the number of the latest reading anew

  constructor(section, reading, sentence) {
    Object.assign(this, { section, reading, sentence });
    this.vocabulary = Array.from(reading.vocabulary);
    this.codes = new Map(this.vocabulary.map((character, code) => [character, code]));
    this.guess = Math.log2(this.vocabulary.length);
    const parts = { text: ".text", canvas: ".cells", bars: ".expected", comes: ".comes", alert: "[role=alert]" };
    for (const [name, selector] of Object.entries(parts)) this[name] = section.querySelector(selector);
    for (const name of ["pause", "typed", "go", "back", "step"]) this[`${name}Field`] = section.querySelector(`[name=${name}]`);
    this.snapshots = new Map(reading.snapshots.map(({ step, weights }) => [step, weights]));
    this.steps = reading.states.map(({ step }) => step);
    this.reducesMotion = matchMedia("(prefers-reduced-motion: reduce)");
    fillIn(section, { m: reading.m, guess: `${this.guess.toFixed(1)}: uniform guess` });
    onColours(section, (colours) => {
      this.colours = colours;
      if (this.elements) this.look(); // there is a picture already
    });
    this.take(this.steps.at(-1));
    this.open(Array.from(reading.text));
    this.pauseField.hidden = false;
    if (this.reducesMotion.matches) this.finish();
    else this.readOne(); // at once
    this.look();
    this.wait();
  }

  // the weights and the state at one training step
  take(step) {
    const { m } = this.reading;
    this.step = step;
    this.params = unpack(this.snapshots.get(step), m, this.vocabulary.length);
    this.first = numbers(this.reading.states.find((state) => state.step === step).h, m);
    const trained = `${step.toLocaleString("en")} steps`;
    fillIn(this.section, { trained });
    Object.assign(this.stepField, { max: this.steps.length - 1, value: this.steps.indexOf(step) });
    tell(this.stepField, { text: `trained for ${trained}` });
  }

  // begin to read a text; what is the same as before at its beginning stays read
  open(characters, keeps = 0) {
    this.text_ = characters.map((character) => this.codes.get(character));
    this.elements = [];
    this.rest = document.createTextNode(characters.join(""));
    this.text.replaceChildren(this.rest);
    this.done.length = Math.min(keeps, this.done.length);
    if (!keeps) this.h = this.first;
    if (!keeps && this.marked !== undefined) this.text.scrollTop = 0; // at first it is, and to set it takes a moment
    this.done.forEach((one, n) => this.colour(n));
    this.pointed = null;
    requestAnimationFrame(() => setTimeout(() => this.elementOf(this.text_.length - 1))); // after the first picture
  }

  // the element of a character; it is made of the rest of the text when it is needed
  elementOf(n) {
    while (this.elements.length <= n && this.rest.data) {
      const character = String.fromCodePoint(this.rest.data.codePointAt(0));
      this.rest.deleteData(0, character.length);
      this.put(character);
    }
    return this.elements[n];
  }

  // one more element before the rest of the text, or one more character in the last one
  put(character) {
    const last = this.elements.at(-1);
    const isJoined = last && joins(last.textContent, character);
    const element = isJoined ? last : span(character);
    if (isJoined) last.textContent += character;
    else this.rest.before(element);
    this.elements.push(element);
    return element;
  }

  colour(n) {
    const element = this.elementOf(n);
    const bits = this.done[n].bits + (n > 0 && this.elements[n - 1] === element ? +element.dataset.bits : 0);
    tint(element, bits);
    element.classList.add("seen");
  }

  // read the next character
  readOne() {
    const n = this.done.length;
    const p = distribution(scores(this.params, this.h));
    this.done.push({ before: this.h, bits: -Math.log2(p[this.text_[n]]) });
    this.h = read(this.params, this.h, this.text_[n]);
    this.colour(n);
  }

  // read as far as `until` in short tasks, and show where that leads
  readTo(until) {
    const number = ++this.work;
    const go = () => {
      if (number !== this.work) return;
      const began = performance.now();
      while (this.done.length < until && performance.now() - began < TASK) this.readOne();
      if (this.done.length < until) return void setTimeout(go);
      this.look();
    };
    go();
  }

  // draw one more character, and read it
  writeOne() {
    const code = draw(distribution(scores(this.params, this.h), TEMPERATURE), this.uniform());
    this.elementOf(this.text_.length - 1); // what was typed comes first
    this.put(this.vocabulary[code]).classList.add("written");
    this.text_.push(code);
    this.readOne();
  }

  // the sentence above and the buttons say what is so
  say() {
    const state = this.isPaused && !["typed", "written"].includes(this.mode) ? (this.isStill ? "still" : "paused") : this.mode;
    if (this.sentence) this.sentence.textContent = SENTENCES[state];
    this.pauseField.textContent = !this.isPaused ? "Pause" : this.isStill ? "Let it read" : "Resume";
    this.pauseField.disabled = ["typed", "written"].includes(this.mode);
    [this.goField.disabled, this.backField.hidden] = [this.mode !== "typed", this.mode === "book"];
    fillIn(this.section, { hint: this.mode === "book" ? "A passage that it was not trained on. Point at a letter to look back." : "Your text. Before it, the network read a part of the book." });
    this.section.dataset.mode = state;
  }

  // show the moment before character number `n`: the state, what it expects, and what comes
  look(n = this.pointed ?? this.done.length) {
    const h = this.done[n]?.before ?? this.h;
    const p = distribution(scores(this.params, h));
    paintCells(this.canvas, h, this.colours);
    const top = order(p).slice(0, this.bars.children.length);
    Array.from(this.bars.children, (row, i) => this.showRow(row, top[i], p));
    const code = this.text_[n];
    this.showRow(this.comes, code, p);
    fillIn(this.section, { surprise: code === undefined ? "\u00a0" : `↑ what comes: ${inBits(p[code])} bits of surprise` });
    this.elements[this.marked ?? -1]?.classList.remove("cursor");
    this.elementOf(n)?.classList.add("cursor");
    this.marked = n;
    if (this.pointed === null && n > 1) this.follow(n);
    this.showScore();
    this.say();
    Object.assign(this.section.dataset, { read: this.done.length, step: this.step });
  }

  showRow(row, code, p) {
    const [letter, line, share] = row.children;
    write(letter, code === undefined ? "" : named(this.vocabulary[code]));
    bar(line, code === undefined ? 0 : p[code]);
    write(share, code === undefined ? "" : percent(p[code]));
  }

  // the line of the cursor stays in sight, with the next one
  follow(n) {
    const element = this.elements[Math.min(n, this.elements.length - 1)];
    if (!element) return;
    const [top, line] = [element.offsetTop - this.text.offsetTop, parseFloat(getComputedStyle(this.text).lineHeight)];
    const most = this.text.clientHeight - 2.5 * line;
    if (top - this.text.scrollTop > most || top < this.text.scrollTop) this.text.scrollTop = Math.max(0, top - line);
  }

  showScore() {
    const n = this.done.length;
    const bits = this.done.reduce((sum, one) => sum + one.bits, 0) / n;
    const { gram } = this.reading;
    const ofGram = this.mode === "book" && gram && n ? gram.bits.slice(0, n).reduce((sum, one) => sum + one, 0) / n : null;
    fillIn(this.section, { bits: n ? bits.toFixed(2) : "–", gram: ofGram === null ? "\u00a0" : `a ${gram.n}-gram, by counting: ${ofGram.toFixed(2)}` });
    const [dot, gramDot] = [this.section.querySelector(".dot"), this.section.querySelector(".dot-gram")];
    const place = (value) => `${Math.min((50 * value) / this.guess, 100)}%`; // a uniform guess is in the middle
    dot.style.left = place(n ? bits : this.guess);
    gramDot.hidden = ofGram === null;
    gramDot.style.left = place(ofGram ?? 0);
    const soFar = n ? `${bits.toFixed(2)} bits per character so far` : "Nothing is read yet";
    this.section.querySelector(".meter").setAttribute("aria-label", `${soFar}; a uniform guess needs ${this.guess.toFixed(1)} bits`);
  }

  // the finished picture, where nothing may move
  finish() {
    [this.isPaused, this.isStill] = [true, true];
    this.readTo(Math.min(STILL, this.text_.length - 1));
  }

  tick() {
    if (this.isPaused || !this.isSeen || document.hidden || this.pointed !== null) return;
    if (this.mode === "typed" || this.mode === "written") return;
    if (this.mode === "writing") {
      if (this.text_.length - this.typedLength >= WRITTEN) return void (this.mode = "written", this.say());
      this.writeOne();
    } else if (this.done.length < this.text_.length) this.readOne();
    else if (++this.rests > 40) this.open(Array.from(this.reading.text)); // some seconds at the end, then anew
    if (this.done.length < this.text_.length) this.rests = 0;
    this.look();
  }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.tick(), this.wait()), this.mode === "writing" ? WRITING_PACE : PACE);
  }

  // another training step: what was read is read anew
  setStep(step) {
    if (!this.snapshots.has(step)) return;
    const until = this.done.length;
    this.take(step);
    Object.assign(this, { done: [], h: this.first });
    this.readTo(until);
  }

  // what the reader has typed
  type() {
    clearTimeout(this.patience);
    const characters = Array.from(this.typedField.value);
    const unknown = characters.find((character) => !this.codes.has(character));
    this.alert.textContent = unknown === undefined ? "" : `The network has never seen “${named(unknown)}”: it is not in its text. Without it, the network reads on.`;
    if (unknown !== undefined) return;
    if (!characters.length) return this.backToBook();
    const before = this.mode === "book" ? [] : this.text_.slice(0, this.typedLength);
    const isMore = before.length > 0 && before.length <= characters.length && this.mode === "typed" && before.every((code, n) => code === this.codes.get(characters[n])) && this.text_.length === before.length;
    Object.assign(this, { mode: "typed", typedLength: characters.length });
    this.open(characters, isMore ? before.length : 0);
    this.readTo(characters.length);
    if (!this.reducesMotion.matches) this.patience = setTimeout(() => this.goOn(), PATIENCE);
  }

  goOn() {
    clearTimeout(this.patience);
    if (this.mode !== "typed") return;
    Object.assign(this, { mode: "writing", uniform: generator(this.text_.length), isPaused: false });
    if (this.reducesMotion.matches) {
      for (let n = 0; n < WRITTEN; n++) this.writeOne();
      this.mode = "written";
    }
    this.look();
  }

  backToBook() {
    clearTimeout(this.patience);
    [this.mode, this.typedField.value, this.alert.textContent] = ["book", "", ""];
    this.work++;
    this.open(Array.from(this.reading.text));
    if (this.reducesMotion.matches) this.finish();
    else [this.isPaused, this.isStill] = [false, false];
    this.look();
  }

  pause() {
    [this.isPaused, this.isStill] = [!this.isPaused, false];
    this.look();
  }

  pointAt(element) {
    const n = this.elements.indexOf(element);
    this.pointed = n >= 0 && n < this.done.length ? n : null;
    this.look();
  }

  lookBack(by) {
    const to = (this.pointed ?? this.done.length) + by;
    this.pointed = to >= this.done.length ? null : Math.max(to, 0);
    this.look();
  }

  listen() {
    this.pauseField.addEventListener("click", () => this.pause());
    this.typedField.addEventListener("input", () => this.type());
    this.typedField.addEventListener("keydown", ({ key }) => key === "Enter" && this.goOn());
    this.goField.addEventListener("click", () => this.goOn());
    this.backField.addEventListener("click", () => (this.backToBook(), this.typedField.focus()));
    this.stepField.addEventListener("input", () => this.setStep(this.steps[this.stepField.value]));
    onPointed(this.text, (element) => this.pointAt(element));
    onKeys(this.text, (by) => this.lookBack(by));
    new IntersectionObserver((entries) => (this.isSeen = entries.at(-1).isIntersecting)).observe(this.section);
    addEventListener("beforeprint", () => this.done.length < STILL && this.mode === "book" && this.readTo(Math.min(STILL, this.text_.length)));
  }
}

// Make the first screen of a section with the markup of web/reader.html, for what report/show/web.py has packed in `reading`;
// `sentence` is the element that says what the network does now. Returns what takes the weights of more training steps.
export function mountReader(section, reading, sentence) {
  const reader = new Reader(section, reading, sentence);
  reader.listen();
  return {
    vocabulary: reading.vocabulary,
    hold(snapshots) {
      for (const { step, weights } of snapshots) reader.snapshots.set(step, weights);
      reader.steps = reader.steps.filter((step) => reader.snapshots.has(step));
      reader.stepField.disabled = reader.steps.length < 2;
      Object.assign(reader.stepField, { max: reader.steps.length - 1, value: reader.steps.indexOf(reader.step) });
    },
  };
}

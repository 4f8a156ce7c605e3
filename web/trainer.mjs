// The trainer, in the page and in Jupyter: what the reader sees and presses. The training is in a worker, web/worker.mjs.
import { spans, tint } from "./characters.mjs";
import { inDigits } from "./digits.mjs";
import { fillIn, write } from "./elements.mjs";
import { drawLosses } from "./loss.mjs";
import { chosenKernel } from "./network.mjs";
import { complaint, valueOf } from "./settings.mjs";
import { LONGEST } from "./text.mjs";

const USUAL = { adagrad: "0.1", adam: "0.001" }; // learning rates, as in report/measure/choices.py
const LARGE = 1.5; // times the loss of a uniform guess: where the smoothed loss is above that, the reader is told
const TWO_DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 }; // after the point
const SHOWN = 100; // characters of a step, in the view of one sequence
const guessOf = ({ T }, K) => T * Math.log(K);

class Trainer {
  worker = null;
  running = false;
  opened = null; // the text of a file
  step = 0;
  isLarge = false;
  live = []; // [[step, smoothed loss]]

  constructor(section, packed, kernel, begin) {
    Object.assign(this, { section, packed, kernel, beginWorker: begin });
    this.first = { settings: { ...packed.settings }, own: null };
    this.report = packed.curve;
    this.guess = guessOf(packed.settings, Array.from(packed.vocabulary).length);
    const [svg, text, reading, alert] = ["svg", ".drawn", ".reading", "[role=alert]"].map((selector) => section.querySelector(selector));
    Object.assign(this, { svg, text, reading, alert });
    this.fields = { m: this.find("m"), T: this.find("T"), rate: this.find("rate"), clip: this.find("clip"), seed: this.find("first"), optimizer: this.find("optimizer") };
    this.fill();
    this.draw();
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  find = (name) => this.section.querySelector(`[name=${name}]`);

  say = (sentence) => write(this.reading, sentence);

  draw() {
    const curves = [{ kind: "report", name: "the report’s run", points: this.report }, { kind: "live", name: "yours", points: this.live }];
    drawLosses(this.svg, curves, this.guess);
  }

  order(name, more = {}) {
    if (!this.worker) {
      this.worker = this.beginWorker("trainer");
      this.worker.onmessage = ({ data }) => this[`see_${data.is}`](data);
      this.worker.onerror = () => this.say("The trainer has stopped because of an error. Reload the page, or try another browser.");
      this.worker.postMessage({ order: "begin", packed: { ...this.packed, kernel: this.kernel }, ...this.first });
    }
    this.worker.postMessage({ order: name, ...more });
  }

  // what the worker tells

  see_begun({ settings, own, K, characters, cut }) {
    Object.assign(this, { live: [], step: 0, guess: guessOf(settings, K), isLarge: false });
    // another text's losses, or those of longer sequences, are not to be compared with the report's
    this.report = own || settings.T !== this.packed.settings.T ? [] : this.packed.curve;
    this.enable(true);
    this.section.dataset.begun = +(this.section.dataset.begun ?? 0) + 1;
    const size = `${cut || (!own && this.packed.cut) ? "the first " : ""}${characters.toLocaleString("en")} characters, ${K.toLocaleString("en")} of them distinct`;
    this.say(`${own ? "Your text" : this.packed.title}: ${size}; the first 90% are for training, the next 5% are held out.`);
  }

  see_progress({ step, smoothed, points, running, rate }) {
    if (step < this.step) this.live = [];
    for (const point of points) this.live.push(point);
    this.step = step;
    fillIn(this.section, { step: step.toLocaleString("en"), loss: smoothed?.toLocaleString("en", TWO_DIGITS) ?? "–" });
    this.showState(running);
    if (running && rate > 0) fillIn(this.section, { rate: rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en") });
    this.section.dataset.step = step;
    this.draw();
    const isLarge = smoothed > LARGE * this.guess;
    if (isLarge !== this.isLarge) this.say(isLarge ? `The loss is more than ${LARGE} times that of a uniform guess. If it does not fall, training has diverged: try a smaller learning rate.` : "");
    this.isLarge = isLarge;
  }

  see_text({ characters, bits }) {
    const elements = spans(characters);
    this.text.replaceChildren(...new Set(elements));
    elements.forEach((element, i) => tint(element, bits[i]));
  }

  see_bits({ bits, share }) {
    if (this.running) return;
    fillIn(this.section, { bits: share < 1 ? `(${Math.floor(100 * share)}% read)` : bits.toFixed(3) });
    if (share < 1) return;
    const [step, loss] = ["step", "loss"].map((name) => this.section.querySelector(`[data-is=${name}]`).textContent);
    this.svg.setAttribute("aria-label", `The smoothed loss: ${loss} nats per sequence at step ${step}; that of a uniform guess is ${this.guess.toFixed(1)}`);
  }

  see_diverged({ step, loss }) {
    this.say(`The loss of step ${(step + 1).toLocaleString("en")} is ${inDigits(loss)}: training has diverged, and stops. Try a smaller learning rate.`);
  }

  see_network(handed) {
    document.querySelector(".sampler")?.dispatchEvent(new CustomEvent("network", { detail: handed }));
  }

  see_sequence({ step, x, y, ...problem }) {
    const number = step.toLocaleString("en");
    const isPart = x.length > SHOWN;
    const name = `your network, step ${number}${isPart ? `, the first ${SHOWN} characters` : ""}`;
    const detail = { ...problem, name, x: x.slice(0, SHOWN), y: y.slice(0, SHOWN), next: () => this.order("step") };
    if (!document.querySelector(".sequence")?.dispatchEvent(new CustomEvent("sequence", { detail }))) return;
    const part = isPart ? `the first ${SHOWN} characters of the sequence, and the gradients of their loss` : "the sequence that was read, and its gradients";
    this.say(`The view “One sequence, forward and back” shows step ${number}: ${part}.`);
  }

  see_file({ file, name }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file]));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    this.say(`Saved. “Open a network …” reads it again, and in Python: from report.show.saved import read_saved; saved = read_saved("${name}")`);
  }

  // `isLost`: there is no network any more, and nothing is left of the one before
  see_refused({ sentence, isLost }) {
    this.alert.textContent = sentence;
    this.say(sentence); // the form may be folded
    if (!isLost) return;
    Object.assign(this, { live: [], report: [], step: 0 });
    fillIn(this.section, { step: "–", loss: "–", bits: "–" });
    this.text.replaceChildren();
    this.showState(false);
    this.enable(false);
    this.draw();
  }

  // what the reader sees and presses

  enable(isThere) {
    for (const name of ["train", "one", "back", "hand", "save"]) this.find(name).disabled = !isThere;
  }

  showState(running) {
    this.running = running;
    this.find("train").textContent = running ? "Pause" : "Train";
    fillIn(this.section, { [running ? "bits" : "rate"]: "–" });
  }

  // the settings of the form; throws a sentence
  chosen() {
    const settings = { ...this.first.settings, optimizer: this.fields.optimizer.value };
    for (const name of ["m", "T", "rate", "clip", "seed"]) {
      const { value, validity } = this.fields[name];
      settings[name] = validity.badInput ? NaN : valueOf(name, value);
      const sentence = complaint(name, settings[name]);
      this.fields[name].setAttribute("aria-invalid", sentence !== "");
      if (sentence) throw sentence;
    }
    return settings;
  }

  fill() {
    for (const name of Object.keys(this.fields)) this.fields[name].value = this.first.settings[name] ?? "";
    [this.find("own").value, this.find("file").value, this.opened, this.alert.textContent] = ["", "", null, ""];
  }

  begin() {
    try {
      this.alert.textContent = "";
      this.order("begin", { settings: this.chosen(), own: this.opened ?? (this.find("own").value || null) });
    } catch (sentence) {
      this.alert.textContent = sentence;
    }
  }

  async read(file) {
    try {
      this.opened = file ? new TextDecoder("utf-8", { fatal: true }).decode(await file.slice(0, 4 * LONGEST).arrayBuffer(), { stream: true }) : null;
      [this.find("own").value, this.alert.textContent] = ["", ""];
    } catch {
      [this.opened, this.find("file").value, this.alert.textContent] = [null, "", `${file.name} is not UTF-8: save it as UTF-8.`];
    }
  }

  listen() {
    const on = (name, act, kind = "click") => this.find(name).addEventListener(kind, act);
    on("train", () => this.order(this.running ? "pause" : "train"));
    on("one", () => this.order("step"));
    on("back", () => this.order("back"));
    on("begin", () => this.begin());
    on("restore", () => (this.fill(), this.order("begin", this.first)));
    on("own", () => ([this.opened, this.find("file").value] = [null, ""]), "input");
    on("optimizer", () => {
      if (Object.values(USUAL).includes(this.fields.rate.value)) this.fields.rate.value = USUAL[this.fields.optimizer.value];
    }, "change");
    on("file", ({ target }) => this.read(target.files[0]), "change");
    on("save", () => this.order("save"));
    on("open", () => this.find("saved").click());
    on("saved", ({ target }) => {
      if (target.files[0]) this.order("open", { file: target.files[0] });
      target.value = "";
    }, "change");
    this.find("hand").hidden = !document.querySelector(".sampler");
    on("hand", () => {
      this.order("hand");
      document.querySelector(".sampler")?.scrollIntoView({ block: "center" });
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden || !this.running) return;
      this.order("pause");
      this.say("Paused, because the page was hidden.");
    });
  }
}

const WITHOUT = "This browser has no WebAssembly with 128-bit vectors in a worker, which the training needs. Firefox 113, Chrome 111, Safari 16.4 and newer have it.";

// Make a trainer of a section with the markup of web/trainer.html, for what report/show/widget.py has `packed`. It takes the
// first of the compiled `kernels` that runs here; `begin` makes a worker of a name.
export function mountTrainer(section, packed, kernels, begin) {
  const kernel = globalThis.Worker && globalThis.DecompressionStream && chosenKernel(kernels);
  const trainer = new Trainer(section, packed, kernel, begin);
  trainer.listen();
  if (kernel) trainer.say(packed.repeats
    ? "Press “Train”: your browser repeats the report’s run, with the same first weights and the same sequences in the same order."
    : "Press “Train”: your browser trains a network on the report’s text, one sequence per step in the order of the text. It cannot repeat the report’s run here, so the curves differ.");
  else {
    for (const button of section.querySelectorAll("button")) button.disabled = true;
    trainer.say(kernels.length ? WITHOUT : "The trainer has not been compiled: end JupyterLab and start it with “make lab”.");
  }
}

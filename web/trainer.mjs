// The trainer, in the page and in Jupyter: what the reader sees and presses. The training is in a worker, web/worker.mjs.
import { chosenKernel } from "./network.mjs";
import { span, tint } from "./sampler.mjs";
import { LONGEST } from "./text.mjs";

const RULES = { // as in rnn/engine/runs.py: what a setting must be, and whether a number is that
  m: ["The number of hidden units", "a whole number from 1 to 1,000", (n) => Number.isInteger(n) && n >= 1 && n <= 1000],
  T: ["The length of a sequence", "a whole number from 1 to 1,000", (n) => Number.isInteger(n) && n >= 1 && n <= 1000],
  rate: ["The learning rate", "a number above 0", (n) => n > 0 && n < Infinity],
  clip: ["The bound of the gradient", "a number above 0, or empty for none", (n) => n > 0],
  seed: ["The seed", "a whole number from 0 on", (n) => Number.isSafeInteger(n) && n >= 0],
};
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 240; // of the curve, in pixels

// The curves, {name: [[step, loss]]}, each with what it is called: steps on a log axis, losses from 0 to a little above T ln K
function drawCurves(svg, curves, guess) {
  const width = svg.clientWidth || 640;
  const [left, right, top, bottom] = [34, width - 8, 24, HEIGHT - 38];
  const last = Math.max(1000, ...curves.map(({ points }) => points.at(-1)?.[0] ?? 1));
  const x = (step) => left + ((right - left) * Math.log10(step)) / Math.log10(last);
  const y = (loss) => bottom - (bottom - top) * Math.min(loss / (1.12 * guess), 1);
  const add = (name, attributes, text = "") => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    svg.append(element);
  };
  const size = 10 ** Math.floor(Math.log10(guess));
  const between = guess < 3 * size ? size / 2 : guess < 6 * size ? size : 2 * size;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren();
  add("path", { d: `M${left},${top}V${bottom}H${right}` });
  add("text", { x: 0, y: 12 }, "smoothed loss, nats per sequence");
  for (let loss = 0; loss <= guess; loss += between) add("text", { x: left - 6, y: y(loss) + 4, "text-anchor": "end" }, +loss.toPrecision(3));
  for (let step = 1; step <= last; step *= 10) {
    const anchor = step === 1 ? "start" : x(step) > right - 20 ? "end" : "middle";
    add("text", { x: x(step), y: bottom + 16, "text-anchor": anchor }, step.toLocaleString("en"));
  }
  add("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, "training step");
  add("path", { class: "guess", d: `M${left},${y(guess)}H${right}` });
  add("text", { x: right, y: y(guess) - 5, "text-anchor": "end" }, `who knows nothing: T ln K = ${guess.toFixed(1)}`);
  curves.filter(({ points }) => points.length).forEach(({ kind, name, points }, n) => {
    add("path", { class: kind, d: `M${points.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join("L")}` });
    add("path", { class: kind, d: `M${left + 12},${bottom - 16 - 18 * n}h22` });
    add("text", { x: left + 40, y: bottom - 12 - 18 * n }, name);
  });
}

// Make a trainer of a section with the markup of web/trainer.html, for what report/show/widget.py has `packed`. It takes the
// first of the compiled `kernels` that runs here; `begin` makes a worker of a name.
export function mountTrainer(section, packed, kernels, begin_) {
  const kernel = chosenKernel(kernels);
  const find = (name) => section.querySelector(`[name=${name}]`);
  const [train, one, back, begin, restore, own, file, saved] = ["train", "one", "back", "begin", "restore", "own", "file", "saved"].map(find);
  const fields = { m: find("m"), T: find("T"), rate: find("rate"), clip: find("clip"), seed: find("first"), optimizer: find("optimizer") };
  const number = (name) => section.querySelector(`[data-number=${name}]`);
  const [svg, text, reading, alert] = ["svg", ".drawn", ".reading", "[role=alert]"].map((selector) => section.querySelector(selector));
  const guess = ({ T }, K) => T * Math.log(K);
  const first = { settings: { ...packed.settings, clip: packed.settings.clip ?? Infinity }, own: null };
  const ours = { live: [], guess: guess(first.settings, Array.from(packed.vocabulary).length), report: packed.curve, step: 0 };
  let worker = null;
  let running = false;
  let opened = null; // the text of a file, and its name

  const say = (sentence) => reading.textContent !== sentence && (reading.textContent = sentence);
  const picture = () => drawCurves(svg, [{ kind: "report", name: "the report's run", points: ours.report }, { kind: "live", name: "yours", points: ours.live }], ours.guess);

  function order(name, more = {}) {
    if (!worker) {
      worker = begin_("trainer");
      worker.onmessage = ({ data }) => seen[data.is](data);
      worker.onerror = () => say("The trainer could not start in this browser.");
      worker.postMessage({ order: "begin", packed: { ...packed, kernel }, ...first });
    }
    worker.postMessage({ order: name, ...more });
  }

  const seen = {
    begun({ settings, own, K, characters, cut }) {
      Object.assign(ours, { live: [], step: 0, guess: guess(settings, K) });
      // another text's losses, or those of longer sequences, are not to be compared with the report's
      ours.report = own || settings.T !== packed.settings.T ? [] : packed.curve;
      section.dataset.begun = +(section.dataset.begun ?? 0) + 1;
      const of_it = `${characters.toLocaleString("en")} characters${cut || (!own && packed.cut) ? ", its beginning" : ""}, ${K.toLocaleString("en")} of them distinct`;
      say(`${own ? "Your text" : packed.name}: ${of_it}; the first 90 % are for training, the next 5 % are held out.`);
    },
    progress({ step, smoothed, points, running: still, rate }) {
      if (step < ours.step) ours.live = [];
      ours.live.push(...points);
      ours.step = step;
      number("step").textContent = step.toLocaleString("en");
      number("loss").textContent = smoothed?.toFixed(2) ?? "–";
      shows(still);
      if (still && rate > 0) number("rate").textContent = Math.round(rate).toLocaleString("en");
      section.dataset.step = step;
      picture();
    },
    text({ characters, bits }) {
      text.replaceChildren(...characters.map((character) => span(character)));
      [...text.children].forEach((element, i) => tint(element, bits[i]));
    },
    bits({ bits }) {
      number("bits").textContent = bits.toFixed(3);
      svg.setAttribute("aria-label", `The smoothed loss: ${number("loss").textContent} nats per sequence after ${number("step").textContent} steps; of who knows nothing ${ours.guess.toFixed(1)}`);
    },
    diverged({ step, loss }) {
      say(`The loss of step ${(step + 1).toLocaleString("en")} is ${loss.toPrecision(3)}: training has diverged, and stops. Try a smaller learning rate.`);
    },
    network(handed) {
      document.querySelector(".sampler")?.dispatchEvent(new CustomEvent("network", { detail: handed }));
    },
    file({ file, name }) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([file]));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    },
    refused({ sentence }) {
      alert.textContent = sentence;
      say(sentence); // the form may be folded
    },
  };

  function shows(still) {
    running = still;
    train.textContent = running ? "Pause" : "Train";
    if (running) number("bits").textContent = "–";
    else number("rate").textContent = "–";
  }

  function chosen() {
    const settings = { ...first.settings, optimizer: fields.optimizer.value };
    for (const [name, [what, must, right]] of Object.entries(RULES)) {
      const given = fields[name].value.trim();
      settings[name] = name === "clip" && given === "" && fields[name].validity.valid ? Infinity : given === "" ? NaN : +given;
      fields[name].setAttribute("aria-invalid", !right(settings[name]));
      if (!right(settings[name])) throw `${what} must be ${must}, got ${given || "nothing that is a number"}.`;
    }
    return settings;
  }

  function fill({ settings }) {
    for (const name of Object.keys(fields)) fields[name].value = settings[name] === Infinity ? "" : settings[name];
    [own.value, file.value, opened, alert.textContent] = ["", "", null, ""];
  }

  train.addEventListener("click", () => order(running ? "pause" : "train"));
  one.addEventListener("click", () => order("step"));
  back.addEventListener("click", () => order("back"));
  begin.addEventListener("click", () => {
    try {
      alert.textContent = "";
      order("begin", { settings: chosen(), own: opened ?? (own.value || null) });
    } catch (sentence) {
      alert.textContent = sentence;
    }
  });
  restore.addEventListener("click", () => {
    fill(first);
    order("begin", first);
  });
  own.addEventListener("input", () => ([opened, file.value] = [null, ""]));
  fields.optimizer.addEventListener("change", () => { // each has its own usual rate, as in report/measure/choices.py
    const usual = { adagrad: "0.1", adam: "0.001" };
    if (Object.values(usual).includes(fields.rate.value)) fields.rate.value = usual[fields.optimizer.value];
  });
  file.addEventListener("change", async () => {
    const [one] = file.files;
    try {
      opened = one ? new TextDecoder("utf-8", { fatal: true }).decode(await one.slice(0, 4 * LONGEST).arrayBuffer(), { stream: true }) : null;
      [own.value, alert.textContent] = ["", ""];
    } catch {
      [opened, file.value, alert.textContent] = [null, "", `${one.name} is not UTF-8: save it as UTF-8.`];
    }
  });
  find("save").addEventListener("click", () => order("save"));
  find("open").addEventListener("click", () => saved.click());
  saved.addEventListener("change", () => {
    if (saved.files[0]) order("open", { file: saved.files[0] });
    saved.value = "";
  });
  find("hand").hidden = !document.querySelector(".sampler");
  find("hand").addEventListener("click", () => {
    order("hand");
    document.querySelector(".sampler")?.scrollIntoView({ block: "center" });
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden || !running) return;
    order("pause");
    say("Paused, because the page could not be seen.");
  });
  new ResizeObserver(picture).observe(svg);
  fill(first);
  picture();
  if (kernel) say(packed.repeats
    ? "Press “Train”: your browser takes the report's run again, from the same first weights, on the same sequences in the same order."
    : "Press “Train”: your browser trains a network on the report's text, one sequence a step in the order of the text. The report's run takes its steps in another way.");
  else {
    for (const button of section.querySelectorAll("button")) button.disabled = true;
    say(!kernels.length ? "The trainer has not been compiled: end JupyterLab and start it with “make lab”." : "This browser has no WebAssembly with 128-bit vectors, which the training is written in. Firefox 89, Chrome 91, Safari 16.4 and newer have it.");
  }
}

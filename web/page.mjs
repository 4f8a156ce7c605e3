// In the page: what it has packed becomes what can be moved, and the page's address keeps the sampler's settings.
import { mountCurves } from "./curves.mjs";
import { bytes } from "./network.mjs";
import { countsOf } from "./ngrams.mjs";
import { mountSampler } from "./sampler.mjs";
import { mountTrainer } from "./trainer.mjs";
import { beginner } from "./workers.mjs";

// what scripts have packed; weights that stand for the second time are the number of those that stood first
let packed;
function packedIn(selector) {
  const weights = [];
  const whole = (key, value) => (key !== "weights" || value === null ? value : Number.isInteger(value) ? weights[value] : weights[weights.push(value) - 1]);
  packed ??= new Map([...document.querySelectorAll("script.packed")].map((script) => [script, JSON.parse(script.textContent, whole)]));
  return [...document.querySelectorAll(selector)].map((script) => packed.get(script));
}

// networks and names of their units, from wherever chapters have left them
function networksOf(packed) {
  const networks = packed.filter(({ snapshots, name }, n) => snapshots && packed.findIndex((other) => other.name === name) === n);
  for (const { units, of } of packed) if (units) Object.assign(networks.find(({ name }) => name === of) ?? {}, { units });
  return networks;
}

function keepAddress(section, sampler) {
  const names = networksOf(packedIn("script.packed")).map(({ name }) => name);
  const keep = () => {
    if (!names.includes(sampler.settings.network)) return; // what the reader has trained is not at the address
    history.replaceState(null, "", `#${new URLSearchParams(sampler.settings)}`);
  };
  const restore = () => {
    const words = new URLSearchParams(location.hash.slice(1));
    if (!words.has("temperature")) return; // the address of a section is none
    const changes = {};
    for (const name of ["network", "prime", "colour"]) if (words.has(name)) changes[name] = words.get(name);
    for (const name of ["step", "temperature", "top_p", "length", "seed"]) if (Number.isFinite(parseFloat(words.get(name)))) changes[name] = +words.get(name);
    if (!names.includes(changes.network)) delete changes.network;
    sampler.set(changes);
    section.scrollIntoView({ block: "center" });
  };
  section.addEventListener("change", ({ target }) => (target.name in sampler.settings || target.name === "unit") && keep());
  addEventListener("hashchange", restore);
  restore();
}

function begin() {
  const worker = beginner(document.querySelector("script[type=module]").textContent);
  const [training] = packedIn(".trainer script[type='application/json']");
  const networks = networksOf(packedIn("script.packed"));
  const counts = training && countsOf({ text: training.text, vocabulary: training.vocabulary, end: training.end }, worker);
  for (const section of document.querySelectorAll(".sampler")) {
    const sampler = mountSampler(section, networks, { counts });
    section.addEventListener("network", ({ detail }) => sampler.hold({ name: "the one you have trained", ...detail }));
    keepAddress(section, sampler);
  }
  const kernels = [...document.querySelectorAll("script[type='application/wasm']")].flatMap((script) => script.textContent.split(" ").map(bytes));
  for (const section of document.querySelectorAll(".trainer")) mountTrainer(section, training, kernels, worker);
  for (const svg of document.querySelectorAll("figure svg:has(.curves)")) mountCurves(svg);
}

if (globalThis.document) begin();

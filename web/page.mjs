// In the page: what it has packed becomes what can be moved. The first screen begins at once, while the rest is still being
// read; the rest follows part by part, each in a task of its own.
import { mountCurves } from "./curves.mjs";
import { bytes } from "./network.mjs";
import { countsOf } from "./ngrams.mjs";
import { mountReader } from "./reader.mjs";
import { mountSampler } from "./sampler.mjs";
import { mountSequence } from "./sequence.mjs";
import { complaint, valueOf } from "./settings.mjs";
import { mountTrainer } from "./trainer.mjs";
import { beginner } from "./workers.mjs";

// What a script has packed. Weights that are packed again are the number of those that were packed before, so scripts are read
// in the order of the page.
const weights = [];
const whole = (key, value) => (key !== "weights" || value === null ? value : Number.isInteger(value) ? weights[value] : weights[weights.push(value) - 1]);
const packedIn = (script) => JSON.parse(script.textContent, whole);

// networks and names of their units, from wherever chapters have left them
function networksOf(packed) {
  const networks = packed.filter(({ snapshots, name }, n) => snapshots && name && packed.findIndex((other) => other.name === name && other.snapshots) === n);
  for (const { units, of } of packed) if (units && of) Object.assign(networks.find(({ name }) => name === of) ?? {}, { units });
  return networks;
}

// the sampler's settings that an address gives, and why others cannot be
function settingsOf(words, names) {
  const [changes, sentences] = [{}, []];
  if (names.includes(words.get("network"))) changes.network = words.get("network");
  if (words.has("prime")) changes.prime = words.get("prime");
  for (const name of ["step", "temperature", "top_p", "length", "seed", "colour", "counted"]) {
    if (!words.has(name)) continue;
    const value = valueOf(name, words.get(name));
    const sentence = complaint(name, value);
    if (sentence) sentences.push(sentence);
    else changes[name] = value;
  }
  return [changes, sentences.join(" ")];
}

// the page's address keeps the sampler's settings
function keepAddress(section, sampler, names) {
  const keep = () => {
    if (!names.includes(sampler.settings.network)) return; // what the reader has trained is not at the address
    history.replaceState(null, "", `#${new URLSearchParams(sampler.settings)}`);
  };
  const restore = () => {
    const words = new URLSearchParams(location.hash.slice(1));
    if (!words.has("temperature")) return; // the address of a section has no settings
    const [changes, sentence] = settingsOf(words, names);
    sampler.set(changes);
    if (sentence) sampler.complain(`The page’s address: ${sentence}`);
    section.scrollIntoView({ block: "center" });
  };
  section.addEventListener("change", ({ target }) => (target.name in sampler.settings || target.name === "unit") && keep());
  addEventListener("hashchange", restore);
  restore();
}

function beginSampler(section, networks, training, worker) {
  const counts = globalThis.Worker && training && countsOf({ text: training.text, vocabulary: training.vocabulary, end: training.end }, worker);
  const names = networks.map(({ name }) => name);
  const sampler = mountSampler(section, networks, { counts });
  section.addEventListener("network", ({ detail }) => sampler.hold({ name: "the one you have trained", ...detail }));
  keepAddress(section, sampler, names);
}

// the view of one sequence begins when it is near, when a link sets it, or when the trainer shows a step in it
function beginSequence(section, packed) {
  let view = null;
  const begun = () => (view ??= mountSequence(section, packed));
  const beginIfSet = () => /[#&]lens=/.test(location.hash) && begun();
  const observer = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && (observer.disconnect(), begun()), { rootMargin: "800px" });
  observer.observe(section);
  section.addEventListener("sequence", ({ detail }) => begun().hold(detail));
  addEventListener("hashchange", beginIfSet);
  beginIfSet();
}

// what is to be done when there is time, one after the other; where there is never time, a fifth of a second apart
function inTurn(tasks) {
  const idle = globalThis.requestIdleCallback ? (task) => requestIdleCallback(task, { timeout: 200 }) : setTimeout;
  const next = () => {
    tasks.shift()?.();
    if (tasks.length) idle(next);
  };
  idle(next);
}

function beginRest(reader, source) {
  const worker = beginner(source);
  const [packed, training, networks] = [[], [], []];
  const scripts = [...document.querySelectorAll("script.packed")].map((script) => () => {
    const one = packedIn(script);
    packed.push(one);
    if (script.closest(".trainer")) training.push(one);
  });
  const all = (selector, begin) => [...document.querySelectorAll(selector)].map((section) => () => begin(section));
  const kernels = () => [...document.querySelectorAll("script[type='application/wasm']")].flatMap((script) => script.textContent.split(" ").map(bytes));
  inTurn([
    ...scripts,
    () => networks.push(...networksOf(packed)),
    () => reader?.hold(networks.find(({ snapshots, vocabulary }) => snapshots.length > 1 && vocabulary === reader.vocabulary)?.snapshots ?? []),
    ...all(".sequence", (section) => beginSequence(section, packed.find(({ problems }) => problems))),
    ...all(".trainer", (section) => mountTrainer(section, training[0], kernels(), worker)),
    ...all(".sampler", (section) => beginSampler(section, networks, training[0], worker)),
    ...[...document.querySelectorAll("figure svg .curves")].map((curves) => () => mountCurves(curves.closest("svg"))),
  ]);
}

function begin(source) {
  const section = document.querySelector(".reader");
  const reader = section && mountReader(section, packedIn(section.querySelector("script")), document.querySelector(".subtitle .now"));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => beginRest(reader, source));
  else beginRest(reader, source);
}

if (globalThis.document) begin(document.currentScript.textContent);

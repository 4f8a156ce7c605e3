// The worker of the trainer: it trains a network in short turns, and between them listens to the page.
import { generator } from "../report/sampler.mjs";
import { readFile, written } from "./file.mjs";
import { bytes, network } from "./network.mjs";

const TURN = 20; // milliseconds of training, before the page is listened to
const [PRIME, DRAWN] = [100, 300]; // characters of the text that the network reads first, and that it writes
export const LONGEST = 3_000_000; // characters of a text; what is behind them is left out
export const SHORTEST = 1_000; // as in rnn/corpus.py

// a sentence for the reader, thrown
class Refusal extends Error {}

// the codes of a text, in the order of its sorted characters; the first 90 % are for training, the next 5 % held out
export function textOf(whole, vocabulary = null) {
  const all = Array.from(vocabulary ? whole : whole.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n"));
  const text = all.slice(0, LONGEST);
  if (text.length < SHORTEST) throw new Refusal(`The text has ${text.length} characters; ${SHORTEST.toLocaleString("en")} are needed, to hold some out.`);
  if (text.includes("\0")) throw new Refusal("The text has NUL characters, as a file has that is no text, or is in UTF-16: save it as UTF-8.");
  vocabulary ??= [...new Set(text)].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
  if (vocabulary.length < 2) throw new Refusal("The text has a single distinct character: there is nothing to predict.");
  const code = new Map(vocabulary.map((character, k) => [character, k]));
  const part = Math.floor(0.05 * text.length);
  return { vocabulary, codes: Uint16Array.from(text, (character) => code.get(character)), end: text.length - 2 * part, heldOut: text.length - part, all: all.length };
}

async function unpacked(base64) {
  const stream = new Blob([bytes(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await new Response(stream).arrayBuffer());
}

// W, U, V from N(0, sigma^2), or scaled to their sizes for null, b and c zero: as rnn.model.init_params, from other random numbers
export function firstWeights({ m, seed, sigma }, K) {
  const uniform = generator(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const scales = [[m * m, 2 * m], [K * m, 2 * K], [K * m, m]].map(([n, inverse]) => [n, sigma ?? 1 / Math.sqrt(inverse)]);
  return Float32Array.from([...scales.flatMap(([n, scale]) => Array.from({ length: n }, () => scale * normal())), ...Array(m + K).fill(0)]);
}

export function serve(scope) {
  let packed, kernel, report, text, settings, net, again; // what the page brought; the kernel, compiled; the report's text and this one's; the network, and how to make it anew
  let running = false;
  let points, smoothed, turn, toldAt, drawnAt, stepsThen; // since the page was last told
  const { port1, port2 } = new MessageChannel(); // a turn of the worker's own that, unlike a timer's, does not wait

  function write() {
    drawnAt = performance.now();
    const { codes, bits } = net.draw(Math.min(PRIME, text.codes.length), DRAWN, generator(1));
    scope.postMessage({ is: "text", characters: codes.map((code) => text.vocabulary[code]), bits });
  }

  function tell() {
    const now = performance.now();
    scope.postMessage({ is: "progress", step: net.step, smoothed, points, running, rate: ((net.step - stepsThen) / Math.max(now - toldAt, 1)) * 1000 });
    [points, toldAt, stepsThen] = [[], now, net.step];
  }

  function take(n) {
    const before = net.step;
    const { losses, diverged } = net.advance(n);
    losses.forEach((loss, i) => {
      const step = before + i + 1;
      smoothed = smoothed !== undefined ? packed.alpha * smoothed + (1 - packed.alpha) * loss : loss;
      if (Math.floor(100 * Math.log(step)) > Math.floor(100 * Math.log(step - 1))) points.push([step, smoothed]);
    });
    if (diverged === null) return true;
    running = false;
    tell();
    scope.postMessage({ is: "diverged", step: net.step, loss: diverged });
    return false;
  }

  function rest() {
    running = false;
    tell();
    write();
    scope.postMessage({ is: "bits", bits: net.bits(text.end, text.heldOut) });
  }

  port1.onmessage = () => {
    if (!running) return;
    const began = performance.now();
    if (!take(turn)) return;
    turn = Math.max(1, Math.round((turn * TURN) / Math.max(performance.now() - began, TURN / 4)));
    if (began - toldAt > 100) tell();
    if (began - drawnAt > 1000) write();
    port2.postMessage(null);
  };

  const orders = {
    async begin({ settings, own }) {
      const of_it = own === null ? await ofReport() : textOf(own);
      const K = of_it.vocabulary.length;
      if (of_it.end - 1 < settings.T) throw new Refusal(`T = ${settings.T} is longer than the part of the text that is for training, ${of_it.end} characters.`);
      const given = own === null && packed.weights && settings.m === packed.settings.m && settings.seed === packed.settings.seed;
      const weights = given ? new Float32Array(bytes(packed.weights).buffer) : firstWeights(settings, K);
      begin(of_it, settings, own !== null, (net) => net, weights);
    },
    async open({ file }) {
      const saved = await readFile(file).catch(() => { throw new Refusal("The file is damaged, or no network that this page has saved."); });
      const of_it = [text, await ofReport()].find((text) => text.vocabulary.join("") === saved.vocabulary.join(""));
      if (!of_it) {
        hand(saved.state, saved.settings.m, saved.vocabulary);
        throw new Refusal("The network is of a text with other characters: it is in the sampler now. To train it further, begin with its text first.");
      }
      const settings = { ...saved.settings, clip: saved.settings.clip ?? Infinity };
      begin(of_it, settings, of_it !== report, (net) => Object.assign(net, { state: saved.state }), saved.state.params);
    },
    hand: () => hand(net.state, settings.m, text.vocabulary),
    async save() {
      const file = await written(net.state, { ...settings, clip: Number.isFinite(settings.clip) ? settings.clip : null }, text.vocabulary);
      scope.postMessage({ is: "file", file, name: `network-${net.step}.safetensors.gz` });
    },
    back() {
      start(again());
      rest();
    },
    train() {
      if (running) return;
      [running, toldAt, drawnAt, stepsThen] = [true, performance.now(), performance.now(), net.step];
      tell();
      port2.postMessage(null);
    },
    pause() {
      if (running) rest();
    },
    step() {
      running = false;
      if (take(1)) rest();
    },
  };

  const ofReport = async () => (report ??= { ...textOf(await unpacked(packed.text), Array.from(packed.vocabulary)), ...(packed.end ? { end: packed.end, heldOut: packed.heldOut } : {}) });

  // begin with a new network, whose weights are given; what is wrong throws before anything is lost
  function begin(of_it, chosen, own, like, weights) {
    const anew = () => like(network(kernel, chosen, of_it.vocabulary.length, of_it.codes, of_it.end, weights));
    start(anew());
    [text, again, settings] = [of_it, anew, chosen];
    scope.postMessage({ is: "begun", settings, own, K: text.vocabulary.length, characters: text.codes.length, all: text.all });
    rest();
  }

  const hand = (state, m, vocabulary) =>
    scope.postMessage({ is: "network", vocabulary: vocabulary.join(""), m, prime: vocabulary.includes("\n") ? "\n" : vocabulary[0], snapshots: [{ step: state.step, weights: state.params }] });

  function start(made) {
    net = made;
    [running, points, smoothed, turn, toldAt, stepsThen] = [false, [], undefined, 50, performance.now(), net.step];
  }

  let before = Promise.resolve(); // one order after the other
  scope.onmessage = ({ data }) => {
    if (data.packed) ({ packed } = data);
    before = before.then(async () => {
      kernel ??= await WebAssembly.compile(packed.kernel);
      await orders[data.order](data);
    }).catch((error) => {
      const sentence = error instanceof Refusal ? error.message : `The browser could not do it: ${error.message}.`;
      scope.postMessage({ is: "refused", sentence });
    });
  };
}

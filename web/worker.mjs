// The worker of the trainer: it trains a network in short turns, and between them listens to the page.
import { readFile, written } from "./file.mjs";
import { bytes, network } from "./network.mjs";
import { generator } from "./sampler.mjs";
import { Refusal, textOf, unpacked } from "./text.mjs";

const TURN = 20; // milliseconds of training, before the page is listened to
const [PRIME, DRAWN] = [100, 300]; // characters of the text that the network reads first, and that it writes

// W, U, V from N(0, sigma^2), or scaled to their sizes for null, b and c zero: as rnn.model.init_params, from other random numbers
export function firstWeights({ m, seed, sigma }, K) {
  const uniform = generator(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const scales = [[m * m, 2 * m], [K * m, 2 * K], [K * m, m]].map(([n, inverse]) => [n, sigma ?? 1 / Math.sqrt(inverse)]);
  return Float32Array.from([...scales.flatMap(([n, scale]) => Array.from({ length: n }, () => scale * normal())), ...Array(m + K).fill(0)]);
}

export function serve(scope) {
  let packed, kernel, report; // what the page brought: all of it, the compiled kernel, the report's text
  let net, text, settings, again; // the network, what it was made of, and how to make it anew
  let running = false;
  let lap = 0; // how often training has begun: a turn of an earlier time is none
  let smoothed, points; // the loss, and those that the page has not yet
  let turn, toldAt, toldStep, drawnAt;
  const { port1, port2 } = new MessageChannel(); // to call the next turn: a timer would wait
  const tellPage = (is, more) => scope.postMessage({ is, ...more });

  function tell() {
    const now = performance.now();
    const rate = ((net.step - toldStep) / Math.max(now - toldAt, 1)) * 1000;
    tellPage("progress", { step: net.step, smoothed, points, running, rate });
    [points, toldAt, toldStep] = [[], now, net.step];
  }

  function write() {
    const { codes, bits } = net.draw(Math.min(PRIME, text.codes.length), DRAWN, generator(1));
    tellPage("text", { characters: codes.map((code) => text.vocabulary[code]), bits });
    drawnAt = performance.now();
  }

  // take n steps; returns whether all went well
  function take(n) {
    let { step } = net;
    const { losses, diverged } = net.advance(n);
    for (const loss of losses) {
      smoothed = smoothed === undefined ? loss : packed.alpha * smoothed + (1 - packed.alpha) * loss;
      const place = Math.floor(100 * Math.log(++step)); // on the log axis, where one point is enough
      if (place > Math.floor(100 * Math.log(step - 1))) points.push([step, smoothed]);
    }
    if (diverged === null) return true;
    running = false;
    tell();
    tellPage("diverged", { step: net.step, loss: diverged });
    return false;
  }

  port1.onmessage = ({ data }) => {
    if (!running || data !== lap) return;
    const began = performance.now();
    if (!take(turn)) return;
    turn = Math.max(1, Math.round((turn * TURN) / Math.max(performance.now() - began, TURN / 4)));
    if (began - toldAt > 100) tell();
    if (began - drawnAt > 1000) write();
    port2.postMessage(lap);
  };

  function rest() {
    running = false;
    tell();
    write();
    tellPage("bits", { bits: net.bits(text.end, text.heldOut) });
  }

  function start(made) {
    net = made;
    [running, points, smoothed, turn, toldAt, toldStep] = [false, [], undefined, 50, performance.now(), net.step];
  }

  // begin with new weights, or with a state that was saved; what is wrong throws before anything is lost
  function begin(of_it, chosen, weights, state = null) {
    if (of_it.end - 1 < chosen.T) {
      throw new Refusal(`T = ${chosen.T} is longer than the part of the text that is for training, ${of_it.end} characters.`);
    }
    const anew = () => {
      const made = network(kernel, chosen, of_it.vocabulary.length, of_it.codes, of_it.end, weights);
      if (state) made.state = state;
      return made;
    };
    start(anew());
    [text, again, settings] = [of_it, anew, chosen];
    tellPage("begun", { settings, own: text !== report, K: text.vocabulary.length, characters: text.codes.length, cut: text.cut });
    rest();
  }

  async function ofReport() {
    report ??= textOf(await unpacked(packed.text), Array.from(packed.vocabulary));
    if (packed.end) Object.assign(report, { end: packed.end, heldOut: packed.heldOut });
    return report;
  }

  function hand(state, { m }, vocabulary) {
    const prime = vocabulary.includes("\n") ? "\n" : vocabulary[0];
    const snapshots = [{ step: state.step, weights: state.params }];
    tellPage("network", { vocabulary: vocabulary.join(""), m, prime, snapshots });
  }

  const orders = {
    async begin({ settings, own }) {
      const of_it = own === null ? await ofReport() : textOf(own);
      const { m, seed } = packed.settings;
      const given = own === null && packed.weights && settings.m === m && settings.seed === seed;
      begin(of_it, settings, given ? new Float32Array(bytes(packed.weights).buffer) : firstWeights(settings, of_it.vocabulary.length));
    },
    back() {
      start(again());
      rest();
    },
    train() {
      if (running) return;
      [running, toldAt, toldStep, drawnAt] = [true, performance.now(), net.step, performance.now()];
      tell();
      port2.postMessage(++lap);
    },
    pause() {
      if (running) rest();
    },
    step() {
      running = false;
      if (take(1)) rest();
    },
    async save() {
      const file = await written(net.state, settings, text.vocabulary);
      tellPage("file", { file, name: `network-${net.step}.safetensors.gz` });
    },
    async open({ file }) {
      const saved = await readFile(file).catch(() => {
        throw new Refusal("The file is damaged, or no network that this page has saved.");
      });
      const of_it = [text, await ofReport()].find(({ vocabulary }) => vocabulary.join("") === saved.vocabulary.join(""));
      if (of_it) return begin(of_it, saved.settings, saved.state.params, saved.state);
      hand(saved.state, saved.settings, saved.vocabulary);
      throw new Refusal("This network's text has other characters: you can sample from it below. To train it further, begin with its text, then open it.");
    },
    hand: () => hand(net.state, settings, text.vocabulary),
  };

  let before = Promise.resolve(); // one order after the other
  scope.onmessage = ({ data }) => {
    if (data.packed) ({ packed } = data);
    before = before.then(async () => {
      kernel ??= await WebAssembly.compile(packed.kernel);
      await orders[data.order](data);
    }).catch((error) => {
      const full = error instanceof RangeError || error instanceof WebAssembly.RuntimeError;
      const why = full ? "there is not enough memory for this network and text" : error.message;
      tellPage("refused", { sentence: error instanceof Refusal ? error.message : `It cannot be done here: ${why}.` });
    });
  };
}

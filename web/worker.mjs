// The worker of the trainer: it trains a network in short turns, and between them listens to the page.
import { readFile, written } from "./file.mjs";
import { generator } from "./model.mjs";
import { Network, bytes } from "./network.mjs";
import { Refusal, checked } from "./settings.mjs";
import { textOf, unpacked } from "./text.mjs";

const TURN = 20; // milliseconds of training, before the page is listened to
const DRAWN = 300; // characters that the network writes

// W, U, V from N(0, sigma^2), or scaled to their sizes for null, b and c zero: as rnn.model.init_params, from other random numbers
function firstWeights({ m, seed, sigma }, K) {
  const uniform = generator(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const weights = new Float32Array(m * m + 2 * K * m + m + K);
  let at = 0;
  for (const [n, inverse] of [[m * m, 2 * m], [K * m, 2 * K], [K * m, m]]) {
    const scale = sigma ?? 1 / Math.sqrt(inverse);
    for (const end = at + n; at < end; at++) weights[at] = scale * normal();
  }
  return weights;
}

class Server {
  running = false;
  lap = 0; // how often something has begun: a turn from before the last start is ignored
  channel = new MessageChannel(); // to call the next turn: a timer would wait

  constructor(scope) {
    this.scope = scope;
    this.channel.port1.onmessage = ({ data }) => data.lap === this.lap && this[data.turn]();
  }

  tellPage = (is, more) => this.scope.postMessage({ is, ...more });
  callTurn = (turn) => this.channel.port2.postMessage({ turn, lap: this.lap });

  tell() {
    const now = performance.now();
    const rate = ((this.net.step - this.toldStep) / Math.max(now - this.toldAt, 1)) * 1000;
    const { smoothed, points, running } = this;
    this.tellPage("progress", { step: this.net.step, smoothed, points, running, rate });
    Object.assign(this, { points: [], toldAt: now, toldStep: this.net.step });
  }

  write() {
    const { codes, bits } = this.net.draw(DRAWN, generator(1));
    this.tellPage("text", { characters: codes.map((code) => this.text.vocabulary[code]), bits });
    this.wroteAt = performance.now();
  }

  // take n steps; returns whether all went well
  take(n) {
    let { step } = this.net;
    const { alpha } = this.packed;
    const { losses, diverged } = this.net.advance(n);
    for (const loss of losses) {
      this.smoothed = this.smoothed === undefined ? loss : alpha * this.smoothed + (1 - alpha) * loss;
      const place = Math.floor(100 * Math.log(++step)); // on the log axis, where one point is enough
      if (place > Math.floor(100 * Math.log(step - 1))) this.points.push([step, this.smoothed]);
    }
    if (diverged === null) return true;
    this.rest();
    this.tellPage("diverged", { step: this.net.step, loss: diverged });
    return false;
  }

  trainOn() {
    const began = performance.now();
    if (!this.take(this.turn)) return;
    this.turn = Math.max(1, Math.round((this.turn * TURN) / Math.max(performance.now() - began, TURN / 4)));
    if (began - this.toldAt > 100) this.tell();
    if (began - this.wroteAt > 1000) this.write();
    this.callTurn("trainOn");
  }

  // read some more of what is held out
  measureOn() {
    const began = performance.now();
    while (!this.evaluation.isDone && performance.now() - began < TURN) this.evaluation.readOn(this.some);
    this.some = Math.max(1, Math.min(4096, Math.round((this.some * TURN) / Math.max(performance.now() - began, TURN / 4))));
    const { isDone, share, bits } = this.evaluation;
    if (isDone || performance.now() - this.toldBits > 200) {
      this.tellPage("bits", { bits, share });
      this.toldBits = performance.now();
    }
    if (!isDone) this.callTurn("measureOn");
  }

  rest() {
    this.running = false;
    this.tell();
    this.write();
    Object.assign(this, { lap: this.lap + 1, some: 1, toldBits: performance.now() });
    this.evaluation = this.net.evaluation(this.text.end, this.text.heldOut);
    this.callTurn("measureOn");
  }

  start(net) {
    Object.assign(this, { net, running: false, points: [], smoothed: undefined, turn: 1, toldAt: performance.now(), toldStep: net.step });
    this.rest();
  }

  // begin with new weights, or with a state that was saved; what is wrong throws before anything is lost
  begin(text, settings, weights, state = null) {
    if (text.end - 1 < settings.T) throw new Refusal(`T = ${settings.T} is too large: only ${text.end} characters of the text are for training.`);
    const makeNetwork = () => {
      const net = new Network(this.kernel, settings, text.vocabulary.length, text.codes, text.end, weights);
      if (state) net.state = state;
      return net;
    };
    const net = makeNetwork();
    Object.assign(this, { text, makeNetwork, settings });
    this.tellPage("begun", { settings, own: text !== this.report, K: text.vocabulary.length, characters: text.codes.length, cut: text.cut });
    this.start(net);
  }

  async textOfReport() {
    this.report ??= textOf(await unpacked(this.packed.text), Array.from(this.packed.vocabulary));
    if (this.packed.end) Object.assign(this.report, { end: this.packed.end, heldOut: this.packed.heldOut });
    return this.report;
  }

  hand({ params, h, step }, { m }, vocabulary) {
    const prime = vocabulary.includes("\n") ? "\n" : vocabulary[0];
    this.tellPage("network", { vocabulary: vocabulary.join(""), m, prime, snapshots: [{ step, weights: params, h }] });
  }

  async open(file) {
    const saved = await readFile(file);
    const text = [this.text, await this.textOfReport()].find((text) => text?.vocabulary.join("") === saved.vocabulary.join(""));
    if (text) return this.begin(text, saved.settings, saved.state.params, saved.state);
    this.hand(saved.state, saved.settings, saved.vocabulary);
    throw new Refusal("This network was trained on a text with other characters. You can sample from it below. To train it further, begin with its text, then open the file again.");
  }

  async beginWith(settings, own) {
    checked(settings);
    this.lap++;
    this.net = null;
    const text = own === null ? await this.textOfReport() : textOf(own);
    const { m, seed } = this.packed.settings;
    const isGiven = own === null && this.packed.weights && settings.m === m && settings.seed === seed;
    this.begin(text, settings, isGiven ? new Float32Array(bytes(this.packed.weights).buffer) : firstWeights(settings, text.vocabulary.length));
  }

  oneStep() {
    this.running = false;
    const { step, state: { params: weights } } = this.net;
    const sequence = { ...this.net.sequence, weights, m: this.settings.m, step: step + 1, vocabulary: this.text.vocabulary.join("") };
    if (!this.take(1)) return;
    this.rest();
    this.tellPage("sequence", sequence);
  }

  train() {
    if (this.running) return;
    const now = performance.now();
    Object.assign(this, { running: true, lap: this.lap + 1, toldAt: now, toldStep: this.net.step, wroteAt: now });
    this.tell();
    this.callTurn("trainOn");
  }

  async save() {
    const file = await written(this.net.state, this.settings, this.text.vocabulary);
    this.tellPage("file", { file, name: `network-${this.net.step}.safetensors.gz` });
  }

  obey({ order, settings, own, file }) {
    if (order === "begin") return this.beginWith(settings, own);
    if (order === "open") return this.open(file);
    if (!this.net) return null; // it was refused, which has been said
    return {
      back: () => this.start(this.makeNetwork()),
      train: () => this.train(),
      pause: () => this.running && this.rest(),
      step: () => this.oneStep(),
      save: () => this.save(),
      hand: () => this.hand(this.net.state, this.settings, this.text.vocabulary),
    }[order]();
  }

  refuse(error) {
    const isFull = error instanceof RangeError || error instanceof WebAssembly.RuntimeError;
    const why = isFull ? "There is not enough memory for this network and text: choose fewer units or a shorter text." : `The trainer failed: ${error.message}.`;
    this.tellPage("refused", { sentence: error instanceof Refusal ? error.message : why, isLost: !this.net });
  }
}

export function serve(scope) {
  const server = new Server(scope);
  let before = Promise.resolve(); // one order after the other
  scope.onmessage = ({ data }) => {
    if (data.packed) server.packed = data.packed;
    before = before.then(async () => {
      server.kernel ??= await WebAssembly.compile(server.packed.kernel);
      await server.obey(data);
    }).catch((error) => server.refuse(error));
  };
}

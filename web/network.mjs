// A network in WebAssembly: what web/kernel.ts computes, with arrays instead of addresses. It runs in a worker and in Node.

// of the kernels, the fastest first, the first that runs here; undefined where none does
export const chosenKernel = (kernels) => (globalThis.WebAssembly ? kernels.find((kernel) => WebAssembly.validate(kernel)) : undefined);

const ABSURD = 1000; // as in rnn/engine/training.py: times the loss of a uniform guess
const CONTEXT = 1000; // characters before those that are evaluated, to have a state

// bytes in base64, or what a notebook sent; a copy, so that numbers in it lie where they must
export function bytes(from) {
  if (ArrayBuffer.isView(from)) return new Uint8Array(from.buffer, from.byteOffset, from.byteLength).slice();
  if (typeof from !== "string") return new Uint8Array(from).slice(); // an ArrayBuffer
  const text = atob(from);
  const array = new Uint8Array(text.length);
  for (let i = 0; i < array.length; i++) array[i] = text.charCodeAt(i);
  return array;
}

// Where the rows of W (m, m), U transposed (K, m), V (K, m), b and c begin: in a list without padding, as web.pack writes it
// in Python, and in the kernel's memory, where each row is filled up to whole vectors.
function layoutOf(m, K) {
  const inMemory = (n, least) => Math.max(Math.ceil(n / 4) * 4, least);
  const [wide, high] = [inMemory(m, 32), inMemory(K, 8)];
  const arrays = [[m, m, wide, wide], [K, m, high, wide], [K, m, high, wide], [1, m, 1, wide], [1, K, 1, high]];
  const rows = [];
  let [from, to] = [0, 0];
  for (const [n, length, nInMemory, width] of arrays) {
    for (let i = 0; i < n; i++) rows.push({ from: from + i * length, to: to + i * width, length });
    from += n * length;
    to += nInMemory * width;
  }
  return { rows, length: from, lengthInMemory: to, endOfC: to - high + K };
}

// The network that the compiled `kernel` trains on the first `end` of the `codes`, beginning with `weights`, a list as web.pack
// writes it. Settings: m, T, rate, clip, optimizer.
export class Network {
  step = 0;

  constructor(kernel, { m, T, rate, clip, optimizer }, K, codes, end, weights) {
    Object.assign(this, { m, T, K, codes, end, rate, clip: clip ?? Infinity, isAdam: optimizer === "adam" });
    this.wasm = new WebAssembly.Instance(kernel).exports;
    this.wasm.begin(m, K, T, codes.length);
    this.at(this.wasm.codes, codes.length, Uint16Array).set(codes);
    this.layout = layoutOf(m, K);
    const size = this.layout.lengthInMemory;
    const all = this.at(this.wasm.theta, 3 * size);
    this.memory = { params: all.subarray(0, size), squares: all.subarray(size, 2 * size), means: all.subarray(2 * size) };
    this.write("params", weights);
    this.memory.params.fill(-1e30, this.layout.endOfC); // the scores of characters that there are not
  }

  at = (address, n, Type = Float32Array) => new Type(this.wasm.memory.buffer, address.value, n);

  // params, squares or means, to and from a list without padding
  write(name, list) {
    for (const { from, to, length } of this.layout.rows) this.memory[name].set(list.subarray(from, from + length), to);
  }
  read(name) {
    const list = new Float32Array(this.layout.length);
    for (const { from, to, length } of this.layout.rows) list.set(this.memory[name].subarray(to, to + length), from);
    return list;
  }

  get h() {
    return this.at(this.wasm.h0, this.m);
  }

  // all that training needs to go on
  get state() {
    return { params: this.read("params"), squares: this.read("squares"), means: this.read("means"), h: this.h.slice(), step: this.step };
  }
  set state(state) {
    for (const name of ["params", "squares", "means"]) this.write(name, state[name]);
    this.h.set(state.h);
    this.step = state.step;
  }

  // where the sequence of the next step begins, and the state it begins from: an epoch begins with a state of zero
  get next() {
    const at = (this.step % Math.floor((this.end - 1) / this.T)) * this.T;
    return { at, h0: at === 0 ? new Float32Array(this.m) : this.h.slice() };
  }
  get sequence() {
    const { at, h0 } = this.next;
    const codes = Array.from(this.codes.subarray(at, at + this.T + 1));
    return { x: codes.slice(0, -1), y: codes.slice(1), h0 };
  }

  // take n steps, or the most there is room for; returns their losses in nats per sequence, and how large the next one
  // is if it is too large to be taken
  advance(n) {
    const { T, K, wasm } = this;
    const asked = Math.min(n, wasm.MOST.value);
    const taken = wasm.advance(this.step, asked, this.end, this.rate, this.clip, this.isAdam, ABSURD * T * Math.log(K));
    this.step += taken;
    const losses = this.at(wasm.losses, asked, Float64Array);
    return { losses: losses.slice(0, taken), diverged: taken < asked ? losses[taken] : null };
  }

  // read the n characters behind number `at` from a state, which moves on with them; returns their loss in nats
  readOn(h, at, n) {
    const state = this.at(this.wasm.other, this.m);
    state.set(h);
    const nats = this.wasm.evaluate(this.wasm.other.value, at, n);
    h.set(state);
    return nats;
  }

  evaluation = (begin, stop) => new Evaluation(this, begin, stop);

  // n characters with numbers of `uniform`, from the state that training carries and the character of the text that comes
  // next, as the original draws them: their codes, and how many bits each surprised by
  draw(n, uniform) {
    const { at, h0 } = this.next;
    const { wasm } = this;
    this.readOn(h0, at, 1); // its state is then where `draw` begins
    this.at(wasm.uniforms, n, Float64Array).set(Array.from({ length: n }, uniform));
    wasm.draw(wasm.other.value, n);
    const [codes, bits] = [wasm.uniforms, wasm.bits].map((address) => Array.from(this.at(address, n, Float64Array)));
    return { codes, bits };
  }
}

// The mean bits of the characters from number `begin` to `stop`, from the state that training left, as in
// report/measure/held_out.py. `readOn` reads n more of them, so that nobody need wait for a large network.
class Evaluation {
  nats = 0;

  constructor(net, begin, stop) {
    Object.assign(this, { net, begin, stop, h: net.h.slice(), first: Math.max(0, begin - CONTEXT) });
    this.at = this.first;
  }

  get share() {
    return (this.at - this.first) / (this.stop - 1 - this.first);
  }
  get isDone() {
    return this.at >= this.stop - 1;
  }
  get bits() {
    return this.nats / (this.at + 1 - this.begin) / Math.LN2;
  }

  readOn(n) {
    const isContext = this.at < this.begin - 1;
    const end = Math.min(this.at + n, (isContext ? this.begin : this.stop) - 1);
    const nats = this.net.readOn(this.h, this.at, end - this.at);
    if (!isContext) this.nats += nats;
    this.at = end;
  }
}

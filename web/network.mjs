// A network in WebAssembly: what web/kernel.ts computes, with arrays instead of addresses. It runs in a worker and in Node.

// the smallest module with a 128-bit vector in it: a browser that refuses it cannot run the kernel
const VECTOR = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
export const canTrain = () => typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(VECTOR));

const ABSURD = 1000; // as in rnn/training.py: times the loss of a network that knows nothing

export const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

// `weights` are W (m, m), U transposed (K, m), V (K, m), b, c after one another, as widget.pack writes them; the first
// `end` of the `codes` are for training. Settings: m, T, rate, clip, optimizer.
export async function network(kernel, { m, T, rate, clip, optimizer }, K, codes, end, weights) {
  const { instance } = await WebAssembly.instantiate(kernel, {});
  const wasm = instance.exports;
  wasm.begin(m, K, T, codes.length);
  const [M, MOST] = [Math.max(Math.ceil(m / 4) * 4, 16), wasm.MOST.value];
  const at = (address, n, Type) => new Type(wasm.memory.buffer, address.value, n);
  at(wasm.codes, codes.length, Uint16Array).set(codes);
  const padded = Math.ceil(K / 4) * 4;
  const theta = at(wasm.theta, M * M + 2 * padded * M + M + padded, Float32Array);

  // each row of the weights: [where it stands without the places in between, where it stands in `theta`, its length]
  const rows = [];
  let [from, to] = [0, 0];
  for (const [n, wide, inMemory, width] of [[m, m, M, M], [K, m, padded, M], [K, m, padded, M], [1, m, 1, M], [1, K, 1, padded]]) {
    for (let i = 0; i < n; i++) rows.push([from + i * wide, to + i * width, wide]);
    [from, to] = [from + n * wide, to + inMemory * width];
  }
  for (const [from, to, n] of rows) theta.set(weights.subarray(from, from + n), to);
  theta.fill(-1e30, theta.length - padded + K); // the scores of characters that there are not
  let step = 0;

  return {
    get step() {
      return step;
    },
    get weights() {
      const all = new Float32Array(from);
      for (const [from, to, n] of rows) all.set(theta.subarray(to, to + n), from);
      return all;
    },
    // take n steps, or the most there is room for; returns their losses in nats per sequence, and how large the next one
    // is if it is too large to be taken
    advance(n) {
      n = Math.min(n, MOST);
      const taken = wasm.advance(step, n, end, rate, clip, optimizer === "adam", ABSURD * T * Math.log(K));
      step += taken;
      const losses = at(wasm.losses, n, Float64Array);
      return { losses: losses.slice(0, taken), diverged: taken < n ? losses[taken] : null };
    },
    // the mean bits of the characters from number `begin` to `stop`, from the state that training left, as in rnn/measure/held_out.py
    bits(begin, stop) {
      this.state(true);
      const context = Math.max(0, begin - 1000);
      if (begin - 1 > context) wasm.evaluate(wasm.other.value, context, begin - 1 - context);
      return wasm.evaluate(wasm.other.value, begin - 1, stop - begin) / (stop - begin) / Math.LN2;
    },
    // n characters with numbers of `uniform`, after the first `prime` of the text: their codes, and how many bits each surprised by
    draw(prime, n, uniform) {
      this.state(false);
      if (prime) wasm.evaluate(wasm.other.value, 0, prime);
      at(wasm.uniforms, n, Float64Array).set(Array.from({ length: n }, uniform));
      wasm.draw(wasm.other.value, n);
      return { codes: Array.from(at(wasm.uniforms, n, Float64Array)), bits: Array.from(at(wasm.bits, n, Float64Array)) };
    },
    // begin to read at the state that training left, or at zero
    state(carried) {
      const [ours, other] = [at(wasm.h0, m, Float32Array), at(wasm.other, m, Float32Array)];
      carried ? other.set(ours) : other.fill(0);
    },
  };
}

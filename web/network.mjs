// A network in WebAssembly: what web/kernel.ts computes, with arrays instead of addresses. It runs in a worker and in Node.

// of the kernels, the fastest first, the first that runs here; undefined where none does
export const chosenKernel = (kernels) => (globalThis.WebAssembly ? kernels.find((kernel) => WebAssembly.validate(kernel)) : undefined);

const ABSURD = 1000; // as in rnn/engine/training.py: times the loss of a uniform guess

// bytes in base64, or what a notebook sent; a copy, so that numbers in it lie where they must
export function bytes(from) {
  if (ArrayBuffer.isView(from)) return new Uint8Array(from.buffer, from.byteOffset, from.byteLength).slice();
  if (typeof from !== "string") return new Uint8Array(from).slice(); // an ArrayBuffer
  const text = atob(from);
  const array = new Uint8Array(text.length);
  for (let i = 0; i < array.length; i++) array[i] = text.charCodeAt(i);
  return array;
}

// The network that the compiled `kernel` trains on the first `end` of the `codes`. `weights` are W (m, m), U transposed
// (K, m), V (K, m), b and c after one another, as widget.pack writes them. Settings: m, T, rate, clip, optimizer.
export function network(kernel, { m, T, rate, clip, optimizer }, K, codes, end, weights) {
  clip ??= Infinity;
  const wasm = new WebAssembly.Instance(kernel).exports;
  wasm.begin(m, K, T, codes.length);
  const [M, MOST] = [Math.max(Math.ceil(m / 4) * 4, 32), wasm.MOST.value];
  const at = (address, n, Type) => new Type(wasm.memory.buffer, address.value, n);
  at(wasm.codes, codes.length, Uint16Array).set(codes);
  const padded = Math.max(Math.ceil(K / 4) * 4, 8);
  const size = M * M + 2 * padded * M + M + padded;
  const all = at(wasm.theta, 3 * size, Float32Array);
  const [params, squares, means] = [0, 1, 2].map((n) => all.subarray(n * size, (n + 1) * size));

  // where each row of the weights begins in a list without padding, where in memory, and how long it is
  const rows = [];
  let [from, to] = [0, 0];
  for (const [n, wide, inMemory, width] of [[m, m, M, M], [K, m, padded, M], [K, m, padded, M], [1, m, 1, M], [1, K, 1, padded]]) {
    for (let i = 0; i < n; i++) rows.push([from + i * wide, to + i * width, wide]);
    [from, to] = [from + n * wide, to + inMemory * width];
  }
  const set = (array, list) => rows.forEach(([from, to, n]) => array.set(list.subarray(from, from + n), to));
  const got = (array) => {
    const list = new Float32Array(from);
    rows.forEach(([from, to, n]) => list.set(array.subarray(to, to + n), from));
    return list;
  };
  set(params, weights);
  params.fill(-1e30, size - padded + K); // the scores of characters that there are not
  const readFrom = (h) => at(wasm.other, m, Float32Array).set(h);
  let step = 0;

  return {
    get step() {
      return step;
    },
    // all that training needs to go on, each a list like the weights
    get state() {
      return { params: got(params), squares: got(squares), means: got(means), h: at(wasm.h0, m, Float32Array).slice(), step };
    },
    set state(state) {
      [[params, state.params], [squares, state.squares], [means, state.means]].forEach(([array, list]) => set(array, list));
      at(wasm.h0, m, Float32Array).set(state.h);
      step = state.step;
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
    // The mean bits of the characters from number `begin` to `stop`, from the state that training left, as in
    // report/measure/held_out.py: `readOn` reads n more of them, so that a large network need not be waited for.
    evaluation(begin, stop) {
      const h = at(wasm.h0, m, Float32Array).slice();
      const first = Math.max(0, begin - 1000); // of the context, whose loss does not count
      let [next, L] = [first, 0];
      return {
        get share() {
          return (next - first) / (stop - 1 - first);
        },
        get isDone() {
          return next >= stop - 1;
        },
        get bits() {
          return L / (next + 1 - begin) / Math.LN2;
        },
        readOn(n) {
          const end = Math.min(next + n, next < begin - 1 ? begin - 1 : stop - 1);
          readFrom(h);
          const nats = wasm.evaluate(wasm.other.value, next, end - next);
          h.set(at(wasm.other, m, Float32Array));
          if (next >= begin - 1) L += nats;
          next = end;
        },
      };
    },
    // n characters with numbers of `uniform`, from the state that training carries and the character of the text that comes
    // next, as the original draws them: their codes, and how many bits each surprised by
    draw(n, uniform) {
      const next = (step % Math.floor((end - 1) / T)) * T;
      readFrom(next === 0 ? new Float32Array(m) : at(wasm.h0, m, Float32Array)); // an epoch begins with a state of zero
      wasm.evaluate(wasm.other.value, next, 1);
      at(wasm.uniforms, n, Float64Array).set(Array.from({ length: n }, uniform));
      wasm.draw(wasm.other.value, n);
      return { codes: Array.from(at(wasm.uniforms, n, Float64Array)), bits: Array.from(at(wasm.bits, n, Float64Array)) };
    },
    // the sequence of the next step, and the state it begins from
    get sequence() {
      const next = (step % Math.floor((end - 1) / T)) * T;
      const some = Array.from(codes.subarray(next, next + T + 1));
      return { x: some.slice(0, -1), y: some.slice(1), h0: next === 0 ? new Float32Array(m) : at(wasm.h0, m, Float32Array).slice() };
    },
  };
}

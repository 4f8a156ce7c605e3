// The mathematics of rnn/model.py, with its letters, in the browser: what the first screen, the view of one sequence and the
// sampler compute; web/gradients.mjs goes backward. web/kernel.ts has it a second time, for a reason: that one trains, so it is
// WebAssembly in single precision and in a worker. This one is to be looked into and compared with NumPy to rounding, so it is
// in double precision, answers at once, and needs no WebAssembly.
//
// A matrix is one array, row after row. U lies transposed, (K, m): U x_t is a row of it.
import { bytes } from "./network.mjs";

const half = (word) => {
  const [exponent, fraction] = [(word >> 10) & 31, word & 1023];
  const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
  return word >> 15 ? -size : size;
};
// numbers in double precision of `n` packed ones: float16, float32 or float64, whichever so many bytes are
export function numbers(packed, n) {
  const { buffer, byteLength } = bytes(packed);
  if (byteLength === 8 * n) return new Float64Array(buffer);
  return byteLength === 2 * n ? Float64Array.from(new Uint16Array(buffer), half) : Float64Array.from(new Float32Array(buffer));
}

// weights: W (m, m), U transposed (K, m), V (K, m), b, c after one another, as `bytes` takes them
export function unpack(weights, m, K) {
  const all = numbers(weights, m * m + 2 * K * m + m + K);
  let at = 0;
  const [W, U, V, b, c] = [m * m, K * m, K * m, m, K].map((n) => all.subarray(at, (at += n)));
  return { W, U, V, b, c };
}

// y + A x. Four rows of A at a time: a processor adds to four sums in the time of one
export function plus(y, A, x) {
  const m = x.length;
  let i = 0;
  for (; i + 4 <= y.length; i += 4) {
    let [y_0, y_1, y_2, y_3] = [y[i], y[i + 1], y[i + 2], y[i + 3]];
    const [row_0, row_1, row_2, row_3] = [i * m, (i + 1) * m, (i + 2) * m, (i + 3) * m];
    for (let j = 0; j < m; j++) {
      const x_j = x[j];
      y_0 += A[row_0 + j] * x_j;
      y_1 += A[row_1 + j] * x_j;
      y_2 += A[row_2 + j] * x_j;
      y_3 += A[row_3 + j] * x_j;
    }
    [y[i], y[i + 1], y[i + 2], y[i + 3]] = [y_0, y_1, y_2, y_3];
  }
  for (; i < y.length; i++) for (let j = 0; j < m; j++) y[i] += A[i * m + j] * x[j];
  return y;
}

// y + A^T x
function plusTransposed(y, A, x) {
  for (let i = 0; i < x.length; i++) for (let j = 0, row = i * y.length; j < y.length; j++) y[j] += A[row + j] * x[i];
  return y;
}

export const product = (A, x, n = x.length) => plus(new Float64Array(n), A, x);
export const transposedProduct = (A, x, n) => plusTransposed(new Float64Array(n), A, x);

// a_t = W h_{t-1} + U x_t + b
export function activation({ W, U, b }, h, x) {
  const a = U.slice(x * b.length, (x + 1) * b.length);
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return plus(a, W, h);
}

// h_t = tanh a_t
export const read = (params, h, x) => activation(params, h, x).map(Math.tanh);

// o_t = V h_t + c
export const scores = ({ V, c }, h) => plus(c.slice(), V, h);

function scale(p) {
  let total = 0;
  for (const p_k of p) total += p_k;
  for (let k = 0; k < p.length; k++) p[k] /= total;
}

export const order = (p) => Array.from(p.keys()).sort((a, b) => p[b] - p[a]);

// p = softmax(o / temperature), then its nucleus
export function distribution(o, temperature = 1, topP = 1) {
  let largest = -Infinity;
  for (const score of o) if (score > largest) largest = score;
  const p = o.slice();
  for (let k = 0; k < p.length; k++) p[k] = Math.exp((p[k] - largest) / temperature);
  scale(p);
  if (topP < 1) {
    let total = 0;
    for (const k of order(p)) {
      if (total >= topP) p[k] = 0;
      else total += p[k];
    }
    scale(p);
  }
  return p;
}

export const nextDistribution = (params, h, temperature, topP) => distribution(scores(params, h), temperature, topP);

// uniform numbers in [0, 1) from a seed: a Weyl sequence through the finalizer of MurmurHash3
export function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}

export function draw(p, uniform) {
  let k = 0;
  let below = p[0];
  while (below <= uniform && k < p.length - 1) below += p[++k];
  while (p[k] === 0) k--; // rounding may have left the sum below `uniform`
  return k;
}

// the states h_0 .. h_T and the predictions p_1 .. p_T (the list begins with p_1) of the codes x
export function forward(params, x, h0) {
  const h = [h0];
  for (const code of x) h.push(read(params, h.at(-1), code));
  return { h, p: h.slice(1).map((h_t) => distribution(scores(params, h_t))) };
}

export const crossEntropy = (p, y) => y.reduce((L, code, t) => L - Math.log(p[t][code]), 0);

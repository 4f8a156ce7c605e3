// The mathematics of rnn/model.py, with its letters, in the browser: what the first screen, the view of one sequence and the
// sampler compute. web/kernel.ts has it a second time, for a reason: that one trains, so it is WebAssembly in single precision
// and in a worker. This one is to be looked into and compared with NumPy to rounding, so it is in double precision, answers at
// once, and needs no WebAssembly.
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
function plus(y, A, x) {
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

// A + y x^T
function plusOuter(A, y, x) {
  for (let i = 0; i < y.length; i++) for (let j = 0, row = i * x.length; j < x.length; j++) A[row + j] += y[i] * x[j];
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

const derivative = (h) => 1 - h * h;

// dL/dparams and dL/dh_0 from the h and p of `forward`, and what they are made of. Only the terms of the columns `from` on are
// summed; that of h_0 belongs to column 0. `factor` is h_t's derivative with respect to a_t, which one known mistake forgets.
export function backward({ W, V, U, b, c }, x, y, h, p, from = 0, factor = derivative) {
  const [T, m] = [x.length, b.length];
  const [dO, own, later, dh, da] = [[], [], [], [], []];
  let fromNext = new Float64Array(m);
  for (let t = T - 1; t >= 0; t--) {
    dO[t] = p[t].slice();
    dO[t][y[t]] -= 1;
    [own[t], later[t]] = [transposedProduct(V, dO[t], m), fromNext];
    dh[t] = own[t].map((d, i) => d + fromNext[i]);
    da[t] = dh[t].map((d, i) => d * factor(h[t + 1][i]));
    fromNext = transposedProduct(W, da[t], m);
  }
  const [dW, dU, dV, db, dc] = [W, U, V, b, c].map((theta) => new Float64Array(theta.length));
  for (let t = T - 1; t >= from; t--) {
    plusOuter(dW, da[t], h[t]);
    plusOuter(dV, dO[t], h[t + 1]);
    for (let i = 0; i < m; i++) {
      dU[x[t] * m + i] += da[t][i];
      db[i] += da[t][i];
    }
    for (let k = 0; k < c.length; k++) dc[k] += dO[t][k];
  }
  const dh0 = from === 0 ? fromNext : new Float64Array(m);
  return { gradient: { W: dW, U: dU, V: dV, b: db, c: dc, h0: dh0 }, dO, own, later, dh, da, states: h };
}

// the term of column t (0 is the first character) in the gradient of one number of a parameter
export function term(found, x, theta, index, t) {
  const m = found.gradient.h0.length;
  const [row, column] = [Math.floor(index / m), index % m];
  if (theta === "W") return found.da[t][row] * found.states[t][column];
  if (theta === "U") return x[t] === row ? found.da[t][column] : 0;
  if (theta === "V") return found.dO[t][row] * found.states[t + 1][column];
  if (theta === "b") return found.da[t][index];
  if (theta === "c") return found.dO[t][index];
  return t === 0 ? found.gradient.h0[index] : 0;
}

function transposed(matrix, m) {
  return matrix.map((_, at) => matrix[(at % m) * m + Math.floor(at / m)]);
}

export const norm = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

// how far two gradients are apart, as a share of the larger one: 0 where they differ by rounding alone
export function apart(found, truth) {
  const size = Math.max(norm(found), norm(truth));
  const share = size ? norm(found.map((g, i) => g - truth[i])) / size : 0;
  return share < 1e-10 ? 0 : share;
}

// the columns in which what a backward has found differs from the truth
export function wrongColumns(found, truth) {
  const differs = (a, b) => a.some((v, i) => Math.abs(v - b[i]) > 1e-10 * (Math.abs(v) + Math.abs(b[i])) + 1e-300);
  const parts = ["da", "dO", "states"];
  return truth.da.map((_, t) => parts.some((part) => differs(found[part][t], truth[part][t])));
}

// dL/dh of the last prediction's loss alone, for each of the states h: how far back it reaches
export function ofLastLoss({ W, V, b }, h, dO) {
  const dh = [];
  let dh_t = transposedProduct(V, dO, b.length);
  for (let t = h.length - 1; t >= 0; t--) {
    dh[t] = dh_t;
    dh_t = transposedProduct(W, dh_t.map((d, i) => d * derivative(h[t][i])), b.length);
  }
  return dh;
}

// the known mistakes of rnn/mistakes.py, by their names there
export const MISTAKES = {
  H0_DROPPED: (params, x, y, h, p, from) => backward(params, x, y, [new Float64Array(h[0].length), ...h.slice(1)], p, from),
  CLIPPED(params, ...rest) {
    const found = backward(params, ...rest);
    for (const name of Object.keys(params)) found.gradient[name] = found.gradient[name].map((d) => Math.min(Math.max(d, -5), 5));
    return found;
  },
  W_NOT_TRANSPOSED: (params, ...rest) => backward({ ...params, W: transposed(params.W, params.b.length) }, ...rest),
  TANH_FORGOTTEN: (params, x, y, h, p, from) => backward(params, x, y, h, p, from, () => 1),
  B_DROPPED(params, ...rest) {
    const found = backward(params, ...rest);
    found.gradient.b.fill(0);
    return found;
  },
  TARGETS_ARE_INPUTS: (params, x, y, h, p, from) => backward(params, x, x, h, p, from),
};

// one step of AdaGrad, in place; the gradient is clipped first. `squares` is empty at the beginning
export function adagrad(params, squares, gradient, rate, clip) {
  for (const [name, theta] of Object.entries(params)) {
    squares[name] ??= new Float64Array(theta.length);
    for (let i = 0; i < theta.length; i++) {
      const g = Math.min(Math.max(gradient[name][i], -clip), clip);
      squares[name][i] += g * g;
      theta[i] -= (rate * g) / Math.sqrt(squares[name][i] + 1e-8);
    }
  }
}

// the centred difference of L for one number of a parameter, or of h0: (L(theta + delta) - L(theta - delta)) / 2 delta
export function centredDifference(params, x, y, h0, name, index, delta) {
  const all = { ...params, h0 };
  const loss = (distance) => {
    const { h0: start, ...moved } = { ...all, [name]: changed(all[name], index, distance) };
    return crossEntropy(forward(moved, x, start).p, y);
  };
  return (loss(delta) - loss(-delta)) / (2 * delta);
}
function changed(theta, index, distance) {
  const copy = theta.slice();
  copy[index] += distance;
  return copy;
}

// Im L(theta + i delta) / delta of the same number. Real and imaginary parts are arrays of their own.
export function complexStep(params, x, y, h0, name, index, delta = 1e-30) {
  const [m, K] = [params.b.length, params.c.length];
  let [h, hi] = [h0, new Float64Array(m)];
  if (name === "h0") hi[index] = delta;
  // A z + what moving A[index] adds, for z = h + i hi
  const times = (A, start, size, isMoved) => {
    const [re, im] = [plus(start.slice(), A, h), product(A, hi, size)];
    if (isMoved) {
      re[Math.floor(index / m)] -= delta * hi[index % m];
      im[Math.floor(index / m)] += delta * h[index % m];
    }
    return [re, im];
  };
  let L = 0;
  x.forEach((code, t) => {
    const start = params.U.slice(code * m, (code + 1) * m).map((u, i) => u + params.b[i]);
    const [a, ai] = times(params.W, start, m, name === "W");
    if (name === "b") ai[index] += delta;
    if (name === "U" && Math.floor(index / m) === code) ai[index % m] += delta;
    [h, hi] = [new Float64Array(m), new Float64Array(m)];
    for (let i = 0; i < m; i++) { // tanh(a + i ai) = (tanh a + i tan ai) / (1 + i tanh a tan ai)
      const [u, v] = [Math.tanh(a[i]), Math.tan(ai[i])];
      const below = 1 + (u * v) ** 2;
      [h[i], hi[i]] = [(u * (1 + v * v)) / below, (v * (1 - u * u)) / below];
    }
    const [o, oi] = times(params.V, params.c, K, name === "V");
    if (name === "c") oi[index] += delta;
    const largest = Math.max(...o);
    let [re, im] = [0, 0]; // of the sum of exp o
    for (let k = 0; k < K; k++) {
      const e = Math.exp(o[k] - largest);
      re += e * Math.cos(oi[k]);
      im += e * Math.sin(oi[k]);
    }
    L += Math.atan2(im, re) - oi[y[t]];
  });
  return L / delta;
}

// How much each of the inputs read before mattered for the code y: the norm of d log p_y / d x_t, x_t one-hot (Madsen, 2019,
// calls it connectivity). `states` are those after each input, the last is the one that p = softmax(V h + c) was made from.
export function leaned(params, states, p, y) {
  const dh = ofLastLoss(params, states, p.map((p_k, k) => p_k - (k === y)));
  return dh.map((dh_t, t) => norm(product(params.U, dh_t.map((d, i) => d * derivative(states[t][i])), p.length)));
}

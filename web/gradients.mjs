// The gradients of rnn/model.py and rnn/gradcheck.py, in the browser: what the view of one sequence computes, and what a
// character that the sampler drew leaned on.
import { crossEntropy, forward, numbers, plus, product, transposedProduct, unpack } from "./model.mjs";

// A + y x^T
function plusOuter(A, y, x) {
  for (let i = 0; i < y.length; i++) for (let j = 0, row = i * x.length; j < x.length; j++) A[row + j] += y[i] * x[j];
}

const derivative = (h) => 1 - h * h; // of tanh, where it is h
export const slopes = (h) => h.map(derivative);

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

// how far two gradients are apart, as a share of the larger one: 0 where they differ by rounding alone, NaN where one is not finite
function apart(found, truth) {
  const size = Math.max(norm(found), norm(truth));
  const share = size === 0 ? 0 : norm(found.map((g, i) => g - truth[i])) / size;
  return share < 1e-10 ? 0 : share;
}

// the columns in which what a backward has found differs from the truth
function wrongColumns(found, truth) {
  const differs = (a, b) => a.some((v, i) => Math.abs(v - b[i]) > 1e-10 * (Math.abs(v) + Math.abs(b[i])) + 1e-300);
  const parts = ["da", "dO", "states"];
  return truth.da.map((_, t) => parts.some((part) => differs(found[part][t], truth[part][t])));
}

// dL/dh of the last prediction's loss alone, for each of the states h: how far back it reaches
function ofLastLoss({ W, V, b }, h, dO) {
  const dh = [];
  let dh_t = transposedProduct(V, dO, b.length);
  for (let t = h.length - 1; t >= 0; t--) {
    dh[t] = dh_t;
    dh_t = transposedProduct(W, dh_t.map((d, i) => d * derivative(h[t][i])), b.length);
  }
  return dh;
}

// the known mistakes of rnn/mistakes.py, by their names there
const MISTAKES = {
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

// A sequence, weights, and in `theirs` what a notebook's own functions have returned, if there are any, as
// report/show/sequence.py packs them.
export function problemOf({ m, weights, vocabulary, x, y, h0, theirs }) {
  const characters = Array.from(vocabulary);
  const K = characters.length;
  const returned = theirs && {
    h: theirs.h.map((h_t) => numbers(h_t, m)),
    p: theirs.p.map((p_t) => numbers(p_t, K)),
    gradient: { ...unpack(theirs.gradient, m, K), h0: numbers(theirs.dh0, m) },
    wrong: theirs.wrong,
  };
  return { characters, x, y, h0: numbers(h0, m), params: unpack(weights, m, K), theirs: returned };
}

// What there is to see of a problem: what `forward` and `backward` find, backward with a mistake or both as a notebook's own,
// and how far that is from the truth. `backwardTo` sums the terms of the columns from one on.
export function examined({ params, x, y, h0, theirs }, mistake) {
  const { h, p } = forward(params, x, h0);
  const truth = backward(params, x, y, h, p);
  const backwardTo = (from) => (MISTAKES[mistake] ?? backward)(params, x, y, h, p, from);
  const found = { h, p, ...backwardTo(0), ...theirs };
  return {
    found,
    truth,
    backwardTo,
    loss: crossEntropy(found.p, y),
    reach: ofLastLoss(params, h, truth.dO.at(-1)).map(norm),
    wrong: found.wrong ?? wrongColumns(found, truth),
    differences: Object.fromEntries(Object.entries(truth.gradient).map(([theta, d]) => [theta, apart(found.gradient[theta], d)])),
  };
}

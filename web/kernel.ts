// The mathematics of rnn/model.py once more, with its letters, for WebAssembly (AssemblyScript): steps of training, the
// loss of a text, and drawing. Four numbers of float32 go at a time.
//
// An array is an address. A row of m numbers takes `row` bytes and one of K numbers `rowK`, rounded up to whole vectors;
// the places in between hold zeros (those of c -1e30: a character that there is not), which all of this leaves as they
// are. U lies transposed, (K, m), as in rnn/engine/kernel.py.

export let theta: usize, codes: usize, losses: usize, h0: usize, other: usize, uniforms: usize, bits: usize;
let W: usize, U: usize, V: usize, b: usize, c: usize; // the parameters, one after the other from `theta` on
let size: usize; // of them all; behind them lie their squares, their means and their gradient, as large each
let h: usize, p: usize, da: usize, fromNext: usize; // (T + 1, m), (T, K), (T, m), (m,)
let K: i32, T: i32, row: usize, rowK: usize;

export const MOST = 4096; // steps, or characters to draw, in one call

// Make room for a network and a text of N codes, once for each instance; JavaScript then fills `theta` and `codes`.
export function begin(m: i32, K_: i32, T_: i32, N: i32): void {
  K = K_; T = T_;
  row = 4 * max((m + 3) & ~3, 32); // `timesTransposed` takes 32 numbers at a time, `times` eight
  rowK = 4 * max((K + 3) & ~3, 8);
  const rowsK: usize = rowK / 4 * row, rows = max(T, 4);
  size = row / 4 * row + 2 * rowsK + row + rowK;
  theta = heap.alloc(4 * size);
  W = theta; U = W + row / 4 * row; V = U + rowsK; b = V + rowsK; c = b + row;
  h = heap.alloc((rows + 1) * row); p = heap.alloc(rows * rowK); da = heap.alloc(rows * row); fromNext = heap.alloc(row);
  h0 = heap.alloc(row); other = heap.alloc(row);
  codes = heap.alloc(2 * N); losses = heap.alloc(8 * MOST); uniforms = heap.alloc(8 * MOST); bits = heap.alloc(8 * MOST);
}

@inline function all(x: f32): v128 { return f32x4.splat(x); }
@inline function add(x: v128, y: v128): v128 { return f32x4.add(x, y); }
@inline function mul(x: v128, y: v128): v128 { return f32x4.mul(x, y); }
// sum + x y, rounded once where the kernel is compiled for such processors ("relaxed SIMD", which not every browser has)
@inline function plus(sum: v128, x: v128, y: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(x, y, sum) : add(sum, mul(x, y));
}
// NaN stays NaN
@inline function within(x: v128, low: f32, high: f32): v128 { return f32x4.pmin(f32x4.pmax(x, all(low)), all(high)); }
@inline function code(at: i32): i32 { return load<u16>(codes + 2 * at); }
@inline function sumInto(to: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, add(v128.load(to + i), v128.load(from + i)));
}

// the sums of four vectors, next to each other
@inline function sums(y0: v128, y1: v128, y2: v128, y3: v128): v128 {
  const y01 = add(v128.shuffle<f32>(y0, y1, 0, 4, 1, 5), v128.shuffle<f32>(y0, y1, 2, 6, 3, 7));
  const y23 = add(v128.shuffle<f32>(y2, y3, 0, 4, 1, 5), v128.shuffle<f32>(y2, y3, 2, 6, 3, 7));
  return add(v128.shuffle<f32>(y01, y23, 0, 1, 4, 5), v128.shuffle<f32>(y01, y23, 2, 3, 6, 7));
}

// y = A x, eight rows of A at a time, the last eight overlapping those before where they must: `bytes` says how long y is
function times(y: usize, A: usize, x: usize, bytes: usize): void {
  const down = row, end = x + down;
  for (let k: usize = 0; k < bytes; k += 32) {
    const at = min(k, bytes - 32);
    let y0 = all(0), y1 = all(0), y2 = all(0), y3 = all(0), y4 = all(0), y5 = all(0), y6 = all(0), y7 = all(0);
    for (let j = x, a = A + at / 4 * down; j < end; j += 16, a += 16) {
      const of_x = v128.load(j), below = a + 4 * down;
      y0 = plus(y0, of_x, v128.load(a));
      y1 = plus(y1, of_x, v128.load(a + down));
      y2 = plus(y2, of_x, v128.load(a + 2 * down));
      y3 = plus(y3, of_x, v128.load(a + 3 * down));
      y4 = plus(y4, of_x, v128.load(below));
      y5 = plus(y5, of_x, v128.load(below + down));
      y6 = plus(y6, of_x, v128.load(below + 2 * down));
      y7 = plus(y7, of_x, v128.load(below + 3 * down));
    }
    v128.store(y + at, sums(y0, y1, y2, y3));
    v128.store(y + at, sums(y4, y5, y6, y7), 16);
  }
}

// y = A^T x for a matrix of n rows, 32 numbers at a time; the last overlap those before where they must
function timesTransposed(y: usize, A: usize, x: usize, n: i32): void {
  const down = row;
  for (let j: usize = 0; j < down; j += 128) {
    const at = min(j, down - 128);
    let y0 = all(0), y1 = all(0), y2 = all(0), y3 = all(0), y4 = all(0), y5 = all(0), y6 = all(0), y7 = all(0);
    for (let i = 0, a = A + at; i < n; i++, a += down) {
      const of_x = v128.load32_splat(x + 4 * i);
      y0 = plus(y0, of_x, v128.load(a));
      y1 = plus(y1, of_x, v128.load(a, 16));
      y2 = plus(y2, of_x, v128.load(a, 32));
      y3 = plus(y3, of_x, v128.load(a, 48));
      y4 = plus(y4, of_x, v128.load(a, 64));
      y5 = plus(y5, of_x, v128.load(a, 80));
      y6 = plus(y6, of_x, v128.load(a, 96));
      y7 = plus(y7, of_x, v128.load(a, 112));
    }
    v128.store(y + at, y0); v128.store(y + at, y1, 16); v128.store(y + at, y2, 32); v128.store(y + at, y3, 48);
    v128.store(y + at, y4, 64); v128.store(y + at, y5, 80); v128.store(y + at, y6, 96); v128.store(y + at, y7, 112);
  }
}

// C = A B for n rows of B, four rows of C and eight numbers at a time; the last overlap those before where they must.
// From a number of A to the one below it are `down` bytes, to the next one in its row `along`: both A and A^T will do.
function product(C: usize, rows: i32, A: usize, down: usize, along: usize, B: usize, n: i32): void {
  for (let r = 0; r < rows; r += 4) {
    const above: usize = min(r, rows - 4);
    for (let j: usize = 0; j < row; j += 32) {
      const left = min(j, row - 32), to = C + above * row + left;
      let c00 = all(0), c01 = all(0), c10 = all(0), c11 = all(0), c20 = all(0), c21 = all(0), c30 = all(0), c31 = all(0);
      for (let k = 0, a = A + above * down, of_B = B + left; k < n; k++, a += along, of_B += row) {
        const b0 = v128.load(of_B), b1 = v128.load(of_B, 16);
        const a0 = v128.load32_splat(a), a1 = v128.load32_splat(a + down);
        const a2 = v128.load32_splat(a + 2 * down), a3 = v128.load32_splat(a + 3 * down);
        c00 = plus(c00, a0, b0); c01 = plus(c01, a0, b1);
        c10 = plus(c10, a1, b0); c11 = plus(c11, a1, b1);
        c20 = plus(c20, a2, b0); c21 = plus(c21, a2, b1);
        c30 = plus(c30, a3, b0); c31 = plus(c31, a3, b1);
      }
      v128.store(to, c00); v128.store(to, c01, 16); v128.store(to + row, c10); v128.store(to + row, c11, 16);
      v128.store(to + 2 * row, c20); v128.store(to + 2 * row, c21, 16);
      v128.store(to + 3 * row, c30); v128.store(to + 3 * row, c31, 16);
    }
  }
}

// tanh a, as in rnn/engine/kernel.py: Lambert's fraction at a/16, then four times tanh 2x = 2 tanh x / (1 + tanh^2 x)
@inline function doubled(t: v128): v128 { return f32x4.div(add(t, t), add(all(1), mul(t, t))); }
function tanh(a: v128): v128 {
  const x = mul(within(a, -20, 20), all(1 / 16)), z = mul(x, x);
  let above = add(mul(add(z, all(990)), z), all(135135));
  above = add(mul(add(mul(above, z), all(4729725)), z), all(34459425));
  let below = add(mul(add(mul(all(45), z), all(13860)), z), all(945945));
  below = add(mul(add(mul(below, z), all(16216200)), z), all(34459425));
  return doubled(doubled(doubled(doubled(f32x4.div(mul(x, above), below)))));
}

// exp z for z from -64 to 0, as in rnn/engine/kernel.py: (exp z/64)^64, the inner one its Taylor polynomial
const RECIPROCALS: StaticArray<f32> = [1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1];
function exp(z: v128): v128 {
  const x = mul(within(z, -64, 0), all(1 / 64));
  let e = all(1 / 39916800);
  for (let n = 0; n < 11; n++) e = plus(all(unchecked(RECIPROCALS[n])), e, x);
  for (let n = 0; n < 6; n++) e = mul(e, e);
  return e;
}

// to = tanh(W from + U x + b), for the code x
function read(to: usize, from: usize, x: i32): void {
  times(to, W, from, row);
  for (let i: usize = 0; i < row; i += 16) {
    const a = add(v128.load(to + i), add(v128.load(U + x * row + i), v128.load(b + i)));
    v128.store(to + i, tanh(a));
  }
}

// o = V h + c
function scores(o: usize, h: usize): void {
  times(o, V, h, rowK);
  sumInto(o, c, rowK);
}

// o <- softmax o; returns log sum exp o. The scores of characters that there are not change neither
function softmax(o: usize): f64 {
  let most = v128.load(o), totals = all(0);
  for (let k: usize = 16; k < rowK; k += 16) most = f32x4.pmax(most, v128.load(o + k));
  const largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  for (let k: usize = 0; k < rowK; k += 16) {
    const e = exp(f32x4.sub(v128.load(o + k), all(largest)));
    totals = add(totals, e);
    v128.store(o + k, e);
  }
  const total = f32x4.extract_lane(sums(totals, totals, totals, totals), 0);
  for (let k: usize = 0; k < rowK; k += 16) v128.store(o + k, mul(v128.load(o + k), all(1 / total)));
  return largest + Math.log(total);
}

// L in nats of the n <= T characters behind number `at`, from the state in h[0]; h and p stay for `backward`
function forward(at: i32, n: i32): f64 {
  let L: f64 = 0;
  for (let t = 0; t < n; t++) {
    const o = p + t * rowK;
    read(h + (t + 1) * row, h + t * row, code(at + t));
    scores(o, h + (t + 1) * row);
    const ofNext = load<f32>(o + 4 * code(at + t + 1));
    L += softmax(o) - ofNext;
  }
  return L;
}

// dL/dtheta, not yet clipped, behind the parameters; dU must be zero where it is not touched
function backward(at: i32): void {
  const d = 3 * size, rows = max(T, 4);
  for (let t = 0; t < T; t++) { // dL/do_t = p_t - y_t, made of p in place
    const of_y = p + t * rowK + 4 * code(at + t + 1);
    store<f32>(of_y, load<f32>(of_y) - 1);
  }
  product(da, rows, p, rowK, 4, V, K); // dL/dh_t, of which dL/da_t is made in place
  memory.fill(fromNext, 0, row);
  for (let t = T - 1; t >= 0; t--) {
    const da_t = da + t * row, h_t = h + (t + 1) * row;
    for (let i: usize = 0; i < row; i += 16) {
      const h = v128.load(h_t + i), dh = add(v128.load(da_t + i), v128.load(fromNext + i));
      v128.store(da_t + i, mul(dh, f32x4.sub(all(1), mul(h, h))));
    }
    timesTransposed(fromNext, W, da_t, i32(row / 4));
  }
  product(W + d, i32(row / 4), da, 4, row, h, T);
  product(V + d, i32(rowK / 4), p, 4, rowK, h + row, T);
  memory.fill(b + d, 0, row + rowK); // db and dc
  for (let t = 0; t < T; t++) {
    sumInto(b + d, da + t * row, row);
    sumInto(c + d, p + t * rowK, rowK);
    sumInto(U + d + code(at + t) * row, da + t * row, row);
  }
}

// One step of AdaGrad, in place, for the parameters in `bytes` bytes from an address on
function adagrad(at: usize, bytes: usize, rate: f32, clip: f32): void {
  for (const end = at + bytes; at < end; at += 16) {
    const g = within(v128.load(at + 3 * size), -clip, clip), squares = add(v128.load(at + size), mul(g, g));
    v128.store(at + size, squares);
    v128.store(at, f32x4.sub(v128.load(at), f32x4.div(mul(all(rate), g), f32x4.sqrt(add(squares, all(1e-8))))));
  }
}

// what is next to nothing becomes 0 (NaN stays): with numbers smaller still a processor is a hundred times slower
@inline function settled(x: v128): v128 { return v128.andnot(x, f32x4.lt(f32x4.abs(x), all(1e-30))); }

// Step number n, from 1, of Adam, in place, for all parameters
function adam(rate: f32, clip: f32, n: f64): void {
  const unbiasedRate = all(rate / f32(1 - Math.pow(0.9, n))), unbias = all(f32(1 / Math.sqrt(1 - Math.pow(0.999, n))));
  for (let at = theta; at < theta + size; at += 16) {
    const g = within(v128.load(at + 3 * size), -clip, clip), mean = v128.load(at + 2 * size), square = v128.load(at + size);
    const means = settled(add(mean, mul(all(1 - 0.9), f32x4.sub(g, mean))));
    const squares = settled(add(square, mul(all(1 - 0.999), f32x4.sub(mul(g, g), square))));
    v128.store(at + 2 * size, means);
    v128.store(at + size, squares);
    const under = add(mul(f32x4.sqrt(squares), unbias), all(1e-8));
    v128.store(at, f32x4.sub(v128.load(at), f32x4.div(mul(unbiasedRate, means), under)));
  }
}

// Take n steps from number `step` on, in the order of training.plan, and write their losses; returns how many were
// taken: fewer if a loss is not finite or above `absurd`, whose step changes nothing.
export function advance(step: i32, n: i32, end: i32, rate: f32, clip: f32, isAdam: bool, absurd: f64): i32 {
  for (let i = 0; i < n; i++, step++) {
    const at = step % ((end - 1) / T) * T;
    if (at == 0) memory.fill(h0, 0, row);
    memory.copy(h, h0, row);
    const L = forward(at, T);
    store<f64>(losses + 8 * i, L);
    if (!(L < absurd)) return i;
    memory.copy(h0, h + T * row, row);
    backward(at);
    if (isAdam) adam(rate, clip, step + 1);
    else { // where the gradient is zero AdaGrad does nothing
      adagrad(W, U - W, rate, clip);
      adagrad(V, size - (V - W), rate, clip);
    }
    for (let t = 0; t < T; t++) {
      const of_x = U + code(at + t) * row;
      if (!isAdam) adagrad(of_x, row, rate, clip);
      memory.fill(of_x + 3 * size, 0, row); // and so a character that comes twice is updated once
    }
  }
  return n;
}

// The summed loss in nats of the n characters behind number `at`; the state, m numbers at an address, is read and changed
export function evaluate(state: usize, at: i32, n: i32): f64 {
  let L: f64 = 0;
  memory.copy(h, state, row);
  for (const end = at + n; at < end; at += T) {
    const some = min(T, end - at);
    L += forward(at, some);
    memory.copy(h, h + some * row, row);
  }
  memory.copy(state, h, row);
  return L;
}

// Draw n characters, each with one of `uniforms`; their codes go there in its place, and how surprising each was to `bits`
export function draw(state: usize, n: i32): void {
  for (let i = 0; i < n; i++) {
    scores(p, state);
    softmax(p);
    const target = load<f64>(uniforms + 8 * i);
    let k = 0, below: f64 = load<f32>(p);
    while (below <= target && k < K - 1) below += load<f32>(p + 4 * ++k);
    store<f64>(uniforms + 8 * i, k);
    store<f64>(bits + 8 * i, -Math.log2(load<f32>(p + 4 * k)));
    read(h, state, k);
    memory.copy(state, h, row);
  }
}

// A 5-gram to compare the network with: report/measure/ngrams.py once more, counted in a worker from the page's text.
import { distribution, draw, generator } from "./model.mjs";
import { textOf, unpacked } from "./text.mjs";

const LONGEST_GRAM = 5;

// the place in ascending numbers of the first that is not below `sought`
function placeOf(ascending, sought) {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < sought) low = middle + 1;
    else high = middle;
  }
  return low;
}

// what is subtracted from a count of 0, 1, 2 and of 3 or more
function discounts(counts) {
  const [ones, twos, threes, fours] = [1, 2, 3, 4].map((n) => counts.reduce((sum, count) => sum + (count === n), 0));
  const y = ones / (ones + 2 * twos);
  const off = [0, 1 - (2 * y * twos) / ones, 2 - (3 * y * threes) / twos, 3 - (4 * y * fours) / threes];
  return Math.min(ones, twos, threes) && Math.min(...off.slice(1)) > 0 ? off : [0, 0.5, 1, 1.5];
}

// p of the next character after the last of some codes, by interpolated modified Kneser-Ney on the n-grams of `codes`
export function kneserNey(codes, K, longest = LONGEST_GRAM) {
  const tables = [];
  let at = new Int32Array(codes.length + 1); // the number of the n-gram that begins at a place
  for (let n = 1; n <= Math.min(longest, codes.length); n++) {
    const shorter = at;
    const all = Float64Array.from({ length: codes.length - n + 1 }, (_, i) => shorter[i] * K + codes[i + n - 1]);
    const keys = all.slice().sort();
    let different = 0;
    for (let i = 0; i < keys.length; i++) if (i === 0 || keys[i] !== keys[different - 1]) keys[different++] = keys[i];
    const table = { keys: keys.slice(0, different), counts: new Int32Array(different), endings: new Int32Array(different) };
    at = Int32Array.from(all, (key) => placeOf(table.keys, key));
    at.forEach((number, i) => {
      table.counts[number]++;
      table.endings[number] = shorter[i + 1];
    });
    tables.push(table);
  }
  tables.forEach((table, n) => {
    table.own = table.counts;
    if (n + 1 < tables.length) { // below longer ones: after how many different characters
      table.own = new Int32Array(table.counts.length);
      for (const ending of tables[n + 1].endings) table.own[ending]++;
    }
    table.off = discounts(table.own);
  });
  return (before) => {
    const p = new Float64Array(K).fill(1 / K);
    for (let n = 0; n < tables.length && n <= before.length; n++) {
      let context = 0;
      for (let i = before.length - n, length = 0; i < before.length && context >= 0; i++, length++) {
        const { keys } = tables[length];
        const place = placeOf(keys, context * K + before[i]);
        context = keys[place] === context * K + before[i] ? place : -1;
      }
      if (context < 0) break; // and so is every longer one
      const { keys, own, off } = tables[n];
      const [begin, end] = [placeOf(keys, context * K), placeOf(keys, (context + 1) * K)];
      let [total, rest] = [0, 0];
      for (let i = begin; i < end; i++) {
        total += own[i];
        rest += off[Math.min(own[i], 3)];
      }
      if (total === 0) continue;
      for (let k = 0; k < K; k++) p[k] *= rest / total;
      for (let i = begin; i < end; i++) p[keys[i] - context * K] += (own[i] - off[Math.min(own[i], 3)]) / total;
    }
    return p;
  };
}

// in the worker: first a text, then settings to draw with
export function serveCounts(scope) {
  let vocabulary, codeOf, next;
  let before = Promise.resolve();
  async function answer({ text, order }) {
    if (text) {
      vocabulary = Array.from(text.vocabulary);
      codeOf = new Map(vocabulary.map((character, code) => [character, code]));
      const { codes, end } = textOf(await unpacked(text.text), vocabulary);
      next = kneserNey(codes.subarray(0, text.end ?? end), vocabulary.length);
      return;
    }
    const { number, prime, length, seed, temperature, top_p } = order;
    const read = Array.from(prime, (character) => codeOf.get(character));
    const uniform = generator(seed);
    const bits = [];
    for (let i = 0; i < length; i++) {
      const p = next(read.slice(1 - LONGEST_GRAM));
      const code = draw(distribution(p.map(Math.log), temperature, top_p), uniform());
      bits.push(-Math.log2(p[code]));
      read.push(code);
    }
    scope.postMessage({ number, bits, characters: read.slice(-length).map((code) => vocabulary[code]) });
  }
  scope.onmessage = ({ data }) => (before = before.then(() => answer(data)));
}

// in the page: what `mountSampler` takes as `counts`; the worker begins when it is first asked
export function countsOf(text, begin) {
  const waiting = new Map();
  let worker = null;
  return {
    vocabulary: text.vocabulary,
    draw(settings) {
      if (!worker) {
        worker = begin("counts");
        worker.onmessage = ({ data }) => waiting.get(data.number)(data);
        worker.postMessage({ text });
      }
      const number = waiting.size;
      worker.postMessage({ order: { number, ...settings } });
      return new Promise((resolve) => waiting.set(number, resolve));
    },
  };
}

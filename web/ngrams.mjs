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

// the n-grams of some codes in ascending order, as numbers: the place of the (n-1)-gram before the last code, and that code.
// `shorter` has the place of the (n-1)-gram that begins at each code. Counts are of occurrences; `endings` are the places of
// the (n-1)-grams without the first code.
function countsOfLength(n, codes, K, shorter) {
  const all = Float64Array.from({ length: codes.length - n + 1 }, (_, i) => shorter[i] * K + codes[i + n - 1]);
  const keys = all.slice().sort().filter((key, i, sorted) => i === 0 || key !== sorted[i - 1]);
  const places = Int32Array.from(all, (key) => placeOf(keys, key));
  const [counts, endings] = [new Int32Array(keys.length), new Int32Array(keys.length)];
  places.forEach((place, i) => {
    counts[place]++;
    endings[place] = shorter[i + 1];
  });
  return { keys, counts, endings, places };
}

// a table for each length of n-gram: its keys, their counts `own` and what is subtracted from them
function tablesOf(codes, K, longest) {
  const tables = [];
  let shorter = new Int32Array(codes.length + 1);
  for (let n = 1; n <= Math.min(longest, codes.length); n++) {
    tables.push(countsOfLength(n, codes, K, shorter));
    shorter = tables.at(-1).places;
  }
  return tables.map(({ keys, counts }, n) => {
    let own = counts;
    if (n + 1 < tables.length) { // below longer ones: after how many different characters
      own = new Int32Array(counts.length);
      for (const ending of tables[n + 1].endings) own[ending]++;
    }
    return { keys, own, off: discounts(own) };
  });
}

// the place of a context among the n-grams of its length, or -1 where the text does not have it
function placeOfContext(tables, K, context) {
  let place = 0;
  for (const [n, code] of context.entries()) {
    const { keys } = tables[n];
    const key = place * K + code;
    place = placeOf(keys, key);
    if (keys[place] !== key) return -1;
  }
  return place;
}

// p of the next character after the last of some codes, by interpolated modified Kneser-Ney on the n-grams of `codes`
export function kneserNey(codes, K, longest = LONGEST_GRAM) {
  const tables = tablesOf(codes, K, longest);
  return (before) => {
    const p = new Float64Array(K).fill(1 / K);
    for (let n = 0; n < tables.length && n <= before.length; n++) {
      const context = placeOfContext(tables, K, before.slice(before.length - n));
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

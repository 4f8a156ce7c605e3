// A network as a file: safetensors inside gzip, whose checksum finds damage, with the names and shapes of rnn/engine/runs.py,
// which reads it. The header describes the network.
import { Refusal, checked, complaint } from "./settings.mjs";

const THETAS = ["W", "U", "V", "b", "c"];
const KINDS = ["params", "squares", "means"];
const shapesOf = (m, K) => ({ W: [m, m], U: [m, K], V: [K, m], b: [m], c: [K] });

// the transposed of a matrix with `wide` numbers in a row
function transposed(matrix, wide) {
  const high = matrix.length / wide;
  return matrix.map((_, i) => matrix[(i % high) * wide + Math.floor(i / high)]);
}

const through = async (data, stream) => new Uint8Array(await new Response(new Blob([data]).stream().pipeThrough(stream)).arrayBuffer());

// the file, of a network's state as web/network.mjs gives it
export async function written({ params, squares, means, h, step }, settings, vocabulary) {
  const [m, K] = [settings.m, vocabulary.length];
  const about = { settings, vocabulary: vocabulary.join(""), step };
  const header = { __metadata__: { about: JSON.stringify(about) } };
  const parts = [];
  let end = 0;
  const add = (name, dtype, shape, array) => {
    header[name] = { dtype, shape, data_offsets: [end, (end += array.byteLength)] };
    parts.push(array);
  };
  add("updates", "I64", [1], BigInt64Array.of(BigInt(step))); // first, because it takes eight bytes
  for (const [kind, flat] of Object.entries({ params, squares, means })) {
    let at = 0;
    for (const [theta, shape] of Object.entries(shapesOf(m, K))) {
      const array = flat.slice(at, (at += shape.reduce((a, b) => a * b)));
      add(`${kind}.${theta}`, "F32", shape, theta === "U" ? transposed(array, m) : array);
    }
  }
  add("h", "F32", [1, m], h);
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(32);
  padded.set(text);
  return through(new Blob([BigInt64Array.of(BigInt(padded.length)), padded, ...parts]), new CompressionStream("gzip"));
}

const DAMAGED = "The file is damaged, or is not a network that this page has saved.";

// what `written` was given; throws a Refusal where the file is damaged or something else, or has settings that cannot be
export async function readFile(file) {
  const saved = await parsed(file).catch((error) => {
    throw error instanceof Refusal ? error : new Refusal(DAMAGED);
  });
  const sentence = complaint("step", saved.state.step);
  if (sentence) throw new Refusal(sentence);
  return saved;
}

async function parsed(file) {
  const bytes = await through(file, new DecompressionStream("gzip"));
  const begin = 8 + Number(new BigInt64Array(bytes.buffer, 0, 1)[0]);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, begin)));
  const { settings, vocabulary: characters, step } = JSON.parse(header.__metadata__.about);
  const vocabulary = Array.from(characters);
  const [m, K] = [settings.m, vocabulary.length];
  if (K < 2 || new Set(vocabulary).size < K) throw new Error("its vocabulary is none");
  checked(settings); // before anything is made of these sizes
  const array = (name, shape) => {
    const { dtype, data_offsets: [from, to] } = header[name];
    const n = shape.reduce((a, b) => a * b);
    const numbers = new Float32Array(bytes.buffer, begin + from, n);
    if (dtype !== "F32" || to - from !== 4 * n || !numbers.every(Number.isFinite)) throw new Error(`${name} is another`);
    return numbers;
  };
  const flat = (kind) => {
    const parts = THETAS.map((theta) => [theta, array(`${kind}.${theta}`, shapesOf(m, K)[theta])]);
    const list = new Float32Array(parts.reduce((n, [, part]) => n + part.length, 0));
    parts.reduce((at, [theta, part]) => (list.set(theta === "U" ? transposed(part, K) : part, at), at + part.length), 0);
    return list;
  };
  const [params, squares, means] = KINDS.map(flat);
  return { state: { params, squares, means, h: array("h", [1, m]), step }, settings, vocabulary };
}

// A text in a worker: the reader's or the report's.
import { bytes } from "./network.mjs";
import { Refusal } from "./settings.mjs";

export const LONGEST = 3_000_000; // characters of a text; what is behind them is left out
const SHORTEST = 1_000; // as in rnn/corpus.py
const MOST_DISTINCT = 65_535; // a code has sixteen bits

// a text, its sorted characters and its codes; the first 90% are for training, the next 5% are held out
export function textOf(whole, vocabulary = null) {
  if (!vocabulary) whole = whole.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n"); // the report's is clean
  const characters = Array.from(whole.slice(0, 2 * LONGEST)); // a character has one place or two
  const [text, cut] = [characters.slice(0, LONGEST), characters.length > LONGEST];
  const N = text.length;
  if (N < SHORTEST) throw new Refusal(`The text has ${N} characters; ${SHORTEST.toLocaleString("en")} are needed, to hold some out.`);
  if (text.includes("\0")) throw new Refusal("The text has NUL characters, as a file has that is no text, or is in UTF-16: save it as UTF-8.");
  vocabulary ??= [...new Set(text)].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
  if (vocabulary.length < 2) throw new Refusal("The text has a single distinct character: there is nothing to predict.");
  if (vocabulary.length > MOST_DISTINCT) throw new Refusal(`The text has ${vocabulary.length.toLocaleString("en")} distinct characters; the trainer takes ${MOST_DISTINCT.toLocaleString("en")} at most.`);
  const code = new Map(vocabulary.map((character, k) => [character, k]));
  const part = Math.floor(0.05 * N);
  return { vocabulary, codes: Uint16Array.from(text, (character) => code.get(character)), end: N - 2 * part, heldOut: N - part, cut };
}

// a text that is compressed, as `bytes` takes it
export async function unpacked(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await new Response(stream).arrayBuffer());
}

// What web/ngrams.mjs computes, for tests/test_page_sampler.py: a question on standard input, the answer on standard output.
import { readFileSync } from "node:fs";
import { kneserNey } from "../web/ngrams.mjs";

const { codes, K, longest, read } = JSON.parse(readFileSync(0, "utf8"));
const next = kneserNey(Uint16Array.from(codes), K, longest);
const all = read.map((_, i) => next(read.slice(Math.max(0, i - longest + 1), i)));
const total = all.map((p) => p.reduce((a, b) => a + b));
process.stdout.write(JSON.stringify({ p: all.map((p, i) => p[read[i]]), total }));

// What report/sampler.mjs computes, for tests/test_page_sampler.py: a question on standard input, the answer on standard output.
import { readFileSync } from "node:fs";
import { draw, generator, nextDistribution, read, unpack } from "../report/sampler.mjs";

const { packed, m, K, codes, temperature, topP, seed, length } = JSON.parse(readFileSync(0, "utf8"));
const params = unpack(packed, m, K);
let h = new Float64Array(m);
const p = codes.map((code) => {
  h = read(params, h, code);
  return Array.from(nextDistribution(params, h, temperature, topP));
});
const uniform = generator(seed);
const uniforms = Array.from({ length }, uniform);
const drawn = uniforms.map((u) => draw(Float64Array.from(p[0]), u));
process.stdout.write(JSON.stringify({ p, uniforms, drawn }));

// What web/sampler.mjs computes, for tests/test_page_sampler.py: a question on standard input, the answer on standard output.
import { readFileSync } from "node:fs";
import { leaned } from "../web/gradients.mjs";
import { draw, generator, nextDistribution, read, unpack } from "../web/model.mjs";

const { packed, m, K, codes, temperature, topP, seed, length } = JSON.parse(readFileSync(0, "utf8"));
const params = unpack(packed, m, K);
let h = new Float64Array(m);
const states = [];
const p = codes.map((code) => {
  h = read(params, h, code);
  states.push(h);
  return Array.from(nextDistribution(params, h, temperature, topP));
});
const uniform = generator(seed);
const uniforms = Array.from({ length }, uniform);
const drawn = uniforms.map((u) => draw(Float64Array.from(p[0]), u));
const norms = leaned(params, states.slice(0, -1), Float64Array.from(p.at(-2) ?? p[0]), codes.at(-1));
process.stdout.write(JSON.stringify({ p, uniforms, drawn, norms }));

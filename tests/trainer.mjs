// What web/kernel.ts computes, for tests/test_page_trainer.py: node trainer.mjs KERNEL, questions on standard input, the answers on standard output.
import { readFileSync } from "node:fs";
import { bytes, network } from "../web/network.mjs";

const kernel = readFileSync(process.argv[2]);
const answers = [];
for (const { settings, K, codes, end, weights, steps, part, prime, uniforms } of JSON.parse(readFileSync(0, "utf8"))) {
  const net = await network(kernel, settings, K, Uint16Array.from(codes), end, new Float32Array(bytes(weights).buffer));
  const losses = Array.from(net.advance(steps));
  const bits = part && net.bits(...part);
  const drawn = uniforms && net.draw(prime, uniforms.length, uniforms[Symbol.iterator]().next.bind(uniforms[Symbol.iterator]()));
  answers.push({ losses, step: net.step, bits, drawn, weights: Buffer.from(net.weights.buffer).toString("base64") });
}
process.stdout.write(JSON.stringify(answers));

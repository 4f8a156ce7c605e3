// What web/kernel.ts computes, for tests/test_page_trainer.py: node trainer.mjs KERNEL, with questions on standard input, the answers on standard output.
import { readFileSync } from "node:fs";
import { Network, bytes } from "../web/network.mjs";

const kernel = new WebAssembly.Module(readFileSync(process.argv[2]));
const answers = [];
for (const { settings, K, codes, end, weights, steps, heldOut, uniforms } of JSON.parse(readFileSync(0, "utf8"))) {
  const net = new Network(kernel, settings, K, Uint16Array.from(codes), end, new Float32Array(bytes(weights).buffer));
  const { losses, diverged } = net.advance(steps);
  const answer = { losses: Array.from(losses), diverged: Number.isNaN(diverged) ? "nan" : diverged, step: net.step, weights: Buffer.from(net.state.params.buffer).toString("base64") };
  if (heldOut) {
    const evaluation = net.evaluation(end, heldOut);
    while (!evaluation.isDone) evaluation.readOn(37);
    answer.bits = evaluation.bits;
  }
  if (uniforms) answer.drawn = net.draw(uniforms.length, () => uniforms.shift());
  answers.push(answer);
}
process.stdout.write(JSON.stringify(answers));

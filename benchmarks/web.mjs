// The page’s kernel in Node, for benchmarks/baselines.py: node web.mjs KERNEL. A question is a line of JSON, the
// answer a line with the losses, float64 in base64.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Network, bytes } from "../web/network.mjs";

const kernel = new WebAssembly.Module(readFileSync(process.argv[2]));
let text;
for await (const line of createInterface({ input: process.stdin })) {
  const { settings, K, weights, steps, codes } = JSON.parse(line);
  if (codes) text = Uint16Array.from(codes);
  const net = new Network(kernel, settings, K, text, text.length, new Float32Array(bytes(weights).buffer));
  const losses = new Float64Array(steps);
  for (let at = 0; at < steps; at = net.step) losses.set(net.advance(steps - at).losses, at);
  console.log(Buffer.from(losses.buffer).toString("base64"));
}

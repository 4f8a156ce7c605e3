// What web/gradients.mjs computes of one sequence, for tests/test_page_sequence.py: questions on standard input, the answers on standard output.
import { readFileSync } from "node:fs";
import { adagrad, backward, centredDifference, complexStep, examined, problemOf } from "../web/gradients.mjs";
import { forward } from "../web/model.mjs";

const plain = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ mistake, places, steps, ...packed }) => {
  const problem = problemOf(packed);
  const { params, x, y, h0 } = problem;
  const { found, loss, wrong, differences, backwardTo } = examined(problem, mistake);
  const answer = { h: found.h.map(plain), p: found.p.map(plain), loss, columns: wrong, differences };
  answer.gradient = Object.fromEntries(Object.entries(found.gradient).map(([name, d]) => [name, plain(d)]));
  answer.half = Object.fromEntries(Object.entries(backwardTo(Math.floor(x.length / 2)).gradient).map(([name, d]) => [name, plain(d)]));
  answer.numerical = places.map(([name, index]) => [complexStep(params, x, y, h0, name, index), centredDifference(params, x, y, h0, name, index, 1e-5)]);
  const squares = {};
  for (let n = 0; n < steps; n++) {
    const now = forward(params, x, h0);
    adagrad(params, squares, backward(params, x, y, now.h, now.p).gradient, 0.1, 5);
  }
  answer.updated = Object.fromEntries(Object.entries(params).map(([name, theta]) => [name, plain(theta)]));
  return answer;
});
process.stdout.write(JSON.stringify(answers));

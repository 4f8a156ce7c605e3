// The trainer's picture: smoothed losses over the training steps.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 240; // pixels

// a round distance between the labels of an axis up to `most`
function distanceOf(most) {
  const size = 10 ** Math.floor(Math.log10(most));
  return most < 3 * size ? size / 2 : most < 6 * size ? size : 2 * size;
}

// Draw curves, each [[step, loss]] with what it is called: steps on a log axis, losses from 0 to above all that is shown.
export function drawLosses(svg, curves, guess) {
  const width = svg.clientWidth || 640;
  const [left, right, top, bottom] = [42, width - 8, 24, HEIGHT - 38];
  const shown = curves.filter(({ points }) => points.length);
  const last = shown.reduce((most, { points }) => Math.max(most, points.at(-1)[0]), 1000);
  const most = 1.12 * shown.reduce((most, { points }) => points.reduce((most, [, loss]) => Math.max(most, loss), most), guess);
  const x = (step) => left + ((right - left) * Math.log10(step)) / Math.log10(last);
  const y = (loss) => bottom - ((bottom - top) * loss) / most;
  const add = (name, attributes, text = "") => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    svg.append(element);
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren();
  add("path", { d: `M${left},${top}V${bottom}H${right}` });
  add("text", { x: 0, y: 12 }, "smoothed loss, nats per sequence");
  const between = distanceOf(most / 1.12);
  for (let n = 0; n * between <= most / 1.12; n++) add("text", { x: left - 6, y: y(n * between) + 4, "text-anchor": "end" }, (+(n * between).toPrecision(3)).toLocaleString("en"));
  for (let step = 1; step <= last; step *= 10) {
    const anchor = step === 1 ? "start" : x(step) > right - 20 ? "end" : "middle";
    add("text", { x: x(step), y: bottom + 16, "text-anchor": anchor }, step.toLocaleString("en"));
  }
  add("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, "training step");
  add("path", { class: "guess", d: `M${left},${y(guess)}H${right}` });
  add("text", { x: right, y: y(guess) - 5, "text-anchor": "end" }, `uniform guess: T ln K = ${guess.toFixed(1)}`);
  // the curves begin at a uniform guess: where that is low, the upper corner is free
  const legend = guess < most / 2 ? top + 8 : bottom + 2 - 18 * shown.length;
  shown.forEach(({ kind, name, points }, n) => {
    add("path", { class: kind, d: `M${points.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join("L")}` });
    add("path", { class: kind, d: `M${left + 12},${legend + 18 * n}h22` });
    add("text", { x: left + 40, y: legend + 4 + 18 * n }, name);
  });
}

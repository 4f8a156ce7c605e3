// The values of a figure's curves, under the pointer and by the arrow keys. report/show/outputs.py has left them in the SVG.

const KEY_STEPS = 100; // from one end of a panel to the other

// where a number lies between the ends of an axis, from 0 to 1, and the number at a place
const scaled = ({ log }, x) => (log ? Math.log10(x) : x);
const shareOf = (axis, x) => (scaled(axis, x) - scaled(axis, axis.from)) / (scaled(axis, axis.to) - scaled(axis, axis.from));
const valueAt = (axis, share) => {
  const value = scaled(axis, axis.from) + share * (scaled(axis, axis.to) - scaled(axis, axis.from));
  return axis.log ? 10 ** value : value;
};

// a number as one writes it, with four digits that count
export function inWords(x) {
  if (x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e9)) return x.toExponential(2);
  return Number.isInteger(x) || Math.abs(x) >= 1e4 ? Math.round(x).toLocaleString("en") : x.toPrecision(4);
}

// the value of each curve at x, {name: value}: that of the nearest point; none where the curve does not reach
export function valuesAt({ x: axis, curves }, x) {
  const values = {};
  for (const { name, x: xs, y: ys } of curves) {
    const apart = xs.map((each) => Math.abs(shareOf(axis, each) - shareOf(axis, x)));
    const nearest = apart.indexOf(Math.min(...apart));
    if (apart[nearest] <= 0.03) values[name] = { x: xs[nearest], y: ys[nearest] };
  }
  return values;
}

export function mountCurves(svg) {
  const panels = JSON.parse(svg.querySelector(".curves").textContent);
  const figure = svg.closest("figure");
  const reading = figure.querySelector(".values");
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "path");
  mark.setAttribute("class", "mark");
  svg.append(mark);
  const hint = reading.textContent;
  let place = 0; // in KEY_STEPS, through all panels

  function show(panel, share) {
    const { box: [left, top, right, bottom], x: axis } = panel;
    const x = valueAt(axis, share);
    const values = Object.entries(valuesAt(panel, x));
    const { width, height } = svg.viewBox.baseVal;
    mark.setAttribute("d", `M${(left + share * (right - left)) * width},${top * height}V${bottom * height}`);
    const at = values[0]?.[1].x ?? x;
    const sentence = `${axis.name} ${inWords(at)} · ${values.map(([name, { y }]) => `${name}: ${inWords(y)}`).join(" · ") || "no curve is here"}`;
    reading.textContent = sentence;
    svg.setAttribute("aria-valuetext", sentence);
    svg.setAttribute("aria-valuenow", place);
  }

  function hide() {
    mark.removeAttribute("d");
    reading.textContent = hint;
  }

  function point(event) {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    const n = panels.findIndex(({ box }) => box[0] <= x && x <= box[2] && box[1] - 0.05 <= y && y <= box[3] + 0.05);
    if (n < 0) return hide();
    const share = (x - panels[n].box[0]) / (panels[n].box[2] - panels[n].box[0]);
    place = n * (KEY_STEPS + 1) + Math.round(share * KEY_STEPS);
    show(panels[n], share);
  }

  function move(event) {
    const last = panels.length * (KEY_STEPS + 1) - 1;
    const to = { ArrowLeft: place - 1, ArrowDown: place - 1, ArrowRight: place + 1, ArrowUp: place + 1, PageDown: place - 10, PageUp: place + 10, Home: 0, End: last }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    place = Math.max(0, Math.min(to, last));
    const panel = panels[Math.floor(place / (KEY_STEPS + 1))];
    const ends = panel.curves.flatMap(({ x }) => [x[0], x.at(-1)]).map((x) => shareOf(panel.x, x)); // keys go where curves are
    const [from, until] = [Math.max(0, Math.min(...ends)), Math.min(1, Math.max(...ends))];
    show(panel, from + ((until - from) * (place % (KEY_STEPS + 1))) / KEY_STEPS);
  }

  const about = { role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": panels.length * (KEY_STEPS + 1) - 1, "aria-valuenow": 0, "aria-valuetext": hint };
  for (const [name, value] of Object.entries(about)) svg.setAttribute(name, value);
  for (const kind of ["pointermove", "pointerdown"]) svg.addEventListener(kind, point);
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  svg.addEventListener("keydown", move);
  svg.addEventListener("blur", hide);
}

// The values of a figure's curves, under the pointer and by the arrow keys. report/show/outputs.py has left them in the SVG.
import { inDigits } from "./digits.mjs";
import { onKeys, tell, write } from "./elements.mjs";

const KEY_STEPS = 100; // from one end of a panel to the other
const MARGIN = 0.03; // of a panel, beside the end of a curve
const NEAR = 0.005; // of a panel: points nearer than that are at one place

// where a number lies between the ends of an axis, from 0 to 1, and the number at a place
const scaled = ({ log }, x) => (log ? Math.log10(x) : x);
const shareOf = (axis, x) => (scaled(axis, x) - scaled(axis, axis.from)) / (scaled(axis, axis.to) - scaled(axis, axis.from));
const valueAt = (axis, share) => {
  const value = scaled(axis, axis.from) + share * (scaled(axis, axis.to) - scaled(axis, axis.from));
  return axis.log ? 10 ** value : value;
};

// the point of each curve that is nearest to x: [{name, x, y}]; none where the curve does not reach
function nearestTo(x, { x: axis, curves }) {
  const place = shareOf(axis, x);
  return curves.flatMap(({ name, x: xs, y: ys }) => {
    const shares = xs.map((point) => shareOf(axis, point));
    if (place < Math.min(...shares) - MARGIN || place > Math.max(...shares) + MARGIN) return [];
    const apart = shares.map((share) => Math.abs(share - place));
    const n = apart.indexOf(Math.min(...apart));
    return [{ name, x: xs[n], y: ys[n] }];
  });
}

class Curves {
  place = 0; // in KEY_STEPS, through all panels

  constructor(svg) {
    this.svg = svg;
    this.panels = JSON.parse(svg.querySelector(".curves").textContent);
    this.reading = svg.closest("figure").querySelector(".values");
    this.hint = this.reading.textContent;
    this.last = this.panels.length * (KEY_STEPS + 1) - 1;
    this.mark = document.createElementNS("http://www.w3.org/2000/svg", "path");
    this.mark.setAttribute("class", "mark");
    svg.append(this.mark);
    svg.setAttribute("role", "slider");
    svg.setAttribute("tabindex", 0);
    tell(svg, { min: 0, max: this.last, now: 0, text: this.hint });
  }

  // the values at a share of a panel's axis
  show(panel, share) {
    const { box: [left, top, right, bottom], x: axis } = panel;
    const x = valueAt(axis, share);
    const points = nearestTo(x, panel);
    const at = points[0]?.x ?? x;
    const isFar = (point) => Math.abs(shareOf(axis, point.x) - shareOf(axis, at)) > NEAR;
    const { width, height } = this.svg.viewBox.baseVal;
    this.mark.setAttribute("d", `M${(left + share * (right - left)) * width},${top * height}V${bottom * height}`);
    const told = points.map((point) => `${point.name}${isFar(point) ? ` at ${inDigits(point.x, 4)}` : ""}: ${inDigits(point.y, 4)}`);
    const sentence = `${axis.name} ${inDigits(at, 4)} · ${told.join(" · ") || "no curve is here"}`;
    write(this.reading, sentence);
    tell(this.svg, { now: this.place, text: sentence });
  }

  hide() {
    this.mark.removeAttribute("d");
    this.reading.textContent = this.hint;
  }

  point(event) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    const n = this.panels.findIndex(({ box }) => box[0] <= x && x <= box[2] && box[1] - 0.05 <= y && y <= box[3] + 0.05);
    if (n < 0) return this.hide();
    const { box } = this.panels[n];
    const share = (x - box[0]) / (box[2] - box[0]);
    this.place = n * (KEY_STEPS + 1) + Math.round(share * KEY_STEPS);
    this.show(this.panels[n], share);
  }

  // an arrow key goes to the next place that has other values
  move(by) {
    const before = this.reading.textContent;
    do this.goTo(Math.max(0, Math.min(this.place + by, this.last)));
    while (Math.abs(by) === 1 && this.reading.textContent === before && this.place > 0 && this.place < this.last);
  }

  // places go from one end of a panel's curves to the other, then to the next panel
  goTo(place) {
    this.place = place;
    const panel = this.panels[Math.floor(this.place / (KEY_STEPS + 1))];
    const ends = panel.curves.flatMap(({ x }) => [x[0], x.at(-1)]).map((x) => shareOf(panel.x, x));
    const [from, to] = [Math.max(0, Math.min(...ends)), Math.min(1, Math.max(...ends))];
    this.show(panel, from + ((to - from) * (this.place % (KEY_STEPS + 1))) / KEY_STEPS);
  }

  listen() {
    const { svg } = this;
    for (const kind of ["pointermove", "pointerdown"]) svg.addEventListener(kind, (event) => this.point(event));
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.hide());
    onKeys(svg, (by) => this.move(by), () => -1); // up is to the right
    svg.addEventListener("blur", () => this.hide());
  }
}

export const mountCurves = (svg) => new Curves(svg).listen();

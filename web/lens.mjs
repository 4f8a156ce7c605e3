// The pictures of web/sequence.mjs: the strip of columns, the inside of one of them, and the map of a parameter. Their parts,
// and the words beside them, are in web/sequence.html.
import { paintCells, wideOf } from "./cells.mjs";
import { named, percent } from "./characters.mjs";
import { activation, centredDifference, complexStep, norm, order, product, scores, term } from "./model.mjs";

const LETTERS = 90; // that are shown, the most probable ones where there are more
const [SMALLEST, LARGEST] = [-8, 1]; // powers of ten on the axis of dL/dh
const SATURATED = 0.02; // a unit whose 1 - h^2 is below that hardly moves

export const largestOf = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
const slopeOf = (h) => h.map((v) => 1 - v * v);
const nameOf = (theta) => (theta === "h0" ? "h₀" : theta);
const powerOfTen = (n) => `10${String(n).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)])}`;
const inDigits = (value) => (value && Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toPrecision(3)).replace(/e\+?(.+)/, (_, n) => `\u00a0×\u00a0${powerOfTen(n)}`).replace("-", "−");
const inBits = (p) => (-Math.log2(p)).toFixed(1);

// all numbers but a share of them are larger than this one, whatever their sign
const quantile = (values, share) => Float64Array.from(values, Math.abs).sort()[Math.floor(share * (values.length - 1))];

// to write the same again would lay out the page anew, and a screen reader would say it again
export const write = (element, text) => element.textContent === text || (element.textContent = text);

const partsOf = (element) => Object.fromEntries(Array.from(element.children, (part) => [part.classList[0], part]));

function bar(element, share) {
  element.style.setProperty("--share", Math.min(1, Math.abs(share)));
  element.classList.toggle("negative", share < 0);
}

// a frame around a cell
function frame(element, index, wide, high) {
  const place = { x: (index % wide) / wide, y: Math.floor(index / wide) / high, w: 1 / wide, h: 1 / high };
  for (const [name, share] of Object.entries(place)) element.style.setProperty(`--${name}`, share);
}

// what a screen reader says of a slider
function tell(slider, most, now, text) {
  for (const [name, value] of Object.entries({ max: most, now, text })) slider.setAttribute(`aria-value${name}`, value);
}

// make a list n elements long, from a template
function fill(list, template, n) {
  while (list.children.length > n) list.lastElementChild.remove();
  while (list.children.length < n) list.append(template.content.cloneNode(true));
}

// ---- the strip: h_0, and a column for each character

export function drawStrip(view) {
  const { section, strip, columns, T, x, y, found, wrong, characters, colours, state: { column, direction } } = view;
  const isForward = direction === "forward";
  fill(columns, section.querySelector(".one-column"), T + 2); // with the labels
  columns.style.setProperty("--columns", T + 1);
  const drawGradient = isForward ? null : gradients(view);
  Array.from(columns.children).slice(1).forEach((element, t) => {
    const parts = partsOf(element);
    write(parts.x, t ? named(characters[x[t - 1]]) : "h₀");
    write(parts.y, t ? named(characters[y[t - 1]]) : "");
    paintCells(parts.h, found.h[t], colours);
    if (t > 0) drawPrediction(parts, found.p[t - 1], y[t - 1], characters);
    drawGradient?.(parts, t);
    element.classList.toggle("pale", isForward ? t > column : t < column && (t > 0 || column > 1));
    element.classList.toggle("chosen", t === column);
    element.classList.toggle("wrong", Boolean(wrong[t - 1]));
  });
  const [labels, { offsetLeft, offsetWidth }] = [columns.children[0], columns.children[column + 1]];
  const [left, right] = [strip.scrollLeft + labels.offsetWidth, strip.scrollLeft + strip.clientWidth]; // in sight
  if (offsetLeft < left || offsetLeft + offsetWidth > right) strip.scrollLeft = offsetLeft - (strip.clientWidth - offsetWidth) / 2;
}

// the probability of what comes next, and what was likely
function drawPrediction({ p: share, bits, likely }, p, code, characters) {
  bar(share.firstChild, p[code]);
  write(bits, inBits(p[code]));
  bits.classList.toggle("many", p[code] < 2 ** -5.5);
  const likeliest = order(p);
  Array.from(likely.children).forEach((letter, n) => {
    const k = likeliest[n];
    write(letter, named(characters[k] ?? ""));
    letter.style.opacity = 0.35 + 0.65 * Math.sqrt(p[k]);
    letter.classList.toggle("right", k === code);
  });
}

// returns a function that draws the gradient of a column's state, and the column's term of the chosen number
function gradients({ found, truth, reach, x, colours, state: { theta, index } }) {
  const dh = [found.gradient.h0, ...found.dh];
  const [terms, right] = [found, truth].map((source) => Array.from(x, (_, t) => term(source, x, theta, index, t)));
  const [most, mostTerm, mostRight] = [largestOf(found.dh.map(largestOf)), largestOf(terms), largestOf(right)];
  const onLog = (size) => Math.max(0, (Math.log10(size || 1e-300) - SMALLEST) / (LARGEST - SMALLEST));
  return (parts, t) => {
    paintCells(parts.dh, dh[t], colours, most);
    bar(parts.size.firstChild, onLog(norm(dh[t])));
    bar(parts.size.lastChild, onLog(reach[t]));
    if (t === 0) return;
    paintCells(parts.slope, slopeOf(found.h[t]), { ...colours, above: colours.ink });
    bar(parts.term.firstChild, terms[t - 1] / mostTerm);
    parts.term.classList.toggle("wrong", Math.abs(terms[t - 1] - right[t - 1]) > 1e-10 * mostRight);
  };
}

// ---- the inside of a column

// the values of the blocks, and the number that has the strongest colour
function blocksOf({ params, x, found, state: { column, direction } }) {
  const t = column - 1;
  const [before, after] = [found.h[t], found.h[column]];
  if (direction === "backward") {
    const most = largestOf(found.dh[t]);
    return [[found.own[t], most], [found.later[t], most], [found.dh[t], most], [slopeOf(after), 1], [found.da[t], most], [found.states[t], 1]];
  }
  const a = activation(params, before, x[t]);
  const Ux = params.U.subarray(x[t] * a.length, (x[t] + 1) * a.length);
  const most = largestOf(a);
  return [[before, 1], [product(params.W, before), most], [Ux, most], [params.b, most], [a, most], [after, 1]];
}

export function drawBlocks(view) {
  const { section, blocks, colours, m, state: { unit, direction } } = view;
  const values = blocksOf(view);
  const numbers = Array.from(blocks.querySelectorAll(`.${direction} > .block`), (block, n) => {
    const { cells, number, meaning } = partsOf(block);
    const [list, most] = values[n];
    paintCells(cells, list, cells.matches(".slope") ? { ...colours, above: colours.ink } : colours, most);
    write(number, inDigits(list[unit]));
    return `${meaning.textContent} ${number.textContent}`;
  });
  frame(blocks, unit, wideOf(m), Math.ceil(m / wideOf(m)));
  tell(blocks, m - 1, unit, `unit ${unit}: ${numbers.join(", ")}`);
  write(section.querySelector(".unit"), String(unit));
}

// over all letters: o and p, or dL/do
export function drawLetters({ section, letters, characters, params, y, found, state: { column, direction } }) {
  const [t, isForward] = [column - 1, direction === "forward"];
  const [o, p] = [isForward ? scores(params, found.h[column]) : found.dO[t], found.p[t]];
  const [mostO, mostP] = [o, p].map(largestOf);
  const shown = order(p).slice(0, LETTERS).sort((a, b) => a - b);
  fill(letters, section.querySelector(".one-letter"), shown.length);
  shown.forEach((k, n) => {
    const { above, below, letter } = partsOf(letters.children[n]);
    bar(above, o[k] / mostO);
    bar(below, p[k] / mostP);
    write(letter, Array.from(named(characters[k]))[0]);
    letters.children[n].classList.toggle("right", k === y[t]);
  });
}

// ---- one number of a parameter

// W[3, 1]: U lies transposed, and a vector has no columns
function nameOfNumber({ m, state: { theta, index } }) {
  const [row, column] = [Math.floor(index / m), index % m];
  const place = { W: [row, column], U: [column, row], V: [row, column] }[theta] ?? [index];
  return `${nameOf(theta)}[${place.join(", ")}]`;
}

// the digits in which a number differs from the right one are marked
function drawDigits(cell, value, right) {
  const [digits, rightDigits] = [value, right].map((v) => v.toPrecision(12).replaceAll("-", "−"));
  const first = Array.from(`${digits} `).findIndex((digit, n) => digit !== rightDigits[n]); // that differs
  const mark = Object.assign(document.createElement("mark"), { textContent: digits.slice(first) });
  cell.replaceChildren(digits.slice(0, first), mark);
}

export function drawWeight(view) {
  const { section, params, x, y, h0, found, truth, state: { theta, index, delta, direction } } = view;
  if (direction === "forward") return; // the table is for gradients
  const right = complexStep(params, x, y, h0, theta, index);
  const ways = { sum: found.gradient[theta][index], centred: centredDifference(params, x, y, h0, theta, index, 10 ** delta), complex: right };
  for (const [name, value] of Object.entries(ways)) drawDigits(section.querySelector(`.${name}`), value, right);
  section.querySelector(".sum").classList.toggle("wrong", Math.abs(ways.sum - truth.gradient[theta][index]) > 1e-10 * largestOf(truth.gradient[theta]));
  write(section.querySelector(".which"), `∂L/∂${nameOfNumber(view)}`);
  write(section.querySelector(".delta"), powerOfTen(delta));
}

export function drawMap(view) {
  const { section, map, m, T, params, h0, colours, differences, found, truth, theirs, state: { theta, direction, column, index } } = view;
  const [isForward, isWhole] = [direction === "forward", theirs || column === 1];
  const isWrong = !isForward && isWhole && differences[theta] > 0;
  const soFar = () => (isWhole ? found : view.backwardTo(column - 1)).gradient; // of the columns that backward has come to
  const values = (isForward ? { ...params, h0 } : soFar())[theta];
  const right = truth.gradient[theta];
  const wide = ["W", "U", "V"].includes(theta) ? m : wideOf(values.length);
  if (isWrong) paintCells(map, values.map((g, i) => Math.abs(g - right[i]) / (Math.abs(g) + Math.abs(right[i]) || 1)), { ...colours, above: colours.wrong }, 1, wide);
  else paintCells(map, values, colours, isForward ? quantile(values, 0.99) || 1 : largestOf(right) / 3, wide);
  for (const button of section.querySelectorAll("[name=theta]")) button.classList.toggle("wrong", !isForward && differences[button.value] > 0);
  frame(map.parentElement, index, wide, map.height);
  const number = `${isForward ? "" : "∂L/∂"}${nameOfNumber(view)} = ${inDigits(values[index])}`;
  tell(map, values.length - 1, index, number);
  write(section.querySelector(".map-says"),
    isForward ? `${number}. Half of the ${values.length.toLocaleString("en")} numbers are within ±${inDigits(quantile(values, 0.5))}.`
    : isWrong ? `${number}. Red: where ∂L/∂${nameOf(theta)} differs from the truth.`
    : `${number}, summed over ${isWhole ? "all columns" : `columns ${column} to ${T}`}.`);
}

// ---- what the pictures show, in words

export function drawWords(view) {
  const sentence = view.state.direction === "forward" ? ofPrediction(view) : ofGradient(view);
  tell(view.strip, view.T, view.state.column, sentence);
  write(view.reading, sentence + ofMistake(view));
  write(view.section.querySelector(".total"), view.section.matches(".updating") ? ofUpdates(view) : ofLoss(view));
}

function ofPrediction({ T, characters, x, y, found, state: { column } }) {
  const [p, read, next] = [found.p[column - 1][y[column - 1]], ...[x, y].map((codes) => named(characters[codes[column - 1]]))];
  return `Character ${column} of ${T}, “${read}”: the network gives ${percent(p)} to “${next}”, which comes next. That costs ${inBits(p)} bits.`;
}

function ofGradient({ T, characters, x, found, reach, state: { column } }) {
  const size = inDigits(norm(found.dh[column - 1]));
  return `Back at character ${column} of ${T}, “${named(characters[x[column - 1]])}”: ∂L/∂h has size ${size}. The last character’s loss alone gives ${inDigits(reach[column])} here.`;
}

function ofMistake({ theirs, differences, state: { mistake } }) {
  if (!mistake && !theirs) return "";
  const subject = mistake ? "With this mistake, backward" : "The notebook’s backward";
  const wrong = Object.entries(differences).filter(([, share]) => share).map(([theta, share]) => `${nameOf(theta)} by ${percent(share)}`);
  if (wrong.length) return ` ${subject} is off in ${wrong.join(", ")}.`;
  return ` ${subject} gives the true gradient here${mistake ? ", so no number shows the mistake" : ""}.`;
}

function ofLoss({ loss, T, characters }) {
  return `Loss: ${loss.toFixed(1)} nats, ${(loss / T / Math.LN2).toFixed(2)} bits per character. A uniform guess: ${(T * Math.log(characters.length)).toFixed(1)} nats.`;
}

// of the sequences that were trained on
function ofUpdates({ updates, loss, T, found, m }) {
  const bits = [...updates.losses, loss].slice(-6).map((nats) => (nats / T / Math.LN2).toFixed(1));
  const saturated = found.h.slice(1).reduce((sum, h_t) => sum + slopeOf(h_t).filter((slope) => slope < SATURATED).length, 0);
  return `Update ${updates.n}. Bits per character of the last sequences: ${bits.join(", ")}. Near ±1: ${percent(saturated / (T * m))} of the state.`;
}

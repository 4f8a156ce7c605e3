// The pictures of web/sequence.mjs: the strip of columns, the inside of one of them, and the map of a parameter. Their parts,
// and the sentences beside them, are in web/sequence.html.
import { frame, paintCells, wideOf } from "./cells.mjs";
import { named } from "./characters.mjs";
import { inBits, inDigits, percent, powerOfTen, withMinus } from "./digits.mjs";
import { bar, fillIn, tell, write } from "./elements.mjs";
import { centredDifference, complexStep, norm, slopes, term } from "./gradients.mjs";
import { activation, order, product, scores } from "./model.mjs";

const LETTERS = 90; // that are shown, the most probable ones where there are more
const [SMALLEST, LARGEST] = [-8, 1]; // powers of ten on the axis of dL/dh
const SATURATED = 0.02; // a unit whose 1 - h^2 is below that hardly moves

export const largestOf = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
const nameOf = (theta) => (theta === "h0" ? "h₀" : theta);

// all numbers but a share of them are larger than this one, whatever their sign
const quantile = (values, share) => Float64Array.from(values, Math.abs).sort()[Math.floor(share * (values.length - 1))];

// whether a number differs from the right one by more than rounding, or is none
const isOff = (value, right, scale) => !(Math.abs(value - right) <= 1e-10 * scale);

const partsOf = (element) => Object.fromEntries(Array.from(element.children, (part) => [part.classList[0], part]));

// make a list n elements long, from the template behind it
function fill(list, n) {
  while (list.children.length > n) list.lastElementChild.remove();
  while (list.children.length < n) list.append(list.nextElementSibling.content.cloneNode(true));
  return Array.from(list.children);
}

// ---- the strip: h_0, and a column for each character

export function drawStrip(view) {
  const { strip, columns, T, x, y, found, wrong, characters, colours, state: { column, direction } } = view;
  const isForward = direction === "forward";
  const [labels, ...elements] = fill(columns, T + 2);
  columns.style.setProperty("--columns", T + 1);
  const drawGradient = isForward ? null : gradients(view);
  elements.forEach((element, t) => {
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
  const { offsetLeft, offsetWidth } = elements[column];
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
  const onLog = (size) => Math.max(0, (Math.log10(size) - SMALLEST) / (LARGEST - SMALLEST));
  return (parts, t) => {
    paintCells(parts.dh, dh[t], colours, most);
    bar(parts.size.firstChild, onLog(norm(dh[t])));
    bar(parts.size.lastChild, onLog(reach[t]));
    if (t === 0) return;
    paintCells(parts.slope, slopes(found.h[t]), { ...colours, above: colours.ink });
    bar(parts.term.firstChild, terms[t - 1] / mostTerm);
    parts.term.classList.toggle("wrong", isOff(terms[t - 1], right[t - 1], mostRight));
  };
}

// ---- the inside of a column

// the numbers in the blocks of the chosen column, in the order of web/sequence.html
function blocksOf({ params, x, found: { h, own, later, dh, da, states }, state: { direction, column } }) {
  const t = column - 1;
  if (direction === "backward") return [own[t], later[t], dh[t], slopes(h[t + 1]), da[t], states[t]];
  const { U, W, b } = params;
  const Ux = U.subarray(x[t] * b.length, (x[t] + 1) * b.length);
  return [h[t], product(W, h[t]), Ux, b, activation(params, h[t], x[t]), h[t + 1]];
}

export function drawBlocks(view) {
  const { section, blocks, colours, m, state: { unit, direction } } = view;
  const values = blocksOf(view);
  const most = largestOf(values[direction === "forward" ? 4 : 2]); // of the sum
  const words = Array.from(blocks.querySelectorAll(`.${direction} > .block`), (block, n) => {
    const { cells, number, meaning } = partsOf(block);
    const isSlope = cells.matches(".slope");
    paintCells(cells, values[n], isSlope ? { ...colours, above: colours.ink } : colours, isSlope || cells.matches(".state") ? 1 : most);
    write(number, inDigits(values[n][unit]));
    return `${meaning.textContent} ${number.textContent}`;
  });
  frame(blocks, unit, blocks.querySelector(`.${direction} canvas`));
  tell(blocks, { max: m - 1, now: unit, text: `unit ${unit}: ${words.join(", ")}` });
  fillIn(section, { unit });
}

// over all letters: o and p, or dL/do
export function drawLetters({ letters, characters, params, y, found, state: { column, direction } }) {
  const t = column - 1;
  const [o, p] = [direction === "forward" ? scores(params, found.h[column]) : found.dO[t], found.p[t]];
  const [mostO, mostP] = [o, p].map(largestOf);
  const shown = order(p).slice(0, LETTERS).sort((a, b) => a - b);
  fill(letters, shown.length).forEach((element, n) => {
    const k = shown[n];
    const { above, below, letter } = partsOf(element);
    bar(above, o[k] / mostO);
    bar(below, p[k] / mostP);
    write(letter, Array.from(named(characters[k]))[0]);
    element.classList.toggle("right", k === y[t]);
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
  const [digits, rightDigits] = [value, right].map((v) => withMinus(v.toPrecision(12)));
  const first = Array.from(`${digits} `).findIndex((digit, n) => digit !== rightDigits[n]); // that differs
  const mark = Object.assign(document.createElement("mark"), { textContent: digits.slice(first) });
  cell.replaceChildren(digits.slice(0, first), mark);
}

export function drawWeight({ section, params, x, y, h0, found, truth, state: { theta, index, delta, direction } }) {
  if (direction === "forward") return; // the table is for gradients
  const [sum, right] = [found.gradient[theta][index], complexStep(params, x, y, h0, theta, index)];
  const ways = { sum, centred: centredDifference(params, x, y, h0, theta, index, 10 ** delta), complex: right };
  for (const [name, value] of Object.entries(ways)) drawDigits(section.querySelector(`.${name}`), value, right);
  section.querySelector(".sum").classList.toggle("wrong", isOff(sum, truth.gradient[theta][index], largestOf(truth.gradient[theta])));
  fillIn(section, { delta: powerOfTen(delta) });
}

export function drawMap(view) {
  const { section, map, m, T, params, h0, colours, differences, found, truth, theirs, state } = view;
  const { theta, direction, column, index } = state;
  const [isForward, isWhole] = [direction === "forward", theirs || column === 1];
  const isWrong = !isForward && isWhole && differences[theta] !== 0;
  const values = isForward ? { ...params, h0 }[theta] : (isWhole ? found : view.backwardTo(column - 1)).gradient[theta];
  const right = truth.gradient[theta];
  const wide = ["W", "U", "V"].includes(theta) ? m : wideOf(values.length);
  const off = (g, i) => Math.abs(g - right[i]) / (Math.abs(g) + Math.abs(right[i]) || 1);
  if (isWrong) paintCells(map, values.map(off), { ...colours, above: colours.wrong }, 1, wide);
  else paintCells(map, values, colours, isForward ? quantile(values, 0.99) || 1 : largestOf(right) / 3, wide);
  section.classList.toggle("red", isWrong);
  for (const button of section.querySelectorAll("[name=theta]")) button.classList.toggle("wrong", !isForward && differences[button.value] !== 0);
  frame(map.parentElement, index, map);
  const [which, value] = [nameOfNumber(view), inDigits(values[index])];
  tell(map, { max: values.length - 1, now: index, text: `${isForward ? "" : "∂L/∂"}${which} = ${value}` });
  fillIn(section, { which, value, columns: isWhole ? "all columns" : column === T ? `column ${T}` : `columns ${column} to ${T}` });
  if (isForward) fillIn(section, { count: values.length.toLocaleString("en"), half: inDigits(quantile(values, 0.5)) });
}

// ---- what the pictures show, in words

export function drawWords(view) {
  const { section, strip, T, characters, x, y, found, reach, loss, state: { column, direction } } = view;
  const p = found.p[column - 1][y[column - 1]];
  const [read, next] = [x, y].map((codes) => named(characters[codes[column - 1]]));
  fillIn(section, { column, T, read, next, share: percent(p), bits: inBits(p) });
  fillIn(section, { size: inDigits(norm(found.dh[column - 1])), reach: inDigits(reach[column]), mistake: ofMistake(view) });
  fillIn(section, { loss: loss.toFixed(1), mean: (loss / T / Math.LN2).toFixed(2), guess: (T * Math.log(characters.length)).toFixed(1) });
  const isUpdating = section.matches(".updating");
  if (isUpdating) fillIn(section, wordsOfUpdates(view));
  const parts = [`.reading .${direction}`, ".reading .mistake", isUpdating ? ".of-updates" : ".of-loss"];
  const said = parts.map((part) => section.querySelector(part).textContent);
  tell(strip, { max: T, now: column, text: said[0] });
  if (document.activeElement !== strip) write(section.querySelector("[role=status]"), said.join(" ")); // the strip says it itself
}

function ofMistake({ theirs, differences, state: { mistake } }) {
  if (!mistake && !theirs) return "";
  const subject = mistake ? "With this mistake, backward" : "The notebook’s backward";
  const by = (share) => (Number.isNaN(share) ? "(not finite)" : `by ${percent(share)}`);
  const wrong = Object.entries(differences).filter(([, share]) => share !== 0).map(([theta, share]) => `${nameOf(theta)} ${by(share)}`);
  if (wrong.length) return `${subject} is off in ${wrong.join(", ")}.`;
  return `${subject} gives the true gradient here${mistake ? ", so no number shows the mistake" : ""}.`;
}

// of the sequences that were trained on
function wordsOfUpdates({ updates: { losses }, packed, loss, T, found, m }) {
  const means = [...losses, loss].slice(-6).map((nats) => (nats / T / Math.LN2).toFixed(1));
  const saturated = found.h.slice(1).reduce((sum, h_t) => sum + slopes(h_t).filter((slope) => slope < SATURATED).length, 0);
  return { updates: losses.length, most: packed.training.updates, means: means.join(", "), saturated: percent(saturated / (T * m)) };
}

// The pictures of web/sequence.mjs: the strip of columns, the inside of one of them, and the map of a parameter. Their parts,
// and the words beside them, are in web/sequence.html.
import { paintCells, wideOf } from "./cells.mjs";
import { named, percent } from "./characters.mjs";
import { activation, centredDifference, complexStep, norm, order, product, scores, term } from "./model.mjs";

export const THETAS = ["W", "U", "V", "b", "c", "h0"];
const nameOf = (theta) => (theta === "h0" ? "h₀" : theta);
const [LETTERS, LETTER] = [90, 7]; // that are shown, the most probable ones where there are more; pixels that each needs
const [SMALLEST, LARGEST] = [-8, 1]; // powers of ten on the axis of dL/dh
const SATURATED = 0.02; // a unit whose 1 - h^2 is below that hardly moves

const largestOf = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
const slopeOf = (h) => h.map((v) => 1 - v * v);

function quantile(values, share) {
  const sorted = Float64Array.from(values, Math.abs).sort();
  return sorted[Math.floor(share * (sorted.length - 1))] || 1;
}

const powerOfTen = (n) => `10${String(n).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])}`;

function inDigits(value) {
  const isPlain = value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4);
  const [digits, exponent] = isPlain ? [value.toFixed(3)] : value.toExponential(1).split("e");
  return digits.replace("-", "−") + (exponent ? `\u00a0×\u00a0${powerOfTen(+exponent)}` : "");
}

const copyOf = (section, template) => section.querySelector(`.${template}`).content.firstElementChild.cloneNode(true);

function bar(element, share) {
  element.style.setProperty("--share", Math.min(1, Math.abs(share)).toFixed(4));
  element.classList.toggle("negative", share < 0);
}

const onLog = (size) => Math.max(0, (Math.log10(size || 1e-300) - SMALLEST) / (LARGEST - SMALLEST));

// ---- the strip: h_0, and a column for each character

export function makeStrip({ section, columns, strip, T, x, y, characters }) {
  const cells = Array.from({ length: T + 1 }, (_, t) => {
    const column = copyOf(section, "one-column");
    column.dataset.t = t;
    const parts = Object.fromEntries(Array.from(column.children, (part) => [part.className, part]));
    [parts.x.textContent, parts.y.textContent] = t ? [x, y].map((codes) => named(characters[codes[t - 1]])) : ["h₀", ""];
    return { column, ...parts };
  });
  columns.replaceChildren(columns.firstElementChild, ...cells.map(({ column }) => column));
  columns.style.setProperty("--columns", T + 1);
  strip.setAttribute("aria-valuemax", T);
  return cells;
}

// what does not change from column to column
export function drawStrip({ cells, h, p, y, found, reach, wrong, colours, characters }) {
  const most = largestOf(found.dh.map(largestOf));
  cells.forEach((cell, t) => {
    const dh = t ? found.dh[t - 1] : found.dh0;
    paintCells(cell.h, h[t], colours);
    paintCells(cell.dh, dh, colours, most);
    const [all, ofLast] = cell.size.children;
    bar(all, onLog(norm(dh)));
    bar(ofLast, onLog(reach[t]));
    if (t === 0) return;
    paintCells(cell.slope, slopeOf(h[t]), { ...colours, above: colours.ink });
    cell.column.classList.toggle("wrong", Boolean(wrong[t - 1]));
    drawPrediction(cell, p[t - 1], y[t - 1], characters);
  });
}

function drawPrediction({ p: share, bits, likely }, p, code, characters) {
  bar(share.firstChild, p[code]);
  bits.textContent = (-Math.log2(p[code])).toFixed(1);
  bits.classList.toggle("many", p[code] < 2 ** -5.5);
  const likeliest = order(p);
  Array.from(likely.children, (letter, n) => {
    const k = likeliest[n];
    if (k === undefined) return;
    letter.textContent = named(characters[k]);
    letter.classList.toggle("right", k === code);
    letter.style.opacity = (0.35 + 0.65 * Math.sqrt(p[k])).toFixed(2);
  });
}

// the column that is looked at; those that are not computed yet are pale
export function drawPlace(view) {
  const { cells, strip, state: { column, direction } } = view;
  cells.forEach((cell, t) => {
    const isPale = direction === "forward" ? t > column : t < column && (t > 0 || column > 1);
    cell.column.classList.toggle("pale", isPale);
    cell.column.classList.toggle("chosen", t === column);
  });
  const { offsetLeft, offsetWidth } = cells[column].column;
  const labels = strip.querySelector(".labels").offsetWidth;
  const right = offsetLeft + offsetWidth - strip.clientWidth;
  if (strip.scrollLeft > offsetLeft - labels) strip.scrollLeft = offsetLeft - labels;
  else if (strip.scrollLeft < right) strip.scrollLeft = right; // on a narrow screen
  const sentence = sentenceOf(view);
  strip.setAttribute("aria-valuenow", column);
  strip.setAttribute("aria-valuetext", sentence);
  view.say(sentence + mistakeOf(view));
}

function sentenceOf({ T, characters, x, y, p, found, reach, state: { column, direction } }) {
  const t = column - 1;
  const place = `haracter ${column} of ${T}, “${named(characters[x[t]])}”`;
  const share = p[t][y[t]];
  return direction === "forward"
    ? `C${place}: the network gives ${percent(share)} to “${named(characters[y[t]])}”, which comes next. That costs ${(-Math.log2(share)).toFixed(1)} bits.`
    : `Back at c${place}: ∂L/∂h has size ${inDigits(norm(found.dh[t]))}. The last character’s loss alone gives ${inDigits(reach[column])} here.`;
}

function mistakeOf({ theirs, differences, state }) {
  if (!state.mistake && !theirs) return "";
  const subject = theirs ? "The notebook’s backward" : "With this mistake, backward";
  const wrong = THETAS.filter((theta) => differences[theta]).map((theta) => `${nameOf(theta)} by ${percent(differences[theta])}`);
  if (wrong.length) return ` ${subject} is off in ${wrong.join(", ")}.`;
  return ` ${subject} gives the true gradient here${state.mistake ? ", so no number shows the mistake" : ""}.`;
}

// the loss of the sequence, or of the sequences that were trained on
export function totalOf({ updates, loss, T, h, m, characters, section }) {
  const bits = (nats) => nats / T / Math.LN2;
  if (!section.classList.contains("updating")) return `Loss: ${loss.toFixed(1)} nats, ${bits(loss).toFixed(2)} bits per character. A uniform guess: ${(T * Math.log(characters.length)).toFixed(1)} nats.`;
  const losses = [...updates.losses, loss].slice(-6).map((nats) => bits(nats).toFixed(1));
  const saturated = h.slice(1).reduce((sum, h_t) => sum + slopeOf(h_t).filter((slope) => slope < SATURATED).length, 0) / (T * m);
  return `Update ${updates.n}. Bits per character, sequence after sequence: ${losses.join(", ")}. Near ±1: ${percent(saturated)} of the state.`;
}

// the terms of the chosen number, one below each column
export function drawTerms({ cells, T, x, found, truth, state: { theta, index } }) {
  const [terms, right] = [found, truth].map((source) => Array.from({ length: T }, (_, t) => term(source, x, theta, index, t)));
  const most = largestOf(terms);
  terms.forEach((value, t) => {
    const cell = cells[t + 1].term;
    bar(cell.firstChild, value / most);
    cell.classList.toggle("wrong", Math.abs(value - right[t]) > 1e-10 * most);
  });
}

// ---- the inside of a column

// the values of the blocks, the number that has the strongest colour, and whether they are in ink
function valuesOf({ params, x, h, found, state: { column, direction } }) {
  const t = column - 1;
  const [before, after] = [h[t], h[column]];
  const { W, U, b } = params;
  if (direction === "forward") {
    const a = activation(params, before, x[t]);
    const most = largestOf(a);
    const Ux = U.subarray(x[t] * b.length, (x[t] + 1) * b.length);
    return [[before, 1], [product(W, before), most], [Ux, most], [b, most], [a, most], [after, 1]];
  }
  const most = largestOf(found.dh[t]);
  return [[found.own[t], most], [found.later[t], most], [found.dh[t], most], [slopeOf(after), 1, true], [found.da[t], most], [found.states[t], 1]];
}

export function drawBlocks(view) {
  const { blocks, colours, m, section, state: { unit, direction } } = view;
  const values = valuesOf(view);
  const numbers = Array.from(blocks.querySelectorAll(`.${direction} > .block`), (block, n) => {
    const [canvas, number, words] = ["canvas", "b", "small"].map((name) => block.querySelector(name));
    const [list, most, isInk] = values[n];
    paintCells(canvas, list, isInk ? { ...colours, above: colours.ink } : colours, most);
    number.textContent = inDigits(list[unit]);
    return `${words.textContent} ${number.textContent}`;
  });
  const wide = wideOf(m);
  const place = { x: (unit % wide) / wide, y: Math.floor(unit / wide) / Math.ceil(m / wide), cells: wide };
  for (const [name, value] of Object.entries(place)) blocks.style.setProperty(`--${name}`, value);
  blocks.setAttribute("aria-valuemax", m - 1);
  blocks.setAttribute("aria-valuenow", unit);
  blocks.setAttribute("aria-valuetext", `unit ${unit}: ${numbers.join(", ")}`);
  section.querySelector(".unit").textContent = `The numbers are those of unit ${unit}. Point at another one.`;
}

// over all letters: o and p, or dL/do
export function drawLetters(view) {
  const { section, letters, characters, params, h, p, y, found, state: { column, direction } } = view;
  const t = column - 1;
  const isForward = direction === "forward";
  const [above, below] = isForward ? [scores(params, h[column]), p[t]] : [found.dO[t], new Float64Array(characters.length)];
  const room = Math.min(LETTERS, Math.floor(letters.clientWidth / LETTER));
  const shown = order(p[t]).slice(0, room).sort((a, b) => a - b);
  const [mostAbove, mostBelow] = [largestOf(above), largestOf(below)];
  if (letters.children.length !== shown.length) letters.replaceChildren(...shown.map(() => copyOf(section, "one-letter")));
  shown.forEach((k, n) => {
    const li = letters.children[n];
    const [first, second, letter] = li.children;
    bar(first, above[k] / mostAbove);
    bar(second, below[k] / mostBelow);
    letter.textContent = named(characters[k]).slice(0, 1);
    li.classList.toggle("right", k === y[t]);
  });
  section.querySelector(".letters-say").textContent = isForward ? "The scores o, and below them p = softmax o. Orange: what comes next." : "∂L/∂o = p − y. Orange: what comes next.";
}

// ---- one number of a parameter

// its row and column; those of U, which lies transposed, and none for a vector
function placeOf({ m, state: { theta, index } }) {
  if (["b", "c", "h0"].includes(theta)) return [index];
  const place = [Math.floor(index / m), index % m];
  return theta === "U" ? place.reverse() : place;
}

// the digits in which a number differs from the right one are marked
function drawDigits(cell, value, right) {
  const [digits, rightDigits] = [value, right].map((v) => v.toPrecision(12).replaceAll("-", "−"));
  let same = 0;
  while (same < digits.length && digits[same] === rightDigits[same]) same++;
  const mark = Object.assign(document.createElement("mark"), { textContent: digits.slice(same) });
  cell.replaceChildren(digits.slice(0, same), mark);
}

export function drawWeight(view) {
  const { params, x, y, h0, gradients, sum, centred, complex, state: { theta, index, delta } } = view;
  const found = gradients[theta][index];
  const right = complexStep(params, x, y, h0, theta, index);
  drawDigits(sum, found, right);
  drawDigits(centred, centredDifference(params, x, y, h0, theta, index, 10 ** delta), right);
  drawDigits(complex, right, right);
  sum.classList.toggle("wrong", Math.abs(found - right) > 1e-9 * Math.max(Math.abs(found), Math.abs(right)));
  view.which.textContent = `∂L/∂${nameOf(theta)}[${placeOf(view).join(", ")}]`;
  view.section.querySelector(".delta").textContent = powerOfTen(delta);
}

const SIDES = { W: "Row: the unit that it goes to. Column: the unit that it comes from.", U: "Drawn transposed. Row: a character. Column: a unit.", V: "Row: a character. Column: a unit." };

export function drawMap(view) {
  const { map, m, params, h0, colours, differences, gradients, trueGradients, theirs, section, state } = view;
  const { theta, direction, column, index } = state;
  const isForward = direction === "forward";
  const isWrong = !isForward && differences[theta] > 0 && (theirs || column === 1);
  const wide = SIDES[theta] ? m : wideOf(gradients[theta].length);
  const truth = trueGradients[theta];
  const values = isForward ? { ...params, h0 }[theta] : view.gradientSoFar(theta);
  if (isWrong) paintCells(map, values.map((g, i) => Math.abs(g - truth[i]) / (Math.abs(g) + Math.abs(truth[i]) || 1)), { ...colours, above: colours.wrong }, 1, wide);
  else paintCells(map, values, colours, isForward ? quantile(values, 0.99) : largestOf(truth) / 3, wide);
  for (const button of section.querySelectorAll("[name=theta]")) button.classList.toggle("wrong", !isForward && differences[button.value] > 0);
  const place = { x: (index % wide) / map.width, y: Math.floor(index / wide) / map.height, w: 1 / map.width, h: 1 / map.height };
  for (const [name, share] of Object.entries(place)) map.parentElement.style.setProperty(`--${name}`, `${100 * share}%`);
  const sentence = isForward
    ? `${nameOf(theta)}, ${SIDES[theta] ? `${map.height} × ${map.width}` : values.length} numbers: half of them are within ±${inDigits(quantile(values, 0.5))}.`
    : isWrong ? `∂L/∂${nameOf(theta)}: red where it differs from the truth.`
    : `∂L/∂${nameOf(theta)}, the terms of ${column === 1 ? "all columns" : `columns ${column} to ${view.T}`}.`;
  section.querySelector(".map-says").textContent = `${sentence} ${SIDES[theta] ?? ""}`;
  map.setAttribute("aria-valuemax", values.length - 1);
  map.setAttribute("aria-valuenow", index);
  map.setAttribute("aria-valuetext", `${view.which.textContent}: ${inDigits(gradients[theta][index])}`);
}

// The pictures of web/sequence.mjs: the strip of columns, the inside of one of them, and the map of a parameter.
import { named, percent } from "./characters.mjs";
import { paintCells, wideOf } from "./cells.mjs";
import { activation, order, product, scores, term } from "./model.mjs";

const LETTERS = 90; // of the vocabulary that are shown, the most probable ones where there are more
const [SMALLEST, LARGEST] = [-8, 1]; // powers of ten on the axis of dL/dh
const LIKELIEST = 5;
const NAMES = { W: "W", U: "U", V: "V", b: "b", c: "c", h0: "h₀" };
const ROWS = [["reads", "x"], ["its numbers", "h"], ["probability", "p of what comes"], ["comes", "y"], ["bits", ""], ["expects", "likeliest first"], ["can move", "1 − h²"], ["loss feels", "∂L/∂h"], ["its size", "(log); orange: last loss"], ["its term", "of the chosen weight"]];
const KINDS = ["x", "h", "p", "y", "bits", "likely", "slack", "dh", "size", "term"];

// blocks of the lens, each with a title, what it is in words, and how it is coloured
const FORWARD = [["h<sub>t−1</sub>", "the state before"], ["W h", "what it remembers"], ["U x", "what it reads"], ["b", "the same each time"], ["a", "the sum"], ["h<sub>t</sub> = tanh a", "the state after"]];
const BACKWARD = [["Vᵀ(p − y)", "from its own loss"], ["Wᵀ ∂L/∂a", "from later characters"], ["∂L/∂h", "the sum of both"], ["1 − h²", "how far tanh can move"], ["∂L/∂a", "their product"], ["h<sub>t−1</sub>", "the state before"]];
const SIGNS = { forward: ["·", "+", "+", "=", "→"], backward: ["+", "=", "×", "=", "⊗"] };

export const inDigits = (value) => (value === 0 ? "0" : Math.abs(value) < 1e-3 || Math.abs(value) >= 1e4 ? value.toExponential(1).replace("-", "−") : value.toFixed(3).replace("-", "−"));

function make(tag, className, parent, text = "") {
  const element = Object.assign(document.createElement(tag), { className, textContent: text });
  parent.append(element);
  return element;
}

// the strip: a column of labels, then h_0 and one column for each character
export function makeStrip(view) {
  const { columns, T, x, y, characters } = view;
  columns.replaceChildren();
  columns.style.setProperty("--columns", T + 1);
  const labels = make("div", "labels", columns);
  ROWS.forEach(([word, symbol], n) => (make("span", `of-${KINDS[n]}`, labels, word).append(" ", Object.assign(document.createElement("i"), { textContent: symbol }))));
  view.cells = Array.from({ length: T + 1 }, (_, t) => {
    const column = make("div", "column", columns);
    column.dataset.t = t;
    const cells = Object.fromEntries(KINDS.map((kind) => [kind, make(["h", "slack", "dh"].includes(kind) ? "canvas" : "span", kind, column)]));
    cells.x.textContent = t ? named(characters[x[t - 1]]) : "h₀";
    cells.y.textContent = t ? named(characters[y[t - 1]]) : "";
    for (let n = 0; t && n < LIKELIEST; n++) make("b", "", cells.likely);
    for (const kind of ["p", "size", "term"]) make("i", "", cells[kind]);
    make("u", "", cells.size);
    return { column, ...cells };
  });
  view.strip.setAttribute("aria-valuemax", T);
}

function bar(element, share) {
  element.style.setProperty("--share", Math.min(1, Math.abs(share)).toFixed(4));
  element.classList.toggle("negative", share < 0);
}
const onLog = (size) => Math.max(0, Math.min(1, (Math.log10(size || 1e-300) - SMALLEST) / (LARGEST - SMALLEST)));
const sizeOf = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
const largestOf = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;

export function drawStrip(view) {
  const { state, pass, found, truth, T, y, x, colours } = view;
  const wide = wideOf(view.h0.length);
  const states = view.theirs?.h ?? pass.h;
  const p = view.theirs?.p ?? pass.p;
  const terms = Array.from({ length: T }, (_, t) => term(found, x, state.theta, state.index, t));
  const [mostTerm, mostDh] = [largestOf(terms), largestOf(found.dh.flatMap((dh) => Array.from(dh)))];
  view.cells.forEach((cells, t) => {
    const isBehind = state.direction === "forward" ? t > state.column : t < state.column && (t > 0 || state.column > 1);
    cells.column.classList.toggle("pale", isBehind);
    cells.column.classList.toggle("chosen", t === state.column);
    cells.column.classList.toggle("wrong", t > 0 && view.wrong[t - 1]);
    paintCells(cells.h, states[t], wide, colours, (v) => v);
    const dh = t ? found.dh[t - 1] : found.dh0;
    paintCells(cells.dh, dh, wide, colours, (v) => v / mostDh);
    bar(cells.size.children[0], onLog(sizeOf(dh)));
    cells.size.children[1].style.setProperty("--share", onLog(view.reach[t]).toFixed(4));
    if (t === 0) return;
    paintCells(cells.slack, states[t], wide, { ...colours, above: colours.ink }, (v) => 1 - v * v);
    drawPrediction(view, cells, p[t - 1], y[t - 1]);
    bar(cells.term.children[0], terms[t - 1] / mostTerm);
    cells.term.classList.toggle("wrong", Math.abs(terms[t - 1] - term(truth, x, state.theta, state.index, t - 1)) > 1e-10 * mostTerm);
  });
  keepInSight(view);
  sayColumn(view);
}

// on a narrow screen the strip is wider than its place
function keepInSight({ strip, cells, state }) {
  const { offsetLeft, offsetWidth } = cells[state.column].column;
  const labels = strip.querySelector(".labels").offsetWidth;
  if (offsetLeft - strip.scrollLeft < labels) strip.scrollLeft = offsetLeft - labels;
  else if (offsetLeft + offsetWidth - strip.scrollLeft > strip.clientWidth) strip.scrollLeft = offsetLeft + offsetWidth - strip.clientWidth;
}

function drawPrediction(view, cells, p, code) {
  bar(cells.p.children[0], p[code]);
  cells.bits.textContent = (-Math.log2(p[code])).toFixed(1);
  cells.bits.classList.toggle("many", p[code] < 2 ** -5.5);
  order(p).slice(0, LIKELIEST).forEach((k, n) => {
    const letter = cells.likely.children[n];
    letter.textContent = named(view.characters[k]);
    letter.classList.toggle("right", k === code);
    letter.style.opacity = (0.35 + 0.65 * Math.sqrt(p[k])).toFixed(2);
  });
}

// one sentence on what is looked at, and the loss of it all
function sayColumn(view) {
  const { state, strip, T, loss, characters, pass, x, y, found } = view;
  const t = state.column - 1;
  const guess = Math.log(characters.length);
  const [letter, next] = [named(characters[x[t]]), named(characters[y[t]])];
  const sentence = state.direction === "forward"
    ? `Character ${t + 1} of ${T}, “${letter}”: the network gives ${percent(pass.p[t][y[t]])} to “${next}”, the next character, and pays ${(-Math.log2(pass.p[t][y[t]])).toFixed(1)} bits.`
    : `Backward through character ${t + 1} of ${T}, “${letter}”: |∂L/∂h| is ${inDigits(sizeOf(found.dh[t]))}; of the last character’s loss alone ${inDigits(view.reach[t + 1])} arrives here.`;
  strip.setAttribute("aria-valuenow", state.column);
  strip.setAttribute("aria-valuetext", sentence);
  view.say(sentence + mistakeOf(view));
  const bits = loss / T / Math.LN2;
  view.total.textContent = view.isUpdating
    ? `Update ${view.updates.n}. Bits a character, sequence by sequence: ${[...view.updates.losses, loss].slice(-6).map((L) => (L / T / Math.LN2).toFixed(1)).join(", ")}. At ±1: ${percent(saturatedShare(view))} of the state.`
    : `Loss: ${loss.toFixed(1)} nats, ${bits.toFixed(2)} bits a character. A uniform guess: ${(T * guess).toFixed(1)} nats.`;
}

function saturatedShare({ pass: { h } }) {
  const all = h.slice(1);
  return all.reduce((sum, h_t) => sum + h_t.reduce((n, v) => n + (1 - v * v < 0.02), 0), 0) / (all.length * h[0].length);
}

function mistakeOf(view) {
  if (!view.state.mistake && !view.theirs) return "";
  const names = Object.entries(view.differences).filter(([, share]) => share > 0).map(([theta, share]) => `${NAMES[theta]} by ${share < 0.001 ? share.toExponential(0) : percent(share)}`);
  const subject = view.theirs ? "The notebook’s backward" : "With this mistake backward";
  return names.length ? ` ${subject} is off in ${names.join(", ")}.` : ` ${subject} gives the true gradient here: no number shows the mistake.`;
}

export function makeBlocks(view) {
  view.figures = FORWARD.map((_, n) => {
    if (n) make("span", "sign", view.blocks);
    const figure = make("div", "block", view.blocks);
    const [title, canvas, number, words] = ["p", "canvas", "b", "small"].map((tag) => make(tag, "", figure));
    canvas.setAttribute("role", "img");
    return { title, canvas, number, words };
  });
}

export function drawInside(view) {
  const { state, params, pass, x, y, found, theirs } = view;
  const t = state.column - 1;
  const isForward = state.direction === "forward";
  const before = theirs?.h[t] ?? pass.h[t];
  const after = theirs?.h[t + 1] ?? pass.h[t + 1];
  const Ux = params.U.slice(x[t] * before.length, (x[t] + 1) * before.length);
  const values = isForward
    ? [before, product(params.W, before), Ux, params.b, activation(params, before, x[t]), after]
    : [found.own[t], found.later[t], found.dh[t], after.map((v) => 1 - v * v), found.da[t], found.states[t]];
  const scale = isForward ? largestOf(values[4]) : largestOf(values[2]);
  const own = (n) => (isForward ? n === 0 || n === 5 : n === 3 || n === 5); // already between -1 and 1
  (isForward ? FORWARD : BACKWARD).forEach(([title, words], n) => {
    const figure = view.figures[n];
    const colours = !isForward && n === 3 ? { ...view.colours, above: view.colours.ink } : view.colours;
    paintCells(figure.canvas, values[n], wideOf(before.length), colours, (v) => (own(n) ? v : v / scale));
    figure.title.innerHTML = title;
    figure.number.textContent = inDigits(values[n][state.unit]);
    figure.words.textContent = words;
    const wide = wideOf(before.length);
    figure.canvas.parentElement.style.setProperty("--x", (state.unit % wide) / wide);
    figure.canvas.parentElement.style.setProperty("--y", Math.floor(state.unit / wide) / Math.ceil(before.length / wide));
    figure.canvas.parentElement.style.setProperty("--cells", wide);
    figure.canvas.setAttribute("aria-label", `${words}: ${inDigits(values[n][state.unit])} at unit ${state.unit}, ${inDigits(sizeOf(values[n]))} in size`);
  });
  [...view.blocks.querySelectorAll(".sign")].forEach((sign, n) => (sign.textContent = SIGNS[state.direction][n]));
  const named_ = [named(view.characters[x[t]]), named(view.characters[y[t]])];
  view.section.querySelector(".what").textContent = isForward ? `Character ${t + 1}, “${named_[0]}”: how “${named_[1]}” was expected. Below the blocks: unit ${state.unit}. Point at another.` : `Backward through character ${t + 1}, “${named_[0]}”. Below the blocks: unit ${state.unit}. Point at another.`;
  if (isForward) drawLetters(view, t);
  else drawWeight(view);
}

function drawLetters(view, t) {
  const { params, pass, characters, y, letters } = view;
  const [o, p] = [scores(params, pass.h[t + 1]), pass.p[t]];
  const shown = characters.length > LETTERS ? order(p).slice(0, LETTERS).sort((a, b) => a - b) : Array.from(characters.keys());
  if (letters.children.length !== shown.length) letters.replaceChildren(...shown.map(() => Object.assign(document.createElement("li"), { innerHTML: "<i></i><u></u><b></b>" })));
  const [mostO, mostP] = [largestOf(o), largestOf(p)];
  shown.forEach((k, n) => {
    const li = letters.children[n];
    bar(li.children[0], o[k] / mostO);
    bar(li.children[1], p[k] / mostP);
    li.children[2].textContent = named(characters[k]).slice(0, 1);
    li.classList.toggle("right", k === y[t]);
  });
}

// the digits of a number in which it differs from another are marked
function digits(cell, value, truth) {
  const written = (v) => (Math.abs(v) >= 1e-4 && Math.abs(v) < 1e5 ? v.toFixed(Math.min(14, 13 - Math.floor(Math.log10(Math.abs(v))))) : v.toExponential(12)).replaceAll("-", "−");
  const [mine, theirs] = value === 0 ? ["0", written(truth)] : [written(value), written(truth)];
  let same = 0;
  while (same < mine.length && mine[same] === theirs[same]) same++;
  cell.replaceChildren(mine.slice(0, same), Object.assign(document.createElement("mark"), { textContent: mine.slice(same) }));
}

const superscript = (n) => `10${String(n).replace("-", "⁻").replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d])}`;

export function placeOf({ state: { theta, index }, h0 }) {
  const m = h0.length;
  if (["b", "c", "h0"].includes(theta)) return [index, null];
  return theta === "U" ? [index % m, Math.floor(index / m)] : [Math.floor(index / m), index % m]; // U lies transposed
}

function drawWeight(view) {
  const { state, section } = view;
  const { sum, centred, complex } = view.answers();
  const [row, column] = placeOf(view);
  section.querySelector(".which").innerHTML = `<b>∂L/∂${NAMES[state.theta]}[${row}${column === null ? "" : `, ${column}`}]</b>, summed over the columns; its terms are under them`;
  digits(section.querySelector(".sum"), sum, complex);
  section.querySelector(".sum").classList.toggle("wrong", Math.abs(sum - complex) > 1e-9 * Math.max(Math.abs(sum), Math.abs(complex)));
  digits(section.querySelector(".centred"), centred, complex);
  digits(section.querySelector(".complex"), complex, complex);
  section.querySelector(".delta").textContent = superscript(state.delta);
}

export function drawMap(view) {
  const { state, map, params, h0, colours, differences } = view;
  const isForward = state.direction === "forward";
  const m = h0.length;
  const values = isForward ? (state.theta === "h0" ? h0 : params[state.theta]) : view.gradientSoFar(state.theta);
  const truth = view.ofAll(view.truth, state.theta);
  const isVector = ["b", "c", "h0"].includes(state.theta);
  const isWrong = !isForward && differences[state.theta] > 0 && (view.theirs || state.column <= 1);
  const scale = isForward ? quantile(values, 0.99) : largestOf(truth) / 3;
  if (isWrong) paintCells(map, values.map((g, i) => Math.abs(g - truth[i]) / (Math.abs(g) + Math.abs(truth[i]) || 1)), isVector ? wideOf(values.length) : m, { ...colours, above: colours.wrong }, (v) => v);
  else paintCells(map, values, isVector ? wideOf(values.length) : m, colours, (v) => v / scale);
  for (const button of view.tabs.children) {
    const share = differences[button.value];
    button.setAttribute("aria-checked", button.value === state.theta);
    button.tabIndex = button.value === state.theta ? 0 : -1;
    button.classList.toggle("wrong", !isForward && share > 0);
    button.lastElementChild.textContent = isForward || (!state.mistake && !view.theirs) ? "" : share ? (share < 0.001 ? share.toExponential(0) : percent(share)) : "same";
  }
  placeMark(view, isVector);
  sayMap(view, isForward, isWrong, isVector);
}

function quantile(values, share) {
  const sorted = Float64Array.from(values, Math.abs).sort();
  return sorted[Math.floor(share * (sorted.length - 1))] || 1;
}

// which cell is chosen: a frame above the map, and the fields for the keyboard
function placeMark(view, isVector) {
  const { map, state } = view;
  const [x, y] = [state.index % map.width, Math.floor(state.index / map.width)];
  for (const [name, value] of Object.entries({ x: x / map.width, y: y / map.height, w: 1 / map.width, h: 1 / map.height })) map.parentElement.style.setProperty(`--${name}`, `${100 * value}%`);
  const [row, column] = placeOf(view);
  view.find("row").value = row;
  view.find("column").value = column ?? "";
  view.find("column").parentElement.hidden = isVector;
}

function sayMap(view, isForward, isWrong, isVector) {
  const { state, map, section, T } = view;
  const [name, size] = [NAMES[state.theta], isVector ? `${view.ofAll(view.truth, state.theta).length} numbers` : `${map.height} × ${map.width}`];
  const weights = isForward ? (state.theta === "h0" ? view.h0 : view.params[state.theta]) : null;
  const sentence = isForward
    ? `${name}, ${size}: half of its numbers are within ±${inDigits(quantile(weights, 0.5))}.`
    : isWrong ? `∂L/∂${name}: red where it differs from the truth.`
    : `∂L/∂${name}, terms of the columns ${T} to ${state.column}${state.column === 1 ? ": all" : ""}.`;
  section.querySelector(".map-says").textContent = `${sentence}${isVector ? "" : state.theta === "U" ? " Rows: characters. Columns: units." : state.theta === "V" ? " Rows: characters. Columns: units." : " Rows: to a unit. Columns: from a unit."}`;
  map.setAttribute("aria-label", sentence);
}

// how the weights in W are distributed: at first, and now
export function drawHistogram(view) {
  const svg = view.section.querySelector(".histogram svg");
  const edge = Math.max(0.25, largestOf(view.params.W));
  const barsOf = (values) => {
    const counts = new Float64Array(75);
    for (const v of values) counts[Math.max(0, Math.min(74, Math.floor(((v / edge + 1) / 2) * 75)))]++;
    return counts;
  };
  const [first, now] = [view.updates.first.W, view.params.W].map(barsOf);
  const most = largestOf(now);
  const path = (counts) => Array.from(counts, (n, i) => `M${8 * i},90h7v${-Math.min(88, (88 * n) / most).toFixed(1)}h-7z`).join("");
  svg.innerHTML = `<path class="first" d="${path(first)}"/><path class="now" d="${path(now)}"/>`;
  view.section.querySelector(".weights-say").textContent = `The numbers in W. Grey: at first. Blue: after ${view.updates.n} update${view.updates.n === 1 ? "" : "s"}.`;
  const ends = view.section.querySelectorAll(".histogram .ends span");
  [ends[0].textContent, ends[2].textContent] = [`−${edge.toFixed(2)}`, edge.toFixed(2)];
}

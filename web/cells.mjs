// Numbers as colours: blocks of cells for states, maps for matrices. Above zero is the page's link colour, below zero ochre,
// zero is paper; a mistake is red.

const NAMES = ["paper", "ink", "above", "below", "wrong"];

// the colours of an element's theme as {name: [red, green, blue]}
function coloursOf(element) {
  const style = getComputedStyle(element);
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const inNumbers = (name) => {
    context.fillStyle = "gray";
    context.fillStyle = style.getPropertyValue(`--${name}`).trim();
    context.fillRect(0, 0, 1, 1);
    return Array.from(context.getImageData(0, 0, 1, 1).data.subarray(0, 3));
  };
  return Object.fromEntries(NAMES.map((name) => [name, inNumbers(name)]));
}

// give an element's colours to `take`, now and whenever its theme is another one
export function onColours(element, take) {
  take(coloursOf(element));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => take(coloursOf(element)));
}

// the cells in a row of a block of m numbers
export const wideOf = (m) => Math.ceil(Math.sqrt(m));

// paint one cell for each number, `wide` in a row; `scale`, more, and NaN have the strongest colour
export function paintCells(canvas, values, { paper, above, below }, scale = 1, wide = wideOf(values.length)) {
  const high = Math.ceil(values.length / wide);
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  const image = context.createImageData(wide, high);
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] / scale);
    const strength = size < 1 ? size ** 0.75 : 1;
    const colour = values[i] < 0 ? below : above;
    for (let part = 0; part < 3; part++) image.data[4 * i + part] = paper[part] + strength * (colour[part] - paper[part]);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// where in a canvas of cells a pointer is: the number of the cell
export function cellAt(canvas, event) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const placeOf = (share, n) => Math.max(0, Math.min(Math.floor(share * n), n - 1));
  const [column, row] = [placeOf((event.clientX - left) / width, canvas.width), placeOf((event.clientY - top) / height, canvas.height)];
  return row * canvas.width + column;
}

// a frame around one of the cells of a canvas
export function frame(element, index, { width, height }) {
  const place = { x: (index % width) / width, y: Math.floor(index / width) / height, w: 1 / width, h: 1 / height };
  for (const [name, share] of Object.entries(place)) element.style.setProperty(`--${name}`, share);
}

// Numbers as colours: blocks of cells for states, maps for matrices. Above zero is the page's link colour, below zero ochre,
// zero is paper; a mistake is red.

// the colours of an element's theme as [red, green, blue]
export function coloursOf(element) {
  const style = getComputedStyle(element);
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const inNumbers = (name, usual) => {
    context.fillStyle = usual;
    context.fillStyle = style.getPropertyValue(name).trim() || usual;
    context.fillRect(0, 0, 1, 1);
    return Array.from(context.getImageData(0, 0, 1, 1).data.subarray(0, 3));
  };
  return { paper: inNumbers("--paper", "#fdfcfa"), ink: inNumbers("--ink", "#1d1d1f"), above: inNumbers("--above", "#0b5cad"), below: inNumbers("--below", "#b08a3e"), wrong: inNumbers("--wrong", "#c8102e") };
}

// paint one cell a number, `wide` in a row; `strength` makes of a number what lies between -1 and 1
export function paintCells(canvas, values, wide, { paper, above, below }, strength) {
  const high = Math.ceil(values.length / wide);
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  const image = context.createImageData(wide, high);
  for (let i = 0; i < values.length; i++) {
    const share = strength(values[i]);
    const [size, colour] = [Math.min(Math.abs(share), 1) ** 0.75, share < 0 ? below : above];
    for (let part = 0; part < 3; part++) image.data[4 * i + part] = paper[part] + size * (colour[part] - paper[part]);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// the cells in a row of a block of m numbers
export const wideOf = (m) => Math.ceil(Math.sqrt(m));

// where in a canvas of cells a pointer is: the number of the cell
export function cellAt(canvas, event) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const [column, row] = [Math.floor(((event.clientX - left) / width) * canvas.width), Math.floor(((event.clientY - top) / height) * canvas.height)];
  return Math.max(0, Math.min(row, canvas.height - 1)) * canvas.width + Math.max(0, Math.min(column, canvas.width - 1));
}

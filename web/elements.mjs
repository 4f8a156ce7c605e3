// What the parts of the page write into their elements, and what they hear from them.

// to write the same again would lay out the page anew, and a screen reader would say it again
export const write = (element, text) => element.textContent === String(text) || (element.textContent = text);

// fill the gaps that the sentences of a section's markup leave, {name: word}
export function fillIn(section, words) {
  for (const [name, word] of Object.entries(words)) for (const gap of section.querySelectorAll(`[data-is=${name}]`)) write(gap, word);
}

// the length of a bar, as a share of the longest
export function bar(element, share) {
  element.style.setProperty("--share", Math.min(1, Math.abs(share)));
  element.classList.toggle("negative", share < 0);
}

// what a screen reader says of a slider
export function tell(slider, about) {
  for (const [name, value] of Object.entries(about)) slider.setAttribute(`aria-value${name}`, value);
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], PageUp: [0, -10], PageDown: [0, 10], Home: [-Infinity, 0], End: [Infinity, 0] };

// Hear the keys that go from place to place: `move` is told by how many. A row below is `wide` places on; where there are no
// rows, the keys for them are the browser's.
export function onKeys(element, move, wide = () => 0) {
  element.addEventListener("keydown", (event) => {
    const [right, down] = MOVES[event.key] ?? [0, 0];
    const by = right + down * wide();
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    move(by);
  });
}

// hear which element of a text is pointed at, or tapped: `choose` is told null when none is any more
export function onPointed(text, choose) {
  for (const kind of ["pointerover", "click"]) text.addEventListener(kind, ({ target }) => target !== text && choose(target));
  text.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && choose(null));
  text.addEventListener("blur", () => choose(null));
}

// How characters are shown: by name where they are invisible, in one span where they belong together, with a colour behind.

const NAMES = { " ": "␣", "\n": "↵", "\t": "⇥" };
const hex = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

export const named = (character) => NAMES[character] ?? (/[\p{C}\p{Z}\p{M}]/u.test(character) ? hex(character) : character);

// whether a character belongs to the one before: an accent, the second half of an Indic syllable or of an emoji
let segmenter; // made when it is needed: that takes a moment
export function joins(before, character) {
  if (character.codePointAt(0) < 0x300 || !globalThis.Intl?.Segmenter) return false;
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  const segments = segmenter.segment(before + character)[Symbol.iterator]();
  segments.next();
  return segments.next().done;
}

// surprise in bits from 0 to 12 as the share of the strongest colour; below zero another colour
export function tint(element, value) {
  element.style.setProperty("--strength", `${(75 * (Math.min(Math.abs(value), 12) / 12) ** 1.3).toFixed(1)}%`);
  element.dataset.bits = Math.min(Math.abs(value), 12).toFixed(1);
  element.classList.toggle("negative", value < 0);
}

export function span(character) {
  const element = document.createElement("span");
  element.textContent = character;
  element.classList.toggle("newline", character === "\n");
  return element;
}

// the elements of some characters, one for those that belong together: as many as characters, some of them the same
export function spans(characters) {
  const elements = [];
  for (const character of characters) {
    const last = elements.at(-1);
    if (last && joins(last.textContent, character)) {
      last.textContent += character;
      elements.push(last);
    } else elements.push(span(character));
  }
  return elements;
}

// What each setting may be, by the table in web/settings.json. The sampler, the trainer's form, saved networks, the page's
// address and Python (report/show/web.py) all check by it.
import TABLE from "./settings.json" with { type: "json" };

// a sentence for the reader, thrown
export class Refusal extends Error {}

// why `value` cannot be the setting `name`, in a sentence; "" if it can
export function complaint(name, value) {
  const { name: subject, must, whole, least = -Infinity, above = -Infinity, most, none, among, pattern } = TABLE[name];
  const inRange = () => typeof value === "number" && value >= least && value > above && value <= most && (!whole || Number.isInteger(value));
  const right =
    among ? among.includes(value)
    : pattern ? typeof value === "string" && new RegExp(`^(${pattern})$`).test(value)
    : (none && value === null) || inRange();
  return right ? "" : `${subject} must be ${must}, got ${value === "" || Number.isNaN(value) ? "nothing that is a number" : value}.`;
}

// a word, of a form or an address, as the setting's value: NaN where it is no number
export function valueOf(name, word) {
  const { among, pattern, none } = TABLE[name];
  if (pattern) return word;
  if (among) return among.find((value) => String(value) === word) ?? word;
  if (word.trim() === "") return none ? null : NaN;
  return Number(word);
}

// the settings of a network to train; throws a Refusal for the first that cannot be
export function checked(settings) {
  for (const name of ["m", "T", "rate", "clip", "seed", "sigma", "optimizer"]) {
    const sentence = complaint(name, settings[name] ?? null);
    if (sentence) throw new Refusal(sentence);
  }
  return settings;
}

// In Jupyter, VS Code, Colab: the page's sampler, trainer and view of one sequence as an anywidget. Settings are traits of the
// model; weights and texts come once, as bytes in a message that is no part of the model, so that no notebook is saved with
// them.
import { bytes } from "./network.mjs";
import { countsOf } from "./ngrams.mjs";
import { mountSampler } from "./sampler.mjs";
import { mountSequence } from "./sequence.mjs";
import { mountTrainer } from "./trainer.mjs";
import { beginner } from "./workers.mjs";

const SETTINGS = ["network", "step", "temperature", "top_p", "length", "prime", "seed", "colour", "counted"];

// what report/show/widget.py sends; where it has left a number in the place of bytes, the buffer of that number
function packedOf(model) {
  return new Promise((resolve) => {
    model.on("msg:custom", (content, buffers) => {
      const whole = (value) => {
        if (Array.isArray(value)) return value.map(whole);
        if (value === null || typeof value !== "object") return value;
        return "buffer" in value ? buffers[value.buffer] : Object.fromEntries(Object.entries(value).map(([name, part]) => [name, whole(part)]));
      };
      resolve(whole(content));
    });
    model.send({});
  });
}

function renderSampler(model, section, { networks, text }, worker) {
  const settingsOf = () => Object.fromEntries(SETTINGS.map((name) => [name, model.get(name)]));
  let saving = false; // what is saved here comes back as a change, which is none
  const save = () => {
    if (!sampler) return; // it writes before it is there
    saving = true;
    for (const [name, value] of Object.entries({ ...sampler.settings, text: sampler.text })) model.set(name, value);
    saving = false;
    model.save_changes();
  };
  let sampler = null;
  sampler = mountSampler(section, networks, { counts: countsOf(text, worker), ...settingsOf(), wrote: save });
  save();
  section.addEventListener("input", save);
  section.addEventListener("network", ({ detail }) => sampler.hold({ name: "the one you have trained", ...detail }));
  model.on(SETTINGS.map((name) => `change:${name}`).join(" "), () => saving || sampler.set(settingsOf()));
  model.on("change:text", () => saving || model.get("text") === sampler.text || sampler.show(model.get("text")));
}

async function render({ model, el }) {
  el.innerHTML = model.get("_markup");
  const section = el.firstElementChild;
  section.addEventListener("keydown", (event) => event.ctrlKey || event.metaKey || event.stopPropagation()); // a notebook has its own use for letters
  const worker = beginner(model.get("_esm").replace(/^export .*$/m, ""));
  const packed = await packedOf(model);
  if (section.classList.contains("sampler")) renderSampler(model, section, packed, worker);
  else if (section.classList.contains("sequence")) {
    const view = mountSequence(section, packed);
    section.addEventListener("sequence", ({ detail }) => view.hold(detail));
  } else mountTrainer(section, packed.training, packed.kernels.map(bytes), worker);
}

export default { render };

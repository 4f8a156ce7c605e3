// The workers: each runs the page's script once more, or the notebook's, and does what its name says.
import { serveCounts } from "./ngrams.mjs";
import { serve } from "./worker.mjs";

export const beginner = (source) => (name) => new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { name });

if (!globalThis.document && globalThis.name) ({ trainer: serve, counts: serveCounts })[globalThis.name]?.(globalThis);

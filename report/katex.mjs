// Formulas on standard input, [{text, display}], to HTML with MathML for screen readers, [{html} or {fault}].
import { readFileSync } from "node:fs";
import katex from "katex";

const options = { output: "htmlAndMathml", strict: "ignore" }; // Jupyter is not strict: a letter may be ä
const set = ({ text, display }) => {
  try {
    return { html: katex.renderToString(text, { ...options, displayMode: display }) };
  } catch (error) {
    return { fault: error.message.replace(/^KaTeX parse error: /, "") };
  }
};
process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(set)));

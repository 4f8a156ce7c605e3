// Formulas on standard input, [{text, display}], to HTML with MathML for screen readers, [string]. Fails on bad TeX.
import { readFileSync } from "node:fs";
import katex from "katex";

const formulas = JSON.parse(readFileSync(0, "utf8"));
const options = { output: "htmlAndMathml", strict: "error", throwOnError: true };
const rendered = formulas.map(({ text, display }) => katex.renderToString(text, { ...options, displayMode: display }));
process.stdout.write(JSON.stringify(rendered));

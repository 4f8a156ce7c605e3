// What web/settings.mjs says of settings, for tests/test_page_settings.py: [[name, value]] on standard input, sentences on standard output.
import { readFileSync } from "node:fs";
import { complaint } from "../web/settings.mjs";

const numbers = { nan: NaN, inf: Infinity };
const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map(([name, value]) => complaint(name, numbers[value] ?? value))));

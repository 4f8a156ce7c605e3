// The page's trainer in a real browser, for tests/test_browser.py: node browser_trainer.mjs CHROMIUM PAGE FILE. A trained network is saved as FILE. What is seen goes to standard output as JSON.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { longestTask } from "./tasks.mjs";

const [executablePath, page, kept] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const seen = { requests: [], complaints: [] };

async function open(script = () => {}) {
  const tab = await browser.newPage({ viewport: { width: 1400, height: 900 }, reducedMotion: "reduce" });
  tab.setDefaultTimeout(0); // a slow machine may take its time
  tab.on("request", (request) => /^(data:|blob:|file:.*report\.html)/.test(request.url()) || seen.requests.push(request.url()));
  tab.on("console", (message) => seen.complaints.push(message.text()));
  tab.on("pageerror", (error) => seen.complaints.push(error.message));
  await tab.addInitScript(script);
  await tab.goto(pathToFileURL(page).href);
  return [tab, tab.locator(".trainer")];
}

const [tab, trainer] = await open();
const field = (name) => trainer.locator(`[name=${name}]`);
const number = async (name) => +(await trainer.locator(`[data-is=${name}]`).textContent()).replaceAll(",", "");
const loss = () => trainer.locator("[data-is=loss]").textContent();
const reading = () => trainer.locator(".reading").textContent();
const says = (text) => tab.waitForFunction((text) => document.querySelector(".trainer .reading").textContent.includes(text), text);
const reached = (step) => tab.waitForFunction((step) => +document.querySelector(".trainer").dataset.step >= step, step);
const heldOut = async () => {
  await tab.waitForFunction(() => /^[\d.]+$/.test(document.querySelector(".trainer [data-is=bits]").textContent));
  return number("bits");
};
const begun = async (name) => {
  const before = (await trainer.getAttribute("data-begun")) ?? "";
  await field(name).click();
  await tab.waitForFunction((before) => (document.querySelector(".trainer").dataset.begun ?? "") !== before, before);
};

// the report's run, again
await tab.waitForFunction(() => document.querySelector(".trainer .reading").textContent && document.querySelector(".sampler").dataset.draws);
seen.invitation = await reading();
await field("one").click();
await reached(1);
seen.first = await loss();
seen.heldOutAtFirst = await heldOut();
const view = tab.locator(".sequence");
seen.view = view && (await view.count()) ? [await view.locator("[name=weights]").inputValue(), await view.locator(".total").innerText()] : null;
// what the page tells on the way; it stops by itself, however long a slow machine takes to look
const stopped = tab.evaluate(() => new Promise((resolve) => {
  const section = document.querySelector(".trainer");
  const [told, number] = [[], (name) => +section.querySelector(`[data-is=${name}]`).textContent.replaceAll(",", "")];
  const observer = new MutationObserver(() => {
    told.push([+section.dataset.step, number("loss")]);
    if (+section.dataset.step < 2000) return;
    observer.disconnect();
    const rate = number("rate");
    section.querySelector("[name=train]").click();
    resolve({ told, rate });
  });
  observer.observe(section, { attributeFilter: ["data-step"] });
}));
seen.task = await longestTask(browser, tab, async () => {
  await field("train").click();
  Object.assign(seen, await stopped);
});
seen.heldOut = await heldOut();
[seen.step, seen.loss] = [await number("step"), +(await loss())];
seen.curve = await trainer.locator("script.packed").evaluate((script) => JSON.parse(script.textContent).curve);
seen.text = await trainer.locator(".drawn").textContent();
seen.colours = await trainer.locator(".drawn span").evaluateAll((spans) => new Set(spans.map((span) => span.dataset.bits)).size);
seen.lines = await trainer.locator(".loss path.live").count();
await field("back").click();
await tab.waitForFunction(() => document.querySelector(".trainer").dataset.step === "0");
await field("one").click();
await reached(1);
seen.firstAgain = await loss();

// a text of one's own; what is impossible leaves it alone
await trainer.locator("summary").click();
await field("own").fill("the whale, the whale! ".repeat(100));
for (const [name, value] of [["m", 20], ["T", 10], ["first", 3]]) await field(name).fill(String(value));
await begun("begin");
await field("train").click();
await reached(500);
seen.refused = [];
const refuse = async (name, wrong, right) => {
  await field(name).fill(wrong);
  if (name === "T" && wrong === "1000") await field("own").fill("ab".repeat(505));
  await trainer.locator("[role=alert]").evaluate((alert) => (alert.textContent = ""));
  await field("begin").click();
  await tab.waitForFunction(() => document.querySelector(".trainer [role=alert]").textContent);
  seen.refused.push(await trainer.locator("[role=alert]").textContent());
  await field(name).fill(right);
};
for (const [name, wrong, right] of [["m", "0", "20"], ["T", "2.5", "10"], ["rate", "-1", "0.1"], ["clip", "0", "5"], ["first", "", "3"]]) await refuse(name, wrong, right);
await reached((await number("step")) + 500);
await tab.evaluate(() => {
  Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
});
await heldOut();
seen.hidden = [await field("train").textContent(), await reading()];
await tab.evaluate(() => delete document.hidden);
[seen.own, seen.ownText, seen.ownLoss] = [await number("bits"), await trainer.locator(".drawn").textContent(), +(await loss())];

// a text that cannot be leaves nothing of the run before
for (const [name, wrong, right] of [["own", "too short", ""], ["own", "a".repeat(2000), ""], ["T", "1000", "10"]]) await refuse(name, wrong, right);
seen.lost = [await trainer.locator("[data-is=step]").textContent(), await loss(), await trainer.locator(".drawn").textContent(), await field("train").isDisabled()];
await field("own").fill("the whale, the whale! ".repeat(100));

// a loss that is large for a while: what is said of it goes when it is no longer true
for (const [name, value] of [["m", 200], ["rate", 1]]) await field(name).fill(String(value));
await begun("begin");
const sentences = tab.evaluate(() => new Promise((resolve) => {
  const [section, reading, told] = [document.querySelector(".trainer"), document.querySelector(".trainer .reading"), []];
  new MutationObserver(() => told.push(reading.textContent)).observe(reading, { childList: true });
  const isOver = () => told.at(-1) === "" || +section.dataset.step > 20_000; // it is gone after some 3,500 steps
  new MutationObserver(() => isOver() && resolve(told)).observe(section, { attributeFilter: ["data-step"] });
}));
await field("train").click();
seen.large = await sentences;
await field("train").click();
for (const [name, value] of [["m", 20], ["rate", 0.1]]) await field(name).fill(String(value));

// Adam with its own rate, and what diverges
await field("optimizer").selectOption("adam");
seen.usualRate = await field("rate").inputValue();
await field("optimizer").selectOption("adagrad");
await field("rate").fill("1e6");
await begun("begin");
await field("train").click();
await says("and stops");
seen.diverged = await reading();
seen.heldOutDiverged = await heldOut();

await begun("restore");
await field("one").click();
await reached(1);
seen.restored = await loss();

// a network is saved, opened again, and sampled from
await field("train").click();
await reached(300);
await field("train").click();
await heldOut();
[seen.savedAt, seen.savedText] = [await number("step"), await trainer.locator(".drawn").textContent()];
const [download] = await Promise.all([tab.waitForEvent("download"), field("save").click()]);
await download.saveAs(kept);
seen.savedAs = download.suggestedFilename();
await begun("restore");
const open_ = async (file) => Promise.all([tab.waitForEvent("filechooser").then((chooser) => chooser.setFiles(file)), field("open").click()]);
await open_({ name: "damaged.gz", mimeType: "application/gzip", buffer: Buffer.from(readFileSync(kept)).fill(7, 2000, 2001) });
await says("damaged");
// with settings that cannot be it is refused in a sentence, and the network that is there stays
function savedWith(name, value) {
  const data = gunzipSync(readFileSync(kept));
  const end = 8 + Number(data.readBigInt64LE(0));
  const header = JSON.parse(data.subarray(8, end));
  const about = JSON.parse(header.__metadata__.about);
  (name === "step" ? about : about.settings)[name] = value;
  header.__metadata__.about = JSON.stringify(about);
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(Buffer.byteLength(text) / 8) * 8 - Buffer.byteLength(text) + text.length));
  const length = Buffer.alloc(8);
  length.writeBigInt64LE(BigInt(padded.length));
  return gzipSync(Buffer.concat([length, padded, data.subarray(end)]));
}
seen.impossible = [];
for (const [name, value] of [["T", 0], ["rate", 0], ["rate", -1], ["rate", null], ["step", -5], ["step", 1e300]]) {
  await open_({ name: "impossible.gz", mimeType: "application/gzip", buffer: savedWith(name, value) });
  await says(`got ${value}.`);
  seen.impossible.push([await reading(), await number("step"), await field("train").isDisabled()]);
}
await open_(kept);
await reached(seen.savedAt);
await heldOut();
[seen.openedAt, seen.openedText] = [await number("step"), await trainer.locator(".drawn").textContent()];
const sampler = tab.locator(".sampler");
const drawnAnew = async (how) => {
  const before = await sampler.getAttribute("data-draws");
  await how();
  await tab.waitForFunction((before) => document.querySelector(".sampler").dataset.draws !== before, before);
  return sampler.locator(".drawn").textContent();
};
seen.sampled = [await sampler.locator(".drawn").textContent(), await drawnAnew(() => field("hand").click())];
seen.sampledAt = await sampler.locator("label:has([name=step]) output").textContent();
seen.sampled.push(await drawnAnew(() => sampler.locator("[name=network]").selectOption("the network")));

const invited = (tab) => tab.waitForFunction(() => document.querySelector(".trainer .reading").textContent);
seen.without = [];
for (const script of [() => delete globalThis.WebAssembly, () => delete globalThis.Worker]) {
  const [tab, without] = await open(script);
  await invited(tab);
  await tab.waitForSelector(".sampler[data-draws]");
  const canCount = await tab.locator(".sampler [name=counted]").isVisible();
  seen.without.push([await without.locator(".reading").textContent(), await without.locator("[name=train]").isDisabled(), canCount]);
  await tab.close();
}
process.stdout.write(JSON.stringify(seen));
await browser.close();

// The page's first screen in a real browser, for tests/test_browser.py: node browser_first.mjs CHROMIUM PAGE ALIVE THROTTLED. What is seen goes to standard output as JSON.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { longestTask } from "./tasks.mjs";

const [executablePath, page, alive, throttled] = process.argv.slice(2); // milliseconds that are enough
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 0 });
const seen = { requests: [], complaints: [], alive: [], throttled: [], size: readFileSync(page).length };

async function open({ slower = 1, width = 1300, hash = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height: width < 500 ? 800 : 900 }, bypassCSP: true, ...options });
  const tab = await context.newPage();
  tab.setDefaultTimeout(0);
  tab.on("request", (request) => /^(data:|blob:|file:.*report\.html)/.test(request.url()) || seen.requests.push(request.url()));
  tab.on("console", (message) => seen.complaints.push(message.text()));
  tab.on("pageerror", (error) => seen.complaints.push(error.message));
  await tab.addInitScript(() => {
    Object.assign(globalThis, { alive: null, shifted: 0 });
    const look = () => (+document.querySelector(".reader")?.dataset.read >= 1 ? (globalThis.alive = performance.now()) : requestAnimationFrame(look));
    requestAnimationFrame(look);
    const observe = (type, see) => new PerformanceObserver((list) => list.getEntries().forEach(see)).observe({ type, buffered: true });
    observe("layout-shift", ({ value }) => (globalThis.shifted += value));
  });
  if (slower > 1) await (await context.newCDPSession(tab)).send("Emulation.setCPUThrottlingRate", { rate: slower });
  await tab.goto(pathToFileURL(page).href + hash, { waitUntil: "commit" });
  return tab;
}

for (const [times, slower, enough] of [[seen.alive, 1, +alive], [seen.throttled, 4, +throttled]]) {
  while (times.length < 3 && !(Math.min(...times) < enough)) { // again if something else runs
    const tab = await open({ slower });
    await tab.waitForFunction(() => globalThis.alive !== null);
    times.push(await tab.evaluate(() => globalThis.alive));
    await tab.context().close();
  }
}

const tab = await open();
const reader = tab.locator(".reader");
const read = async () => +(await reader.getAttribute("data-read"));
const sentence = () => tab.locator(".subtitle").textContent();
const bits = async () => +(await reader.locator("[data-is=bits]").textContent());
await tab.waitForFunction(() => document.querySelector(".sampler")?.dataset.draws);
const [before, began] = [await read(), performance.now()];
seen.task = await longestTask(browser, tab, () => tab.waitForTimeout(1000), 3);
seen.pace = ((await read()) - before) / ((performance.now() - began) / 1000);
seen.shifted = await tab.evaluate(() => globalThis.shifted);
seen.sentences = [await sentence()];
seen.gram = await reader.locator(".gram").textContent();
await reader.locator("[name=pause]").click();
seen.sentences.push(await sentence());
const paused = await read();
await tab.waitForTimeout(400);
seen.isPaused = paused === (await read());

// the slider recolours all that was read; at step 10 the network is worse than a uniform guess where that has weights
seen.bits = {};
const slider = reader.locator("[name=step]");
const shown = () => reader.getAttribute("data-step");
for (let n = +(await slider.getAttribute("max")); n > 0; n--) {
  const before = await shown();
  seen.bits[before] = await bits();
  await slider.press("ArrowLeft");
  await tab.waitForFunction((before) => document.querySelector(".reader").dataset.step !== before, before);
}
seen.bits[await shown()] = await bits();
await slider.press("End");
await tab.waitForFunction((last) => document.querySelector(".reader").dataset.step === last, Object.keys(seen.bits).at(-1));

// by keyboard: look back, type, let it go on, back to the book
const cursor = () => reader.locator(".text").evaluate((text) => [...text.children].findIndex(({ classList }) => classList.contains("cursor")));
const cursorBefore = await cursor();
await reader.locator(".text").focus();
await tab.keyboard.press("ArrowLeft");
await tab.keyboard.press("ArrowLeft");
seen.back = cursorBefore - (await cursor());
await tab.keyboard.press("Home");
seen.first = await cursor();
const letters = [...new Set((await reader.locator(".text").textContent()).slice(0, 20))].join("");
await reader.locator("[name=typed]").fill(letters);
await tab.waitForFunction((n) => +document.querySelector(".reader").dataset.read === n, letters.length);
seen.typed = [await reader.locator(".text").textContent(), letters];
seen.sentences.push(await sentence());
await reader.locator("[name=typed]").press("Enter");
await tab.waitForFunction((n) => +document.querySelector(".reader").dataset.read > n + 5, letters.length);
seen.sentences.push(await sentence());
await reader.locator("[name=typed]").fill("\u{10FFFF}");
seen.unknown = await reader.locator("[role=alert]").textContent();
await reader.locator("[name=back]").click();
seen.sentences.push(await sentence());

await reader.locator("[name=typed]").fill("");
await tab.evaluate(() => document.querySelector("#trainer").scrollIntoView({ behavior: "instant" }));
await tab.waitForTimeout(300);
const away = await read();
await tab.waitForTimeout(400);
seen.stopsOutOfSight = away === (await read());
await tab.context().close();

// where nothing may move: the finished picture, and a button
const still = await open({ reducedMotion: "reduce" });
await still.waitForFunction(() => +document.querySelector(".reader")?.dataset.read >= 100);
await still.waitForTimeout(300);
const first = await still.locator(".reader").getAttribute("data-read");
await still.waitForTimeout(400);
seen.still = [first === (await still.locator(".reader").getAttribute("data-read")), await still.locator(".subtitle").textContent(), await still.locator(".reader [name=pause]").textContent()];
await still.locator(".reader [name=pause]").click();
await still.waitForFunction((n) => +document.querySelector(".reader").dataset.read > +n, first);
await still.context().close();

process.stdout.write(JSON.stringify(seen));
await browser.close();

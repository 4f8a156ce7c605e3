// The page in a real browser, for tests/test_browser.py: node browser.mjs CHROMIUM PAGE. What is seen goes to standard output as
// JSON. axe looks at the whole page, light and wide, and on a phone, in the dark, with a mistake in the view.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { unitOf } from "./tasks.mjs";

const [executablePath, page] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 0 });
const seen = { requests: [], complaints: [], violations: [], wider: [], narrow: [], shift: [] };

async function open(width, colorScheme, more = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true, ...more });
  const tab = await context.newPage();
  tab.setDefaultTimeout(0); // a slow machine may take its time
  tab.on("request", (request) => /^(data:|blob:|file:.*report\.html)/.test(request.url()) || seen.requests.push(request.url()));
  tab.on("console", (message) => seen.complaints.push(message.text()));
  tab.on("pageerror", (error) => seen.complaints.push(error.message));
  await tab.addInitScript(() => {
    globalThis.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => (globalThis.shifted += entry.value)))
      .observe({ type: "layout-shift", buffered: true });
  });
  await tab.goto(pathToFileURL(page).href);
  await tab.waitForSelector(".sampler[data-draws]");
  await tab.evaluate(() => document.fonts.ready);
  return tab;
}

const look = async (tab, width) => {
  await tab.evaluate(() => (location.hash = "#lens=backward&column=1&mistake=H0_DROPPED&theta=W"));
  await tab.waitForFunction(() => document.querySelector(".sequence").dataset.direction === "backward");
  await tab.evaluate(axe);
  const { violations } = await tab.evaluate(() => axe.run({ resultTypes: ["violations"] }));
  seen.violations.push(...violations.map(({ id, nodes }) => `${width} ${id}: ${nodes[0].html.slice(0, 200)}`));
  if (await tab.evaluate(() => document.documentElement.scrollWidth > innerWidth)) seen.wider.push(width);
  const sliders = tab.locator("input[type=range]:visible");
  seen.narrow.push(...await sliders.evaluateAll((all) => all.filter(({ clientWidth }) => clientWidth < 60).map(({ name }) => name)));
};

const tab = await open(1400, "light", { reducedMotion: "reduce" });
seen.shift.push(await tab.evaluate(() => globalThis.shifted));
await look(tab, 1400);
const sampler = tab.locator(".sampler");
const text = () => sampler.locator(".drawn").textContent();
const bars = () => sampler.locator(".bars").evaluate((element) => Array.from(element.children, (bar) => +bar.style.getPropertyValue("--share")));
const done = async () => {
  await tab.waitForFunction((before) => document.querySelector(".sampler").dataset.draws !== before, before);
  before = await sampler.getAttribute("data-draws");
};
let before = await sampler.getAttribute("data-draws");
seen.title = await tab.title();
seen.first = await text();
seen.moved = {};
for (const [name, key] of [["step", "Home"], ["temperature", "ArrowLeft"], ["top_p", "ArrowLeft"], ["length", "ArrowRight"]]) {
  const [was, barsWere] = [await text(), await bars()];
  await sampler.locator(`[name=${name}]`).press(key);
  await done();
  seen.moved[name] = { text: was !== (await text()), bars: JSON.stringify(barsWere) !== JSON.stringify(await bars()) };
  await sampler.locator(`[name=${name}]`).press(key === "Home" ? "End" : key === "ArrowLeft" ? "ArrowRight" : "ArrowLeft");
  await done();
}
seen.back = await text();
await sampler.locator("[name=another]").click();
await done();
seen.another = await text();
await sampler.locator("[name=seed]").fill("1");
await done();
seen.again = await text();
await sampler.locator(".drawn span").nth(80).hover();
seen.reading = await sampler.locator(".reading").textContent();
const chosen = () => sampler.locator(".drawn").evaluate((text) => [...text.children].findIndex(({ classList }) => classList.contains("chosen")));
await sampler.locator(".drawn").focus();
await sampler.locator(".drawn span").nth(80).hover(); // again: focus may have scrolled the text under the pointer
const chosenBefore = await chosen();
await tab.keyboard.press("ArrowRight");
await tab.keyboard.press("ArrowRight");
seen.movedByKey = (await chosen()) - chosenBefore;
seen.readingByKey = await sampler.locator(".reading").textContent();
const tints = () => sampler.locator(".drawn span").evaluateAll((spans) => spans.map((span) => +span.dataset.bits));
await sampler.locator("[name=colour]").selectOption("leaned");
await tab.mouse.move(0, 0);
await sampler.locator(".drawn span").nth(80).hover();
[seen.leaned, seen.tints] = [await sampler.locator(".reading").textContent(), await tints()];
await sampler.locator("[name=colour]").selectOption("unit");
seen.unit = [await sampler.locator(".reading").textContent(), 0];
for (let unit = 0; unit < 10; unit++) { // one unit alone may stay on one side through a whole text
  await sampler.locator("[name=unit]").fill(`${unit}`);
  seen.unit[1] += await sampler.locator(".drawn .negative").count();
}
await sampler.locator("[name=unit]").fill("7");
await sampler.locator("[name=temperature]").press("ArrowLeft");
await done();
seen.address = [await text(), new URL(tab.url()).hash];
const sent = await browser.newPage({ viewport: { width: 1400, height: 900 } });
sent.setDefaultTimeout(0);
await sent.goto(tab.url());
await sent.waitForFunction(() => +document.querySelector(".sampler").dataset.draws > 1); // the first is that of no address
seen.address.push(await sent.locator(".sampler .drawn").textContent());
seen.sentColour = [await sent.locator(".sampler [name=colour]").inputValue(), await sent.locator(".sampler [name=unit]").inputValue()];
// what later chapters have lent: the best network, and names of its units
seen.lent = [await sent.locator(".sampler [name=network] option").allTextContents()];
await sent.locator(".sampler [name=network]").selectOption("the best network");
await sent.waitForFunction((before) => document.querySelector(".sampler .drawn").textContent !== before, seen.address.at(-1));
seen.lent.push(await sent.locator(".sampler [name=colour] option").allTextContents(), await sent.locator(".sampler label:has([name=step]) output").textContent());
await sent.locator(".sampler [name=colour]").selectOption({ label: seen.lent.at(-2).at(-1) });
seen.lent.push(await sent.locator(".sampler .reading").textContent(), new URL(sent.url()).hash);
await sent.close();
await sampler.locator("[name=colour]").selectOption("surprise");
await sampler.locator("[name=temperature]").press("ArrowRight");
await done();
seen.unitKept = await sampler.locator("[name=unit]").inputValue();
await sampler.locator("[name=prime]").fill("\u{10FFFF}");
seen.unknown = await sampler.locator("[role=alert]").textContent();
seen.kept = await text();
// a 5-gram beside it
await sampler.locator("[name=prime]").fill("\n");
await done();
const beside = async () => {
  await tab.waitForFunction(() => document.querySelector(".sampler").dataset.counted === document.querySelector(".sampler").dataset.draws);
  return sampler.locator(".counted").textContent();
};
await sampler.locator("[name=counted]").check();
seen.counted = [await beside()];
await sampler.locator("[name=seed]").fill("2");
await done();
seen.counted.push(await beside());
await sampler.locator("[name=seed]").fill("1");
await done();
seen.counted.push(await beside(), await text());
await sampler.locator("[name=counted]").uncheck();
seen.uncounted = await sampler.locator(".counted").isHidden();
seen.networks = await sampler.locator("[name=network] option").allTextContents();

// the values of curves
const curves = tab.locator("#fig-loss svg");
const values = () => tab.locator("#fig-loss .values").textContent();
const wait = await values();
await curves.scrollIntoViewIfNeeded();
const box = await curves.boundingBox();
await tab.mouse.move(box.x + 0.3 * box.width, box.y + 0.5 * box.height);
seen.values = [wait, await values()];
await tab.mouse.move(box.x, box.y - 20);
seen.values.push(await values());
await curves.focus();
for (const key of ["Home", "ArrowRight", "End"]) {
  await tab.keyboard.press(key);
  seen.values.push(await values());
}
seen.curves = JSON.parse(await tab.locator("#fig-loss .curves").textContent());

// a faulty address is said, and the rest of it holds; a long priming text neither blocks the page nor overflows
const faulty = await browser.newPage();
faulty.setDefaultTimeout(0);
await faulty.goto(`${pathToFileURL(page).href}#step=1x&temperature=0&top_p=0.9&length=1e9&seed=`);
await faulty.waitForFunction(() => +document.querySelector(".sampler")?.dataset.draws > 0);
const valueOf = (name) => faulty.locator(`.sampler [name=${name}]`).inputValue();
seen.faulty = [await faulty.locator(".sampler [role=alert]").textContent(), await valueOf("temperature"), await valueOf("top_p"), await valueOf("length"), await faulty.locator(".trainer .reading").textContent()];
seen.long = await faulty.evaluate(async () => {
  const longest = [0];
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => longest.push(duration))).observe({ type: "longtask" });
  const [section, prime] = [document.querySelector(".sampler"), document.querySelector(".sampler [name=prime]")];
  const short = prime.value.slice(0, 3);
  const ten = prime.value.slice(0, 10);
  const drawn = async (text) => {
    const was = section.dataset.draws;
    prime.value = text;
    prime.dispatchEvent(new Event("input", { bubbles: true }));
    while (section.dataset.draws === was) await new Promise((resolve) => setTimeout(resolve, 20));
    return [section.querySelector(".drawn").textContent, section.querySelectorAll(".drawn .given").length];
  };
  const [ofMany, elements] = await drawn(ten.repeat(520));
  const before = section.dataset.draws;
  prime.value = ten.repeat(13_000);
  const began = performance.now();
  prime.dispatchEvent(new Event("input", { bubbles: true }));
  const took = performance.now() - began;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const isReading = section.dataset.draws === before;
  await drawn(short);
  return { took, isReading, longest: Math.max(...longest), beginning: ofMany.slice(0, 1), elements };
});
seen.long.took /= await unitOf(faulty);
await faulty.close();

// one key for all code; the abstract's numbers lead to where they come from
const open_ = () => tab.locator("details.code[open]").count();
seen.code = [await open_()];
await tab.locator("body").press("c");
seen.code.push(await open_(), await tab.locator("details.code").count());
await tab.emulateMedia({ media: "print" });
seen.print = await tab.evaluate(() => ["details.code pre", ".sampler .drawn", ".trainer .loss", "#fig-loss svg"].map((name) => document.querySelector(name).checkVisibility()));
await tab.emulateMedia({ media: "screen" });
await tab.locator("body").press("c");
seen.code.push(await open_());
await sampler.locator("[name=prime]").press("c");
seen.code.push(await open_());
await tab.locator("#contents input").uncheck(); // a key that those who speak to their computer can switch off
await tab.locator("body").press("c");
seen.code.push(await open_());
seen.from = await tab.locator(".abstract a").evaluateAll((links) => links.map((link) => [link.textContent, document.querySelector(link.hash)?.closest("section[id^=chapter]")?.id]));

// nothing moves for who wants that, and the answer is there within a frame or two
seen.took = await tab.evaluate(async () => {
  const slider = document.querySelector(".sampler [name=temperature]");
  const section = document.querySelector(".sampler");
  const taken = [];
  for (let n = 0; n < 10; n++) {
    const before = section.dataset.draws;
    const began = performance.now();
    slider.value = 0.5 + 0.05 * n;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    while (section.dataset.draws === before) await new Promise((resolve) => requestAnimationFrame(resolve));
    taken.push(performance.now() - began);
  }
  return taken;
});
// on a phone
const touched = await open(390, "dark", { hasTouch: true, isMobile: true, reducedMotion: "reduce" });
seen.shift.push(await touched.evaluate(() => globalThis.shifted));
await look(touched, 390);
await touched.locator(".sampler .drawn span").nth(60).tap();
seen.unreachable = await touched.evaluate(() => {
  const wide = [...document.querySelectorAll(".katex-display")].filter((formula) => formula.scrollWidth > formula.clientWidth + 1);
  const unreachable = () => wide.filter((formula) => formula.tabIndex < 0).length;
  for (const formula of wide) formula.removeAttribute("tabindex"); // as if it had been laid out in other letters
  const before = unreachable();
  document.fonts.dispatchEvent(new Event("loadingdone"));
  return [before, unreachable()];
});
seen.readingByTouch = await touched.locator(".sampler .reading").textContent();
process.stdout.write(JSON.stringify(seen));
await browser.close();

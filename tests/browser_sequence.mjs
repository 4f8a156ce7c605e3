// The view of one sequence in a real browser, for tests/test_browser.py: node browser_sequence.mjs CHROMIUM PAGE. What is seen goes to standard output as JSON.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { longestTask } from "./tasks.mjs";

const [executablePath, page] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 0 });
const seen = { complaints: [] };

const context = await browser.newContext({ viewport: { width: 1300, height: 900 }, reducedMotion: "reduce" });
const tab = await context.newPage();
tab.setDefaultTimeout(0);
tab.on("console", (message) => seen.complaints.push(message.text()));
tab.on("pageerror", (error) => seen.complaints.push(error.message));
await tab.goto(`${pathToFileURL(page).href}#lens=backward&column=1&mistake=H0_DROPPED&theta=W`);
await tab.waitForFunction(() => document.querySelector(".sequence .column"));
const view = tab.locator(".sequence");
const reading = () => view.locator(".reading").innerText();
seen.mistake = [await reading(), await view.locator(".column.wrong").count(), await view.locator(".tabs .wrong").count()];
await view.locator("[name=start]").selectOption("zero");
seen.atZero = await reading();
await view.locator("[name=mistake]").selectOption("");
seen.none = await view.locator(".column.wrong").count();
const weights = await view.locator("[name=weights]").inputValue();
await view.locator("[name=weights]").selectOption("before training");
seen.costs = [await view.locator(".bits").allTextContents(), await view.locator(".total").innerText()];
await view.locator("[name=weights]").selectOption(weights);

// by keyboard: columns, units, a number of U, delta
const strip = view.locator(".strip");
const press = async (part, ...keys) => {
  await part.focus();
  for (const key of keys) await tab.keyboard.press(key);
};
await press(strip, "End", "ArrowLeft", "ArrowLeft");
seen.column = [+(await strip.getAttribute("aria-valuenow")), +(await strip.getAttribute("aria-valuemax")), await strip.getAttribute("aria-valuetext")];
await press(view.locator(".blocks"), "Home", "ArrowDown", "ArrowRight");
seen.unit = [await view.locator("[data-is=unit]").textContent(), await view.locator(".blocks").getAttribute("aria-valuetext")];
await press(view.locator("[name=theta][value=U]"), "Enter");
seen.which = [await view.locator(".weight caption b").textContent()];
await press(view.locator(".map"), "Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown");
seen.which.push(await view.locator(".weight caption b").textContent());
await press(view.locator("[name=theta][value=W]"), "Enter");
const centred = () => view.locator(".centred").textContent();
seen.centred = [await centred()];
await view.locator("[name=delta]").press("Home");
seen.centred.push(await centred(), await view.locator(".sum").textContent(), await view.locator(".complex").textContent());
await view.locator("[value=forward]").press("Enter");
seen.forward = await reading();

// what a screen reader says is there at once
await tab.evaluate(() => {
  globalThis.said = [];
  const status = document.querySelector(".sequence [role=status]");
  new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
});
await press(view.locator("[name=next]"), "Enter");
seen.said = [await tab.evaluate(() => globalThis.said), await reading()];

// it plays in short tasks, and moves to other parameters
seen.task = await longestTask(browser, tab, async () => {
  await press(strip, "End", ...Array(8).fill("ArrowLeft"));
  await view.locator("[name=play]").press("Enter");
  await tab.waitForFunction(() => document.querySelector(".sequence [name=play]").textContent === "Play");
  for (const theta of ["U", "W"]) await view.locator(`[name=theta][value=${theta}]`).press("Enter");
}, 3);
seen.played = await strip.getAttribute("aria-valuenow");

// on paper there is a picture instead of what can be pressed, and the caption is that of both
await tab.emulateMedia({ media: "print" });
seen.print = await tab.evaluate(() => [".sequence", ".view figure svg", ".view .caption", ".trainer button", ".sampler button"].map((name) => document.querySelector(name).checkVisibility()));
await tab.emulateMedia({ media: "screen" });

// AdaGrad from the first weights, one step a press
const update = view.locator("[name=update]");
const total = () => view.locator(".total").innerText();
for (let n = 0; n < 4; n++) await update.press("Enter");
seen.updated = await total();
await view.locator("[name=pace]").selectOption("warm");
for (let n = 0; n < 4; n++) await update.press("Enter");
seen.warm = await total();

// a link may ask for too much
await tab.evaluate(() => (location.hash = "#lens=backward&column=999&unit=-5&delta=-99&theta=Q&a]b=1"));
await tab.waitForFunction(() => document.querySelector(".sequence").dataset.direction === "backward");
seen.asked = [await strip.getAttribute("aria-valuenow"), await view.locator(".blocks").getAttribute("aria-valuenow"), await view.locator("[data-is=delta]").textContent(), await view.locator("[name=theta][aria-pressed=true]").getAttribute("value")];

// the same link once more sets the same again
const link = tab.locator("a[href*='lens='][href*='start=zero']").first();
await link.click();
await view.locator("[name=mistake]").selectOption("");
await view.locator("[name=theta][value=c]").press("Enter");
await link.click();
seen.again = [await view.locator("[name=mistake]").inputValue(), await view.locator("[name=theta][aria-pressed=true]").getAttribute("value")];

// the pointer chooses a number, and a click keeps it
const which = () => view.locator(".weight caption b").textContent();
const at = (x, y) => view.locator(".map").hover({ position: { x, y } });
await at(40, 40);
seen.pointed = [await which()];
await at(90, 90);
seen.pointed.push(await which());
await view.locator(".map").click({ position: { x: 90, y: 90 } });
await at(40, 40);
seen.pointed.push(await which());

// until the sequences are used up, then again
while ((await update.textContent()) !== "Begin again") await update.press("Enter");
seen.last = [await total()];
await update.press("Enter");
seen.last.push(await total());
process.stdout.write(JSON.stringify(seen));
await browser.close();

// The sampler and the trainer in a real JupyterLab, for tests/test_widget.py: node browser_jupyter.mjs CHROMIUM ADDRESS. What is seen goes to standard output as JSON.
import { chromium } from "playwright-core";

const [executablePath, address] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const tab = await browser.newPage({ viewport: { width: 1400, height: 2400 } });
tab.setDefaultTimeout(180_000);
const seen = {};
await tab.goto(address);
await tab.locator(".jp-Notebook .jp-CodeCell").first().waitFor();
const run = async (n, wait) => {
  const cell = tab.locator(`.jp-Notebook .jp-CodeCell >> nth=${n}`);
  await cell.locator(".cm-content").click();
  await tab.keyboard.press("Control+Enter");
  await wait?.(cell);
  return cell;
};
const section = ".jp-OutputArea .sampler";
const sampler = tab.locator(section);
const text = () => sampler.locator(".drawn").textContent();
const plain = async () => (await text()).replaceAll("↵", "");
const draws = async (how) => {
  const before = await sampler.getAttribute("data-draws").catch(() => "");
  await how();
  await tab.waitForFunction(([section, before]) => document.querySelector(section).dataset.draws !== before, [section, before]);
};
await tab.getByText("| Idle").waitFor(); // the kernel listens
await run(0, () => tab.waitForSelector(`${section}[data-draws]`));
seen.drawn = await plain();
for (const name of ["2", "3", "4"]) await draws(() => sampler.locator("[name=another]").click());
seen.moved = await plain();
await tab.waitForTimeout(1000);
const said = async (n, word) => {
  const cell = await run(n, (cell) => cell.locator(".jp-OutputArea-output", { hasText: word }).waitFor());
  return cell.locator(".jp-OutputArea-output").textContent();
};
seen.printed = await said(3, "PYTHON");
await run(1, () => tab.locator(".jp-OutputArea .widget-slider").waitFor());
await draws(async () => {
  await tab.locator(".jp-OutputArea .noUi-handle").focus();
  await tab.keyboard.press("ArrowLeft");
});
seen.linked = await plain();
await draws(() => said(4, "SET"));
await tab.waitForTimeout(500);
seen.set = [await sampler.locator("label:has([name=temperature]) output").textContent(), await sampler.locator("[name=seed]").inputValue()];
await draws(() => said(5, "READ"));
seen.read = await plain();
seen.colours = await sampler.locator(".drawn span").evaluateAll((spans) => new Set(spans.map((span) => span.dataset.bits)).size);
await draws(() => said(6, "BEST"));
seen.units = await sampler.locator("[name=colour] option").allTextContents();
seen.networks = await sampler.locator("[name=network] option").allTextContents();
await draws(() => sampler.locator("[name=network]").selectOption("the network"));
await sampler.locator("[name=counted]").check();
await tab.waitForFunction((section) => document.querySelector(section).dataset.counted, section);
seen.counted = await sampler.locator(".counted span").count();
await sampler.locator("[name=counted]").uncheck();
seen.took = await tab.evaluate(async (name) => {
  const section = document.querySelector(name);
  const slider = section.querySelector("[name=temperature]");
  const taken = [];
  for (let n = 0; n < 10; n++) {
    const before = section.dataset.draws;
    const began = performance.now();
    slider.value = 0.6 + 0.05 * n;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    while (section.dataset.draws === before) await new Promise((resolve) => requestAnimationFrame(resolve));
    taken.push(performance.now() - began);
  }
  return taken;
}, section);
await run(7, () => tab.locator(".jp-OutputArea .sequence .column").first().waitFor());
const view = tab.locator(".jp-OutputArea .sequence");
await view.locator("[value=backward]").click();
seen.view = [await view.locator("[name=weights]").inputValue(), await view.locator(".column.wrong").count(), await view.locator(".reading").innerText()];
const own = await run(8, (cell) => cell.getByText("words of my own").last().waitFor());
const prose = await run(9, (cell) => cell.getByText("It is 2.").waitFor());
await run(2, () => tab.locator(".jp-OutputArea .trainer .reading", { hasText: "Press" }).waitFor());
seen.sources = await Promise.all([own, prose].map((cell) => cell.locator(".jp-Cell-inputWrapper").isVisible()));
const trainer = tab.locator(".jp-OutputArea .trainer");
await trainer.locator("[name=train]").click();
await tab.waitForFunction(() => +document.querySelector(".trainer").dataset.step >= 500);
await trainer.locator("[name=train]").click();
await tab.waitForFunction(() => !document.querySelector(".trainer [data-is=bits]").textContent.includes("–"));
seen.trained = +(await trainer.getAttribute("data-step"));
seen.loss = +(await trainer.locator("[data-is=loss]").textContent());
if (process.env.PICTURE) await tab.screenshot({ path: process.env.PICTURE });
await tab.keyboard.press("Control+s");
await tab.waitForTimeout(2000);
process.stdout.write(JSON.stringify(seen));
await browser.close();

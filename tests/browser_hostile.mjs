// The page of a text like no other on a phone, for tests/test_browser.py: node browser_hostile.mjs CHROMIUM PAGE. What is seen goes to standard output as JSON.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, page] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 0 });
const seen = { requests: [], complaints: [] };
const context = await browser.newContext({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true, reducedMotion: "reduce" });
const tab = await context.newPage();
tab.setDefaultTimeout(0); // a slow machine may take its time
tab.on("request", (request) => /^(data:|blob:|file:.*report\.html)/.test(request.url()) || seen.requests.push(request.url()));
tab.on("console", (message) => seen.complaints.push(message.text()));
tab.on("pageerror", (error) => seen.complaints.push(error.message));
await tab.goto(pathToFileURL(page).href);
await tab.waitForSelector(".sampler[data-draws]");
seen.title = await tab.title();
seen.isWider = await tab.evaluate(() => document.documentElement.scrollWidth > innerWidth);
// what is written from the right, and characters that belong together
const strange = "مرحبا 👩‍🚀";
const look = (name) => tab.locator(name).evaluate((element) => [getComputedStyle(element).direction, element.textContent, Array.from(element.children, (child) => child.textContent)]);
await tab.locator(".reader [name=typed]").fill(strange);
await tab.waitForFunction((n) => +document.querySelector(".reader").dataset.read === n, [...strange].length);
await tab.locator(".sampler [name=prime]").fill(strange);
await tab.waitForFunction((strange) => document.querySelector(".sampler .drawn").textContent.startsWith(strange), strange);
seen.strange = [await look(".reader .text"), await look(".sampler .drawn"), await tab.locator(".reader [name=typed]").evaluate((field) => getComputedStyle(field).direction)];

// the report's run, again
const trainer = tab.locator(".trainer");
const loss = async () => +(await trainer.locator("[data-is=loss]").textContent());
const reached = (step) => tab.waitForFunction((step) => +document.querySelector(".trainer").dataset.step >= step, step);
await trainer.locator("[name=one]").click();
await reached(1);
seen.losses = [await loss()];
await trainer.locator("[name=train]").click();
await reached(1000);
seen.losses.push(await loss());
seen.curve = await trainer.locator("script.packed").evaluate((script) => JSON.parse(script.textContent).curve);
process.stdout.write(JSON.stringify(seen));
await browser.close();

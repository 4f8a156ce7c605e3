// README's picture, the page's first screen and the same on a phone in the dark: node tools/picture.mjs CHROMIUM PAGE PICTURE
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, page, picture] = process.argv.slice(2);
const READ = 102; // characters that have been read
const GAP = 16;

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

async function firstScreen(viewport, colorScheme) {
  const tab = await browser.newPage({ viewport, colorScheme });
  await tab.goto(pathToFileURL(page).href);
  await tab.evaluate(() => document.fonts.ready);
  await tab.waitForFunction((read) => +document.querySelector(".reader").dataset.read >= read, READ, { timeout: 0 });
  const png = await tab.screenshot();
  await tab.close();
  return `<img width="${viewport.width}" src="data:image/png;base64,${png.toString("base64")}">`;
}

const [wide, phone] = [{ width: 1300, height: 600 }, { width: 390, height: 800 }];
const screens = await Promise.all([firstScreen(wide, "light"), firstScreen(phone, "dark")]);
const small = { height: wide.height, width: Math.round((phone.width * wide.height) / phone.height) };
const tab = await browser.newPage({ viewport: { width: wide.width + GAP + small.width, height: wide.height } });
await tab.setContent(`<body style="margin: 0; display: flex; gap: ${GAP}px">${screens[0]}${screens[1].replace(`"${phone.width}"`, `"${small.width}"`)}</body>`);
await tab.evaluate(() => Promise.all(Array.from(document.images, (image) => image.decode())));
writeFileSync(picture, await tab.screenshot());
await browser.close();

// For the tests of the page in a browser: how long its longest task is, on a fast machine or a slow one, busy or not.

const SUM = 10_000_000; // numbers to add, about ten milliseconds

// the milliseconds in which a tab adds them
export const unitOf = (tab) =>
  tab.evaluate((n) => {
    const times = Array.from({ length: 9 }, () => {
      const began = performance.now();
      let sum = 0;
      for (let i = 0; i < n; i++) sum += i / (i + 1);
      return performance.now() - began + 0 * sum;
    });
    return Math.min(...times);
  }, SUM);

// The processor's time of the longest task of a tab's process while `act` goes on, in times of adding SUM numbers there; the
// least of some `turns`: what other programs slow down is slow in one of them, what the page does too long is in each
export async function longestTask(browser, tab, act, turns = 1) {
  const unit = await unitOf(tab);
  const longest = [];
  for (let turn = 0; turn < turns; turn++) longest.push(await longestOf(browser, tab, act));
  return Math.min(...longest) / unit;
}

async function longestOf(browser, tab, act) {
  await browser.startTracing(tab, { categories: ["toplevel"] });
  await act();
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const isMain = new Set(traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter(({ ph, pid, tid, tdur }) => ph === "X" && tdur && isMain.has(`${pid} ${tid}`));
  return Math.max(...tasks.map(({ tdur }) => tdur / 1000));
}

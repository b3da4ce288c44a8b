/** How soon the console shows an estate of 10,000 volumes, and how soon its slider shows another moment. */
import { Browser, type Page } from '@brickyard/browser';
import { withGateway } from './large-log';
import { percentile, type Figure } from './report';

const VOLUMES = 10_000;
const FIRST_VIEW_MS = 1_000;
const SLIDER_MS = 300;
const VIEWS = 5;
const MOVES = 40;

/** From opening the page to everything of the topology being on it. */
async function firstView(browser: Browser, url: string): Promise<number> {
  const page = await browser.page();
  const from = performance.now();
  await page.open(`${url}/console/`);
  await page.until("document.querySelectorAll('[role=meter]').length > 100");
  return performance.now() - from;
}

/** From a move of the slider to the page as it was then, volumes included; measured in the page. */
const moveSlider = (page: Page, position: number): Promise<number> =>
  page.evaluate<number>(`new Promise((resolve) => {
    const slider = document.getElementById('moment');
    const from = performance.now();
    const look = () => {
      const shown = document.querySelector('[data-position]')?.dataset.position;
      if (shown === '${String(position)}') resolve(performance.now() - from); else setTimeout(look, 2);
    };
    slider.value = ${String(position)};
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    look();
  })`);

async function measure(url: string, head: number): Promise<readonly Figure[]> {
  const browser = await Browser.start();
  try {
    const views: number[] = [];
    for (let number = 0; number < VIEWS; number++) views.push(await firstView(browser, url));
    const page = await browser.page();
    await page.open(`${url}/console/`);
    await page.until("document.querySelectorAll('[role=meter]').length > 100");
    const jumps: number[] = [];
    const steps: number[] = [];
    for (let number = 0; number < MOVES; number++) {
      const position = 1 + ((number * 7_919_191) % (head - 2_000));
      jumps.push(await moveSlider(page, position));
      steps.push(await moveSlider(page, position + 137));
    }
    const note = `${String(head)} events, ${String(VOLUMES)} volumes`;
    return [
      { name: 'console: first view, median', value: percentile(views, 0.5), unit: 'ms', limit: FIRST_VIEW_MS, note },
      { name: 'console: slider to anywhere, median', value: percentile(jumps, 0.5), unit: 'ms', limit: SLIDER_MS },
      { name: 'console: slider to anywhere, p95', value: percentile(jumps, 0.95), unit: 'ms' },
      { name: 'console: slider a little further, p95', value: percentile(steps, 0.95), unit: 'ms', limit: SLIDER_MS },
    ];
  } finally {
    await browser.stop();
  }
}

/** Runs with a gateway, without authentication, on a log of 10,000 volumes of its own. */
export const withEstate = <T>(
  say: (text: string) => void,
  work: (url: string, head: number) => Promise<T>,
): Promise<T> => {
  const shape = { isEnough: (volumes: number) => volumes >= VOLUMES, deletes: false, snapshots: true };
  return withGateway(shape, say, ({ url, head }) => work(url, head));
};

/** First view and slider, on a log of its own. */
export const benchConsole = (say: (text: string) => void): Promise<readonly Figure[]> => withEstate(say, measure);

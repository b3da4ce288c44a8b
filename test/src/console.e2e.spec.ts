/** The console in a real browser, against a whole system whose hosts are simulated. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser, chromiumProgram, type Page } from '@brickyard/browser';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(300_000);

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
/** Where pictures of every page are put for people to look at; nowhere unless asked for. */
const PICTURES = process.env['BRICKYARD_PICTURES'];
const PAGES = ['topology', 'volumes', 'operations', 'events', 'drift'];

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly string[];
}

const withBrowser = chromiumProgram() !== undefined ? describe : describe.skip; // Installed by `npm test` on Debian.

withBrowser('the console', () => {
  let system: StackUnderTest;
  let browser: Browser;
  let page: Page;
  let origin: string;
  let volume: { readonly id: string; readonly name: string };

  beforeAll(async () => {
    system = await stackUnderTest({ hosts: 'simulated', nodes: 3, registry: false });
    origin = new URL(system.stack.apiUrl).origin;
    volume = await system.createVolume({
      size: 2,
      name: 'first',
      durability: { type: 'replicate', replicate: { replica: 3 } },
    });
    browser = await Browser.start();
    page = await browser.page();
    await page.size(1_280, 900);
  });

  afterAll(async () => {
    await browser.stop(); // Before its pages lose the gateway.
    await system.end();
  });

  const text = (): Promise<string> => page.evaluate<string>('document.body.innerText');
  const hash = (route: string): Promise<void> => page.evaluate(`void (location.hash = '#/${route}')`);
  /** Shows a page and waits for what it is about. */
  const show = async (route: string): Promise<void> => {
    await hash(route);
    const [name = ''] = route.split('/');
    await page.until(`document.querySelector('main h2')?.id.startsWith('${name}') === true
      && document.querySelector('main tbody tr, main .good, main .notice') !== null
      && !document.body.innerText.includes('Loading')`);
  };
  const positionShown = (): Promise<number> =>
    page.evaluate<number>("Number(document.querySelector('[data-position]')?.dataset.position)");
  const picture = async (name: string): Promise<void> => {
    if (PICTURES !== undefined) await page.picture(join(PICTURES, `${name.replace(/\/.*?(?=-)/, '')}.png`));
  };
  const violations = (): Promise<readonly Violation[]> =>
    page.evaluate(`(async () => {
      const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] });
      return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html }) => html.slice(0, 160)) }));
    })()`);

  it('shows a browser that opens the gateway the way, and nobody else', async () => {
    const browserLike = { headers: { accept: 'text/html,*/*' }, redirect: 'manual' } as const;
    const redirected = await fetch(`${origin}/`, browserLike);
    expect([redirected.status, redirected.headers.get('location')]).toEqual([302, '/console/']);
    expect((await fetch(`${origin}/`)).status).toBe(401);
    expect((await fetch(`${origin}/console/../volumes`)).status).toBe(401);
    expect((await fetch(`${origin}/console/nosuch.js`)).status).toBe(404);
    expect((await fetch(`${origin}/console/%2e%2e/package.json`)).status).not.toBe(200);
    const shown = await fetch(`${origin}/console/`);
    const policy = shown.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
  });

  it('asks for the key, refuses a wrong one, and lets the right one in', async () => {
    await page.open(`${origin}/`);
    await page.until("document.querySelector('input[name=key]') !== null");
    const enter = async (key: string): Promise<void> => {
      await page.evaluate("document.querySelector('input[name=key]').select()");
      await page.type(key);
      await page.press('Enter');
    };
    await enter('wrong');
    await page.until("document.querySelector('[role=alert]')?.innerText.includes('does not take this key')");
    page.complaints.length = 0; // The browser tells of every 401.
    await enter(system.stack.adminKey);
    await page.until("document.querySelector('[data-position]') !== null");
    expect(await page.evaluate('localStorage.length === 0 || !JSON.stringify(localStorage).includes("key")')).toBe(
      true,
    );
  });

  it('shows zones, nodes and devices with their fill, and says that hosts are simulated', async () => {
    await page.until("document.querySelectorAll('[role=meter]').length > 6");
    const shown = await text();
    expect(shown).toMatch(/Zone 1[\s\S]*Zone 2[\s\S]*Zone 3/);
    expect(shown).toContain('simulated');
    const total = await page.evaluate<number>("document.querySelectorAll('li.card [role=meter]').length");
    expect(total).toBeGreaterThanOrEqual(6);
  });

  it('shows volumes and why one lies where it lies', async () => {
    await hash('volumes');
    await page.until("document.querySelector('main a')?.innerText === 'first'");
    await page.evaluate("document.querySelector('main a').click()");
    await page.until("document.querySelectorAll('tr.chosen').length === 3");
    const shown = await text();
    expect(shown).toContain('no rule spoke against it');
    expect(shown).toContain('POST /volumes');
    await page.until("document.body.innerText.includes('VolumeCreated')");
  });

  it('shows events and operations as they happen', async () => {
    await hash('events');
    await page.until("document.body.innerText.includes('VolumeCreated')");
    const before = await positionShown();
    await system.createVolume({ size: 1, name: 'second' });
    await page.until(`Number(document.querySelector('[data-position]').dataset.position) > ${String(before)}`);
    await page.until("document.querySelector('tbody tr')?.innerText.includes('VolumeCreated')");
    const enter = async (words: string): Promise<void> => {
      await page.evaluate("document.querySelector('[role=search] input').select()");
      await page.type(words);
      await page.press('Enter');
    };
    await enter('VolumeCreated');
    await page.until("document.body.innerText.includes('2 found in the whole log')");
    await enter(volume.id);
    await page.until(`!document.body.innerText.includes('2 found') && document.body.innerText.includes('found in the whole log')
      && [...document.querySelectorAll('tbody tr')].every((row) => row.textContent.includes('${volume.id}'))`);
    await enter('nobody');
    await page.until("document.body.innerText.includes('0 found in the whole log')");
    await hash('operations');
    await page.until("document.body.innerText.includes('create-volume')");
    await page.evaluate("document.querySelector('main a[href*=operation]').click()");
    await page.until("document.querySelectorAll('main table').length >= 2");
    expect(await text()).toContain('CreateGlusterVolume');
  });

  it('takes the whole page to any moment with the slider, by keyboard, and back', async () => {
    await hash('volumes');
    await page.until("document.body.innerText.includes('second')");
    await page.evaluate("document.getElementById('moment').focus()");
    await page.press('Home');
    await page.until("document.querySelector('.time.past') !== null && document.body.innerText.includes('0 found')");
    const planned = (await (await ask(`/v1/history/volumes/${volume.id}`)).json()) as {
      events: { position: number }[];
    };
    const position = planned.events.at(-1)?.position ?? 0;
    await page.evaluate(`(() => {
      const slider = document.getElementById('moment');
      slider.value = ${String(position)};
      slider.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
    await page.until("document.body.innerText.includes('1 found')");
    await page.until(`document.querySelector('[data-position]').dataset.position === '${String(position)}'`);
    expect(await text()).not.toContain('second');
    await page.evaluate("document.getElementById('moment').focus()");
    await page.press('End');
    await page.until("document.querySelector('.time.past') === null && document.body.innerText.includes('second')");
  });

  const ask = async (path: string): Promise<Response> => {
    const answer = await system.api.get(path);
    return new Response(JSON.stringify(answer.body));
  };

  it.each(['light', 'dark'] as const)('is accessible on every page in %s colours', async (scheme) => {
    await page.colours(scheme);
    await page.evaluate(`${AXE}; undefined`);
    for (const route of [...PAGES, `volume/${volume.id}`]) {
      await show(route);
      await picture(`${route}-${scheme}`);
      expect({ route, violations: await violations() }).toEqual({ route, violations: [] });
    }
  });

  it('can be read on a phone: nothing is wider than the screen', async () => {
    await page.size(360, 740, true);
    for (const route of [...PAGES, `volume/${volume.id}`]) {
      await show(route);
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      await picture(`${route}-phone`);
      expect({ route, width }).toEqual({ route, width: 360 });
    }
  });

  it('asked nobody but the gateway for anything, and broke none of its own rules', () => {
    expect(page.requests.filter((url) => !url.startsWith(origin) && !url.startsWith('data:'))).toEqual([]);
    expect(page.requests.length).toBeGreaterThan(20);
    expect(page.complaints.filter((text) => !text.includes('/v1/drift'))).toEqual([]);
  });
});

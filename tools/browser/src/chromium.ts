/** A real browser without a window, driven over pipes by its own protocol: nothing listens on any port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type BrowserEvent, Page } from './page';

/** Where Debian and others put it. */
const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser's program, when one is installed. */
export const chromiumProgram = (): string | undefined => PROGRAMS.find((path) => existsSync(path));

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

interface Waiting {
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: Error) => void;
}

const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox', // As root in a container there is no other way; it only ever sees our own pages.
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars',
  '--remote-debugging-pipe',
];
/** Commands and answers are JSON, each ended by a zero. */
const END = '\0';

/** A running browser. */
export class Browser {
  private last = 0;
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners = new Map<string, (event: BrowserEvent) => void>();
  private text = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly input: Writable,
    private readonly profile: string,
  ) {}

  /** Starts it; throws when none is installed. */
  static async start(): Promise<Browser> {
    const program = chromiumProgram();
    if (program === undefined) throw new Error('chromium is not installed');
    const profile = await mkdtemp(join(tmpdir(), 'brickyard-browser-'));
    const args = [...ARGUMENTS, `--user-data-dir=${profile}`, 'about:blank'];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    const [, , , input, output] = child.stdio;
    const browser = new Browser(child, input as Writable, profile);
    (output as Readable).setEncoding('utf8').on('data', (text: string) => {
      browser.take(text);
    });
    child.once('exit', () => {
      browser.fail(new Error('the browser has ended'));
    });
    (input as Writable).on('error', () => undefined); // Its end is told by the exit.
    await browser.send('Browser.getVersion');
    return browser;
  }

  /** Sends one command of the protocol. */
  send(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = (this.last += 1);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.input.write(JSON.stringify({ id, method, params, sessionId }) + END);
    });
  }

  /** An empty page of its own. */
  async page(): Promise<Page> {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page((method, params) => this.send(method, params, String(sessionId)));
    this.listeners.set(String(sessionId), (event) => {
      page.hear(event);
    });
    await page.begin();
    return page;
  }

  /** Ends it and removes what it wrote. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    if (this.child.exitCode === null) {
      void this.send('Browser.close').catch(() => this.child.kill('SIGKILL'));
      const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(timer);
    }
    await rm(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  private take(text: string): void {
    const messages = (this.text + text).split(END);
    this.text = messages.pop() ?? '';
    for (const message of messages) this.hear(JSON.parse(message) as Answer);
  }

  private hear({ id, method, params = {}, sessionId = '', result = {}, error }: Answer): void {
    if (id === undefined) {
      if (method !== undefined) this.listeners.get(sessionId)?.({ method, params });
      return;
    }
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error.message));
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

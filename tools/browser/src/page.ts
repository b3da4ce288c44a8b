/** One page of the browser, as a spec uses it. */
import { writeFile } from 'node:fs/promises';

/** What the browser tells by itself. */
export interface BrowserEvent {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

type Send = (method: string, params?: Readonly<Record<string, unknown>>) => Promise<Readonly<Record<string, unknown>>>;

interface Evaluated {
  readonly result?: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly text?: string; readonly exception?: { readonly description?: string } };
}

const WAIT_MS = 20_000;

export class Page {
  /** Addresses that were asked for. */
  readonly requests: string[] = [];
  /** What the page complained of: errors, violations of its policy. */
  readonly complaints: string[] = [];

  constructor(private readonly send: Send) {}

  async begin(): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.send(`${domain}.enable`);
  }

  hear({ method, params }: BrowserEvent): void {
    if (method === 'Network.requestWillBeSent') {
      this.requests.push((params as { request: { url: string } }).request.url);
    }
    if (method === 'Runtime.exceptionThrown') {
      const { exceptionDetails } = params as Evaluated;
      this.complaints.push(exceptionDetails?.exception?.description ?? exceptionDetails?.text ?? 'an exception');
    }
    if (method === 'Log.entryAdded') {
      const { entry } = params as { entry: { level: string; text: string; url?: string } };
      if (entry.level === 'error') this.complaints.push(`${entry.text} ${entry.url ?? ''}`);
    }
  }

  async open(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /** The size of the screen; a phone's is narrow and touched. */
  async size(width: number, height: number, isPhone = false): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: isPhone ? 2 : 1, mobile: isPhone };
    await this.send('Emulation.setDeviceMetricsOverride', metrics);
  }

  /** Light or dark, as the system would say it. */
  async colours(scheme: 'light' | 'dark'): Promise<void> {
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }

  /** The value of an expression in the page, awaited there. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    const { result, exceptionDetails } = answer as Evaluated;
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text ?? 'an exception in the page');
    }
    return result?.value as T;
  }

  /** Waits in the page, frame by frame, until an expression is true. */
  async until(expression: string, waitMs = WAIT_MS): Promise<void> {
    const isSo = await this.evaluate<boolean>(`new Promise((resolve) => {
      const end = performance.now() + ${String(waitMs)};
      const look = () => {
        let isSo = false;
        try { isSo = Boolean(${expression}); } catch { isSo = false; }
        if (isSo || performance.now() > end) resolve(isSo); else setTimeout(look, 10);
      };
      look();
    })`);
    if (isSo) return;
    const text = await this.evaluate<string>('document.body.innerText.slice(0, 2000)');
    throw new Error(`the page never came to: ${expression}\n${text}\n${this.complaints.join('\n')}`);
  }

  /** Presses and lets go of a key. */
  async press(key: string, code = key): Promise<void> {
    const keyCode = { Tab: 9, Enter: 13, ArrowLeft: 37, ArrowRight: 39, Home: 36, End: 35 }[key] ?? 0;
    const event = { key, code, windowsVirtualKeyCode: keyCode, ...(key === 'Enter' ? { text: '\r' } : {}) };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    await this.send('Input.insertText', { text });
  }

  /** A picture of the whole page. */
  async picture(path: string): Promise<void> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: false });
    await writeFile(path, Buffer.from(String(data), 'base64'));
  }
}

/* eslint-disable @typescript-eslint/no-require-imports -- the modules themselves, as objects whose functions can be replaced */
/**
 * Puts simulated time and chance in the place of Node's for as long as a simulation runs: clocks, timers, random numbers.
 * Everything that the code under test can reach is replaced, so that nothing of the real world leaks into a run.
 */
import crypto = require('node:crypto');
import timersPromises = require('node:timers/promises');
import { type Due, EPOCH_MS, type Kernel } from './kernel';

const RealDate = Date;

class SimulatedTimer {
  constructor(
    readonly kernel: Kernel,
    public due: Due | undefined,
  ) {}
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}

/** No timer of a busy machine is exact. */
const LATE_MS_MAX = 1;

type Callback = (...rest: unknown[]) => void;

/** Replaces them; the result puts everything back. */
export function replaceAmbient(kernel: Kernel): () => void {
  const { random } = kernel;
  const late = (ms: unknown): number => Math.max(1, Number(ms ?? 0) || 0) + random.next() * LATE_MS_MAX;
  const clear = (timer: unknown): void => {
    if (timer instanceof SimulatedTimer) timer.kernel.cancel(timer.due);
  };
  const setTimer = (run: Callback, ms?: number, ...rest: unknown[]): SimulatedTimer =>
    new SimulatedTimer(
      kernel,
      kernel.later(late(ms), () => {
        run(...rest);
      }),
    );
  const setRepeating = (run: Callback, ms?: number, ...rest: unknown[]): SimulatedTimer => {
    const timer = new SimulatedTimer(kernel, undefined);
    const again = (): void => {
      timer.due = kernel.later(late(ms), () => {
        again();
        run(...rest);
      });
    };
    again();
    return timer;
  };
  const setNext = (run: Callback, ...rest: unknown[]): SimulatedTimer =>
    new SimulatedTimer(
      kernel,
      kernel.later(0, () => {
        run(...rest);
      }),
    );
  const now = (): number => EPOCH_MS + Math.floor(kernel.now);
  class SimulatedDate extends RealDate {
    constructor(...values: readonly unknown[]) {
      if (values.length === 0) super(now());
      else super(...(values as [number]));
    }
    static override now(): number {
      return now();
    }
  }
  const restores = [
    replace(globalThis, 'setTimeout', setTimer),
    replace(globalThis, 'setInterval', setRepeating),
    replace(globalThis, 'setImmediate', setNext),
    replace(globalThis, 'clearTimeout', clear),
    replace(globalThis, 'clearInterval', clear),
    replace(globalThis, 'clearImmediate', clear),
    replace(globalThis, 'Date', SimulatedDate),
    replace(performance, 'now', () => kernel.now),
    replace(Math, 'random', () => random.next()),
    replace(crypto, 'randomUUID', () => uuidFrom(random.hex(32))),
    replace(timersPromises, 'setTimeout', pauseOn(kernel, late)),
    replace(timersPromises, 'setImmediate', () => new Promise<void>((resolve) => kernel.later(0, resolve))),
  ];
  return () => {
    for (const restore of restores) restore();
  };
}

function replace(holder: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(holder, name);
  Object.defineProperty(holder, name, { value, configurable: true, writable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(holder, name);
    else Object.defineProperty(holder, name, before);
  };
}

const pauseOn =
  (kernel: Kernel, late: (ms: unknown) => number) =>
  (ms?: number, value?: unknown, { signal }: { readonly signal?: AbortSignal } = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        kernel.cancel(due);
        const error = new Error('The operation was aborted');
        error.name = 'AbortError';
        reject(error);
      };
      const due = kernel.later(late(ms), () => {
        signal?.removeEventListener('abort', end);
        resolve(value);
      });
      if (signal?.aborted === true) end();
      else signal?.addEventListener('abort', end, { once: true });
    });

function uuidFrom(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

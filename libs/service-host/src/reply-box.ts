/** Answers a connection still waits for. One inbox and one plain timer each: cheaper than a subscription a request. */
import { randomUUID } from 'node:crypto';
import { Unavailable } from './errors';

interface Expected<Answer> {
  readonly what: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** The requests that have no answer yet, by token. */
export class ReplyBox<Answer> {
  readonly #expected = new Map<string, Expected<Answer>>();

  /** Waits for one answer; the token belongs into the reply subject. */
  expect(what: string, timeoutMs: number): { readonly token: string; readonly answer: Promise<Answer> } {
    const token = randomUUID(); // Whoever may answer one request must not guess where others are answered.
    const answer = new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.reject(token, () => new Unavailable(`${what}: no answer within ${String(timeoutMs)} ms`));
      }, timeoutMs);
      this.#expected.set(token, { what, resolve, reject, timer });
    });
    return { token, answer };
  }

  /** Hands the answer to whoever waits for it; an answer that comes too late is dropped. */
  resolve(token: string, answer: Answer): void {
    this.#take(token)?.resolve(answer);
  }

  /** Ends the wait with an error made from what was asked. */
  reject(token: string, errorFor: (what: string) => Error): void {
    const expected = this.#take(token);
    expected?.reject(errorFor(expected.what));
  }

  /** Nobody will answer any more: what the requests did is unknown to their callers. */
  rejectAll(errorFor: (what: string) => Error): void {
    for (const token of [...this.#expected.keys()]) this.reject(token, errorFor);
  }

  #take(token: string): Expected<Answer> | undefined {
    const expected = this.#expected.get(token);
    if (expected === undefined) return undefined;
    this.#expected.delete(token);
    clearTimeout(expected.timer);
    return expected;
  }
}

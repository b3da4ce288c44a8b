let flush: () => Promise<void> = () => Promise.resolve();

/** Told by `register.ts` how to end tracing. */
export function setFlush(stop: () => Promise<void>): void {
  flush = stop;
}

/** Sends the spans that still wait and ends tracing; the last step of a shutdown. Does nothing when tracing is off. */
export function stopTracing(): Promise<void> {
  return flush();
}

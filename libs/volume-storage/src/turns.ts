/** One after the other for each name, all names at once: within this process only. */
export class Turns {
  readonly #queues = new Map<string, Promise<unknown>>();

  /** Names that work is done for now. */
  get busy(): number {
    return this.#queues.size;
  }

  /** Does the work when all earlier work on the same name is done, whatever became of it. */
  async inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    this.#queues.set(name, settled);
    try {
      return await mine;
    } finally {
      if (this.#queues.get(name) === settled) this.#queues.delete(name);
    }
  }
}

/** Work that several ask for at once is done once. */
export class Flights<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** The work that runs under this name, or this one. */
  run(name: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const mine = work().finally(() => this.#running.delete(name));
    this.#running.set(name, mine);
    return mine;
  }
}

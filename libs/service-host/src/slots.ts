/** A fixed number of places; who finds none free waits in line. */
export interface Slots {
  acquire(): Promise<void>;
  release(): void;
}

/** Makes `places` places, handed on in the order they were asked for. */
export function createSlots(places: number): Slots {
  let free = places;
  const waiting = new Set<() => void>(); // A set keeps order and drops its first entry in constant time.
  return {
    acquire() {
      if (free > 0) {
        free -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve) => waiting.add(resolve));
    },
    release() {
      const [next] = waiting;
      if (next === undefined) {
        free += 1;
        return;
      }
      waiting.delete(next);
      next();
    },
  };
}

/** Chance, all of it from one seed. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number;
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly [T, ...T[]]): T;
  /** One of a list that may be empty. */
  oneOf<T>(list: readonly T[]): T | undefined;
  /** So many hexadecimal digits. */
  hex(digits: number): string;
}

/** Mulberry32: small, fast, and good enough to decide what goes wrong. */
export function randomFrom(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) ^ 0x5bf03635;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (count: number): number => Math.floor(next() * count);
  return {
    next,
    below,
    between: (least, most) => least + next() * (most - least),
    chance: (probability) => next() < probability,
    pick: (list) => list[below(list.length)] ?? list[0],
    oneOf: (list) => list[below(list.length)],
    hex: (digits) => Array.from({ length: digits }, () => below(16).toString(16)).join(''),
  };
}

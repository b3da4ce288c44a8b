/** A part of a folded state that is to be saved. */
export interface SnapshotPart {
  /** Another one for each part of the state. */
  readonly name: string;
  /** What the text tells of. These values never change, so while they are the same ones, the text is the same. */
  readonly of: readonly unknown[];
  /** Makes the text. */
  readonly text: () => string;
}

interface Remembered<Made> {
  readonly of: SnapshotPart['of'];
  readonly made: Made;
}

/** Remembers what was made of the text of each part of the last state: of most parts of the next one it is the same. */
export class PartMemory<Made> {
  private last: ReadonlyMap<string, Remembered<Made>> = new Map();

  constructor(private readonly make: (text: string) => Made) {}

  /** Begins with another state; gives what is to be asked for each of its parts. */
  next(): (part: SnapshotPart) => Made {
    const before = this.last;
    const now = new Map<string, Remembered<Made>>();
    this.last = now;
    return ({ name, of, text }) => {
      const known = before.get(name);
      const made = known !== undefined && isSame(known.of, of) ? known.made : this.make(text());
      now.set(name, { of, made });
      return made;
    };
  }
}

const isSame = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((value, index) => value === other[index]);

/** Which bricks of this host are not mounted, from its start on: what an operator mends by hand is noticed, too. */
import type { BrickState } from './drivers/brick.driver';

/** Keeps count. */
export interface BrickWatch {
  /** Paths, sorted; something in it before the first look. */
  readonly notMounted: readonly string[];
  /** What came of mounting all bricks when the host came up. */
  begin(states: readonly BrickState[]): void;
  /**
   * Every brick that the driver finds now; it finds none on a device that is gone. One that is not mounted counts when it was
   * not at the look before either: it may just be being made.
   */
  see(bricks: readonly BrickState[]): void;
  /** The brick is not to be here any more. */
  forget(path: string): void;
}

/** Begins with nothing known. */
export function watchBricks(onChange: (notMounted: readonly string[]) => void): BrickWatch {
  let notMounted: readonly string[] = ['(not looked at yet)'];
  const missedAtStart = new Set<string>();
  let away: readonly string[] = [];
  let awayTwice: readonly string[] = [];
  const count = (): void => {
    notMounted = [...new Set([...missedAtStart, ...awayTwice])].sort();
    onChange(notMounted);
  };
  return {
    get notMounted() {
      return notMounted;
    },
    begin(states) {
      missedAtStart.clear();
      for (const { path, mounted } of states) if (!mounted) missedAtStart.add(path);
      count();
    },
    see(bricks) {
      for (const { path, mounted } of bricks) if (mounted) missedAtStart.delete(path);
      const before = away;
      away = bricks.filter(({ mounted }) => !mounted).map(({ path }) => path);
      awayTwice = away.filter((path) => before.includes(path));
      count();
    },
    forget(path) {
      missedAtStart.delete(path);
      awayTwice = awayTwice.filter((each) => each !== path);
      count();
    },
  };
}

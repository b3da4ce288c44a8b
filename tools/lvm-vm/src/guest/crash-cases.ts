/** Kills the driver at every command of every call that changes the host, and looks what a new one makes of it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from '@brickyard/contracts';
import { type BrickDriver, type HostCommand, hostCommand } from './agent';
import type { Case, Tally } from './cases';
import type { Call, Doom } from './doomed';
import { brickOf, converge, device, deviceRef, DISK, done, newDriver, sh, traces } from './scene';

const CHANGING = /^(pvcreate|vgcreate|lvcreate|mkfs\.xfs|mount|umount|lvremove|vgremove|pvremove)$/;
/** Parts of a command's usual time after which it is killed together with the driver. */
const AMID = { usual: [0.5], thorough: [0.2, 0.4, 0.6, 0.8] } as const;
const LONG = /^(lvcreate|mkfs\.xfs)$/;
const brick = brickOf('1');

/** Thorough: also before commands that only look, and at more moments of the others; takes three times as long. */
export type Depth = 'usual' | 'thorough';

/** A call, the host it finds, and what has to hold once it was repeated to its end, or taken back. */
interface Trial {
  readonly call: Call;
  readonly argument: unknown;
  readonly prepare: (driver: BrickDriver) => Promise<void>;
  readonly again: (driver: BrickDriver) => Promise<Outcome>;
  readonly holds: (driver: BrickDriver) => Promise<void>;
  /** The step that a saga takes when it gives up; leaves no trace. */
  readonly undo?: (driver: BrickDriver) => Promise<Outcome>;
}

const isPresent = async (driver: BrickDriver): Promise<boolean> => {
  const outcome = await driver.readBrick(brick);
  return outcome.ok && outcome.result.kind === 'presence' && outcome.result.present;
};

const trials: readonly Trial[] = [
  {
    call: 'ensureDevice',
    argument: device,
    prepare: () => Promise.resolve(),
    again: (driver) => driver.ensureDevice(device),
    holds: () => Promise.resolve(),
    undo: (driver) => driver.ensureNoDevice(deviceRef),
  },
  {
    call: 'ensureBrick',
    argument: brick,
    prepare: async (driver) => {
      done(await driver.ensureDevice(device));
    },
    again: (driver) => driver.ensureBrick(brick),
    holds: async (driver) => {
      assert.ok(await isPresent(driver), 'the brick is not there');
      writeFileSync(join(brick.path, 'file'), 'content');
      assert.equal(readFileSync('/etc/fstab', 'utf8').split(`brick_${brick.brickId} xfs`).length, 2);
      done(await driver.ensureNoBrick(brick));
      assert.deepEqual(traces(), []);
    },
    undo: (driver) => driver.ensureNoBrick(brick),
  },
  {
    call: 'ensureNoBrick',
    argument: brick,
    prepare: async (driver) => {
      done(await driver.ensureDevice(device));
      done(await driver.ensureBrick(brick));
    },
    again: (driver) => driver.ensureNoBrick(brick),
    holds: async (driver) => {
      assert.equal(await isPresent(driver), false);
      assert.equal(existsSync(brick.path), false);
      assert.deepEqual(traces(), []);
    },
  },
  {
    call: 'ensureNoDevice',
    argument: deviceRef,
    prepare: async (driver) => {
      done(await driver.ensureDevice(device));
    },
    again: (driver) => driver.ensureNoDevice(deviceRef),
    holds: async (driver) => {
      assert.equal(sh('wipefs', '--parsable', DISK).trim(), '');
      done(await driver.ensureDevice(device)); // Free for the next one.
    },
  },
];

/** Starting Node.js takes seconds under emulation: one process is always ready to die. */
class Doomed {
  private spare: ChildProcess;

  constructor(private readonly node: string) {
    this.spare = this.start();
  }

  private start(): ChildProcess {
    return spawn(this.node, [join(__dirname, 'doomed.js')], { stdio: ['pipe', 'ignore', 'inherit'], cwd: '/' });
  }

  async carryOut(orders: { call: Call; argument: unknown; doom: Doom }): Promise<void> {
    const child = this.spare;
    child.stdin?.end(`${JSON.stringify(orders)}\n`);
    await once(child, 'exit');
    this.spare = this.start();
    assert.equal(child.signalCode, 'SIGKILL', 'the driver ended before it could be killed');
  }

  close(): void {
    this.spare.kill('SIGKILL');
  }
}

interface Step {
  readonly program: string;
  readonly ms: number;
}

/** The commands of a call that nothing disturbs, with their times. */
async function stepsOf(trial: Trial): Promise<readonly Step[]> {
  const steps: Step[] = [];
  const run = hostCommand();
  const watched: HostCommand = async (argv, limits) => {
    const began = performance.now();
    const result = await run(argv, limits);
    steps.push({ program: argv[0] ?? '', ms: performance.now() - began });
    return result;
  };
  await trial.prepare(newDriver());
  done(await trial.again(newDriver(watched)));
  await trial.holds(newDriver());
  return steps;
}

function doomsAt(step: Step, at: number, depth: Depth): readonly Doom[] {
  const before: Doom = { at, how: 'before', seconds: 0 };
  const beside: Doom = { at, how: 'beside', seconds: 0 };
  if (!CHANGING.test(step.program)) return depth === 'thorough' ? [before] : [];
  const amid = AMID[depth].map((part): Doom => ({ at, how: 'amid', seconds: (step.ms * part) / 1_000 }));
  return [before, ...(depth === 'thorough' || LONG.test(step.program) ? [beside] : []), ...amid];
}

const WORDS = { before: 'before', beside: 'beside', amid: 'in the midst of' } as const;

function casesOf(trial: Trial, steps: readonly Step[], doomed: Doomed, depth: Depth): Case[] {
  const { call, argument } = trial;
  return steps.flatMap((step, index) =>
    doomsAt(step, index + 1, depth).flatMap((doom): Case[] => {
      const after = doom.how === 'amid' ? ` after ${doom.seconds.toFixed(2)} s` : '';
      const where = `${call} killed ${WORDS[doom.how]} command ${String(doom.at)}, ${step.program}${after}`;
      const crash = async (): Promise<void> => {
        await trial.prepare(newDriver());
        await doomed.carryOut({ call, argument, doom });
      };
      const again = async (): Promise<void> => {
        await crash();
        await converge(() => trial.again(newDriver()));
        await trial.holds(newDriver());
      };
      const { undo } = trial;
      if (undo === undefined) return [{ name: `${where}: once more does it`, run: again }];
      const takeBack = async (): Promise<void> => {
        await crash();
        await converge(() => undo(newDriver()));
        assert.deepEqual(traces(), []);
      };
      return [
        { name: `${where}: once more does it`, run: again },
        ...(depth === 'thorough' || doom.how === 'amid'
          ? [{ name: `${where}: undo leaves no trace`, run: takeBack }]
          : []),
      ];
    }),
  );
}

/** Runs the cases, which are made by watching each call once; `node` is the program to start Node.js with. */
export async function runCrashCases(
  node: string,
  depth: Depth,
  run: (cases: readonly Case[]) => Promise<Tally>,
): Promise<readonly Tally[]> {
  const doomed = new Doomed(node);
  try {
    const tallies: Tally[] = [];
    for (const trial of trials) {
      let steps: readonly Step[] = [];
      const watch = async (): Promise<void> => {
        steps = await stepsOf(trial);
      };
      tallies.push(await run([{ name: `${trial.call} that nothing disturbs`, run: watch }]));
      tallies.push(await run(casesOf(trial, steps, doomed, depth)));
    }
    return tallies;
  } finally {
    doomed.close();
  }
}

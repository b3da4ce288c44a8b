/** The real thing: the machine loses its power in the midst of a command, boots, and the driver looks what it has. */
import assert from 'node:assert/strict';
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type HostCommand, hostCommand } from './agent';
import { type Case, say } from './cases';
import { brickOf, cleanScene, converge, device, deviceRef, done, newDriver, traces } from './scene';

const kept = brickOf('a');
const other = brickOf('b');
const CONTENT = 'written before the power was cut\n';

/** Power is cut this long after the command began; none of them ends so soon, even on a fast machine. */
interface Cut {
  readonly program: string;
  readonly afterMs: number;
  readonly call: 'ensureBrick' | 'ensureNoBrick';
}

export const cuts: readonly Cut[] = [
  { program: 'lvcreate', afterMs: 150, call: 'ensureBrick' },
  { program: 'mkfs.xfs', afterMs: 30, call: 'ensureBrick' },
  { program: 'lvremove', afterMs: 100, call: 'ensureNoBrick' },
];

/** A brick with content that every cut must leave alone. */
export async function beforeCuts(): Promise<void> {
  cleanScene();
  const driver = newDriver();
  done(await driver.ensureDevice(device));
  done(await driver.ensureBrick(kept));
  writeDurably(join(kept.path, 'file'), CONTENT);
}

/** Does not return: the machine ends, and is started again. */
export async function cutPower(cut: Cut): Promise<never> {
  if (cut.call === 'ensureNoBrick') done(await newDriver().ensureBrick(other));
  say('@cut'); // Whoever runs this machine knows by it that its end is meant.
  const run = hostCommand();
  const cutting: HostCommand = (argv, limits) => {
    if (argv[0] === cut.program) setTimeout(powerOff, cut.afterMs);
    return run(argv, limits);
  };
  const outcome = await newDriver(cutting)[cut.call](other);
  throw new Error(`the power was not cut in ${cut.call}: ${JSON.stringify(outcome)}`);
}

/** Sysrq b: no sync, no unmount, a reset at once; the machine is set up to end at that. */
function powerOff(): void {
  writeFileSync('/proc/sysrq-trigger', 'b');
}

/** What must hold after the boot that follows a cut. */
export const afterCut = (cut: Cut): Case => ({
  name: `a power cut in ${cut.call}, ${String(cut.afterMs)} ms into ${cut.program}: bricks are mounted, and once more does it`,
  run: async () => {
    const driver = newDriver();
    const [state] = await driver.readBricks();
    assert.deepEqual(state, { path: kept.path, mounted: false, problem: 'not mounted', sizeKib: kept.sizeKib });
    const states = await driver.ensureMounted();
    assert.deepEqual(
      states.find(({ path }) => path === kept.path),
      { path: kept.path, mounted: true },
    );
    assert.equal(readFileSync(join(kept.path, 'file'), 'utf8'), CONTENT);
    await converge(() => driver[cut.call](other));
    if (cut.call === 'ensureBrick') await converge(() => driver.ensureNoBrick(other));
    assert.deepEqual(await driver.readBricks(), [{ path: kept.path, mounted: true, sizeKib: kept.sizeKib }]);
    assert.deepEqual(
      traces().filter((trace) => trace.includes(other.brickId)),
      [],
    );
  },
});

/** The end of the tests with power cuts. */
export const afterCuts: Case = {
  name: 'after the power cuts the brick and the device can be given back, and no trace is left',
  run: async () => {
    const driver = newDriver();
    done(await driver.ensureNoBrick(kept));
    assert.deepEqual(traces(), []);
    done(await driver.ensureNoDevice(deviceRef));
  },
};

/** On the disk before this returns. */
export function writeDurably(path: string, text: string): void {
  for (const [name, flags] of [
    [path, 'w'],
    [dirname(path), 'r'],
  ] as const) {
    const fd = openSync(name, flags);
    if (flags === 'w') writeSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
  }
}

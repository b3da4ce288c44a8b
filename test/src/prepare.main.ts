/** `npm test` runs this beside other parts: it makes what the named kinds of specs, `compose` and `systemd`, begin with. */
import { join } from 'node:path';
import { bareSystem } from './docker/base-images';
import { ENGINE_PREFIX, startEngine } from './docker/engine';
import { canRunContainers, makeImages } from './docker/images';
import { MACHINE_PREFIX } from './machine/machine';
import { canHoldMachine, makeMachine } from './machine/release';
import { prepare } from './prepared';

interface Maker {
  readonly canMake: () => boolean;
  readonly make: () => Promise<void>;
}

const makers: Readonly<Record<string, Maker>> = {
  compose: { canMake: canRunContainers, make: () => prepare(ENGINE_PREFIX, images) },
  systemd: { canMake: canHoldMachine, make: () => prepare(MACHINE_PREFIX, makeMachine) },
};

/** The engine goes, and its images stay. */
async function images(folder: string): Promise<void> {
  const engine = await startEngine(join(folder, 'engine'));
  try {
    process.stdout.write(`${JSON.stringify(await makeImages(engine))}\n`);
  } catch (error) {
    await engine.end();
    throw error;
  }
  await engine.stop();
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2).flatMap((kind) => makers[kind] ?? []);
  const possible = wanted.filter(({ canMake }) => canMake());
  if (possible.length > 0) await bareSystem(); // Both begin with it.
  await Promise.all(possible.map(({ make }) => make()));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});

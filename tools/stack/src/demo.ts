/** `npm run demo`: stores data on a running system, breaks a host, and shows that nothing is lost and nothing is left. */
import { parseArgs } from 'node:util';
import { dataDirOf } from './default-data';
import { type Story, tellStory } from './demo-story';
import { findSystem } from './running-system';

const write = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { data: { type: 'string' } } });
  const system = findSystem(dataDirOf(values.data));
  write(`demo on ${system.apiUrl}, ${system.hosts} storage hosts`);
  if (system.hosts === 'simulated') {
    write('SIMULATED hosts store nothing: mounting, writing, reading, the power cut and healing are left out');
  }
  const client = system.client();
  const story: Story = { system, client, step, cleanUp: [] };
  try {
    await tellStory(story);
    write('all as it should be');
  } catch (error) {
    await cleanUp(story);
    throw error;
  } finally {
    client.close();
  }
}

/** Runs a step and shows its time. */
async function step<T>(name: string, work: () => Promise<T>, tell: (result: T) => string): Promise<T> {
  const from = performance.now();
  try {
    const result = await work();
    write(`${secondsSince(from)}  ${name}: ${tell(result)}`);
    return result;
  } catch (error) {
    write(`${secondsSince(from)}  ${name}: FAILED`);
    throw error;
  }
}

const secondsSince = (from: number): string => `${((performance.now() - from) / 1_000).toFixed(1).padStart(6)} s`;

/** A story that ends early leaves no mount, no volume and no dead host behind, as far as that is possible. */
async function cleanUp({ cleanUp: steps }: Story): Promise<void> {
  for (let undo = steps.pop(); undo !== undefined; undo = steps.pop()) {
    await undo().catch((error: unknown) => {
      write(`cleaning up: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

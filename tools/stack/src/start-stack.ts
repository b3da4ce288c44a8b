/** Starts and ends a whole Brickyard on this machine. */
import { existsSync, readFileSync } from 'node:fs';
import { openControlDoor } from './control';
import { type DataDirectory, openDataDirectory } from './data-directory';
import type { Fleet } from './fleet';
import { isFree, lastingPort } from './free-port';
import { readHeketiConfig } from './heketi-config';
import { planOf, type StackOptions, type StackPlan } from './options';
import { processNotes } from './process-record';
import { awaitAgents, checkLeader, checkReady, eventually, type Hopeless } from './readiness';
import { prepareServers, type Servers } from './servers';
import { realFleet } from './real-fleet';
import { clientOf, type Door, type Parts, type RunningStack, runningStack } from './running-stack';
import {
  allocator,
  type Gateway,
  gateway,
  type HealthyService,
  objectGateway,
  objectKeysOf,
  registryBackend,
  type ServiceContext,
} from './services';
import type { Service } from './service';
import { simulatedFleet } from './simulated-fleet';
import { loadTopology, sampleTopology } from './topology';

const READY_TIMEOUT_MS = 180_000;
const REGISTRY_TIMEOUT_MS = 60_000;
/** Replicas of the volumes of registry and objects: with fewer hosts it cannot have one. */
const REGISTRY_HOSTS_MIN = 3;
const LOG_LINES = 5;
const FAILURES_MAX = 5;

/** Starts a system; resolves when it takes requests, has a leader and every agent has answered. A failure leaves nothing running. */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const plan = planOf(options);
  const data = await openDataDirectory(plan);
  const undo: Undo = [];
  undo.push(() => {
    data.release();
    return Promise.resolve();
  });
  try {
    const stack = await build(plan, data, undo);
    if (plan.signal?.aborted !== true) return stack;
    throw new Error(breakOff(plan));
  } catch (error) {
    await unwind(undo, plan.onProgress);
    throw error;
  }
}

type Undo = (() => Promise<void>)[];

async function build(plan: StackPlan, data: DataDirectory, undo: Undo): Promise<RunningStack> {
  await checkPort(plan.port);
  const notes = processNotes(data.notes);
  const ended = await notes.endLeftovers();
  if (ended.length > 0) plan.onProgress(`ended what a killed run left: ${ended.join(', ')}`);
  const isReal = plan.hosts === 'real' && plan.nodes > 0;
  const fleet = isReal ? await realFleet({ plan, data, notes }) : simulatedFleet({ plan, data, notes });
  undo.push(() => fleet.stop());
  const servers = await prepareServers(data, fleet, plan.onProgress);
  undo.splice(-1, 0, () => servers.stop()); // After the hosts, which cannot say goodbye without the bus.
  await servers.start();
  plan.onProgress('Postgres and NATS run');
  const context = { plan, data, notes, reachOf: servers.reachOf };
  const parts = await startParts(context, fleet, servers, undo);
  return runningStack({ plan, data, fleet, servers, ...parts, stop: () => unwind(undo, plan.onProgress) });
}

async function checkPort(port: number): Promise<void> {
  if (port !== 0 && !(await isFree('127.0.0.1', port))) {
    throw new Error(`port ${String(port)} of 127.0.0.1 is in use; choose another with --port`);
  }
}

type Started = Pick<Parts, 'door' | 'allocators' | 'gateways' | 'registry' | 'objects'>;

async function startParts(context: ServiceContext, fleet: Fleet, servers: Servers, undo: Undo): Promise<Started> {
  const { plan, data } = context;
  const allocators = await repeat(plan.allocators, (number) => allocator(context, number));
  const { gateways, door } = await makeGateways(context);
  const first = [...allocators.slice(0, 1), ...gateways].map(({ service }) => service);
  undo.push(async () => {
    await Promise.all(gateways.map(({ service }) => service.stop()));
    await Promise.all(allocators.map(({ service }) => service.stop()));
  });
  const hopeless: Hopeless = () => breakOff(plan) ?? failing([...first, ...fleet.agents]);
  await allDone([
    ...first.map((service) => service.start()),
    fleet.boot(servers.agentEnv).then(() => awaitAgents(fleet.places, servers.observing, READY_TIMEOUT_MS, hopeless)),
    untilReady(allocators.slice(0, 1), gateways, hopeless),
  ]);
  plan.onProgress(`allocator and gateway answer${plan.nodes === 0 ? '' : ', and every node agent'}`);
  const control = await openControlDoor(data.controlSocket, fleet);
  undo.push(() => control.close());
  // Standbys come now and not before: loading them would only slow the others down.
  await allDone([load(plan, door, fleet), standBy(allocators.slice(1), hopeless)]);
  const registry = await startRegistry(context, door, undo);
  const objects = await startObjects(context, door, undo);
  return { door, allocators, gateways, objects, ...(registry === undefined ? {} : { registry }) };
}

async function makeGateways(context: ServiceContext): Promise<{ gateways: readonly Gateway[]; door: Door }> {
  const { plan, data } = context;
  const { jwt, enable_tls: isTls } = readHeketiConfig(plan.configFile);
  const adminKey = jwt?.admin?.key ?? data.kept.adminKey;
  const userKey = jwt?.user?.key ?? data.kept.userKey;
  const gateways = await repeat(plan.gateways, async (number) => {
    const httpPort = number === 1 && plan.port !== 0 ? plan.port : await lastingPort('127.0.0.1');
    return gateway(context, number, { httpPort, adminKey, userKey });
  });
  const scheme = isTls === true ? 'https' : 'http';
  const [url, ...others] = gateways.map(({ httpPort }) => `${scheme}://127.0.0.1:${String(httpPort)}`);
  if (url === undefined) throw new Error('a system has at least one gateway');
  return { gateways, door: { urls: [url, ...others], adminKey, userKey } };
}

const breakOff = ({ signal }: StackPlan): string | undefined =>
  signal?.aborted === true ? 'the start was broken off' : undefined;

/** One that ends at once, again and again, does not come up by being waited for: its settings are wrong, most often. */
function failing(services: readonly Service[]): string | undefined {
  const hopeless = services.find(({ failures }) => failures >= FAILURES_MAX);
  if (hopeless === undefined) return undefined;
  return `${hopeless.name} ends whenever it is started; ${hopeless.logFile} ends with\n${lastLines(hopeless.logFile)}`;
}

async function untilReady(
  allocators: readonly HealthyService[],
  gateways: readonly HealthyService[],
  hopeless: Hopeless,
): Promise<void> {
  const healthPorts = allocators.map(({ healthPort }) => healthPort);
  await orTellLog(
    allocators,
    eventually('no allocator leads', READY_TIMEOUT_MS, () => checkAnyLeads(healthPorts), hopeless),
  );
  for (const { service, healthPort } of gateways) {
    const check = (): Promise<void> => checkReady(healthPort);
    const ready = eventually(`${service.name} is not ready`, READY_TIMEOUT_MS, check, hopeless);
    await orTellLog(gateways, ready);
  }
}

async function standBy(standbys: readonly HealthyService[], hopeless: Hopeless): Promise<void> {
  const begin = async ({ service, healthPort }: HealthyService): Promise<void> => {
    await service.start();
    const check = (): Promise<void> => checkReady(healthPort);
    await eventually(`${service.name} does not stand by`, READY_TIMEOUT_MS, check, hopeless);
  };
  await Promise.all(standbys.map(begin));
}

/** One that leads is enough; the others may still be on their way. */
async function checkAnyLeads(healthPorts: readonly number[]): Promise<void> {
  await Promise.any(healthPorts.map((port) => checkLeader(port)));
}

/** A service that does not come up has said why in its log. */
async function orTellLog(services: readonly HealthyService[], ready: Promise<void>): Promise<void> {
  try {
    await ready;
  } catch (cause) {
    const logs = services.map(({ service }) => `${service.logFile}:\n${lastLines(service.logFile)}`);
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${logs.join('\n')}`, { cause });
  }
}

function lastLines(file: string): string {
  if (!existsSync(file)) return '(empty)';
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n');
}

async function load(plan: StackPlan, door: Door, fleet: Fleet): Promise<void> {
  if (!plan.loadTopology) return;
  const client = clientOf(door);
  try {
    const { lines, problems } = await loadTopology(client, sampleTopology(fleet.places));
    if (problems.length > 0) throw new Error(`the topology cannot be loaded:\n${problems.join('\n')}`);
    const added = lines.filter((line) => line.startsWith('Creating node')).length;
    plan.onProgress(`topology: ${String(fleet.places.length)} ${plan.hosts} hosts, ${String(added)} of them new`);
  } finally {
    client.close();
  }
}

async function startRegistry(context: ServiceContext, door: Door, undo: Undo): Promise<HealthyService | undefined> {
  const { plan } = context;
  if (!plan.registry || !plan.loadTopology || plan.nodes < REGISTRY_HOSTS_MIN) return undefined;
  const registry = await registryBackend(context, { url: door.urls[0], adminKey: door.adminKey });
  undo.push(() => registry.service.stop());
  await registry.service.start();
  await untilStored(plan, 'registry backend', registry.healthPort);
  return registry;
}

/** The first replica makes the volume; the others find it. */
async function startObjects(context: ServiceContext, door: Door, undo: Undo): Promise<readonly Gateway[]> {
  const { plan, data } = context;
  if (!plan.loadTopology || plan.nodes < REGISTRY_HOSTS_MIN) return [];
  const way = { url: door.urls[0], adminKey: door.adminKey, keys: objectKeysOf(data) };
  const replicas = await repeat(plan.objects, (number) => objectGateway(context, number, way));
  for (const { service, healthPort } of replicas) {
    undo.push(() => service.stop());
    await service.start();
    await untilStored(plan, service.name, healthPort);
  }
  return replicas;
}

/** It keeps trying by itself, and the rest of the system is of use without it: a failure is only told. */
async function untilStored(plan: StackPlan, name: string, healthPort: number): Promise<void> {
  try {
    const check = (): Promise<void> => checkReady(healthPort);
    await eventually(`${name} has no volume`, REGISTRY_TIMEOUT_MS, check, () => breakOff(plan));
    const where = plan.hosts === 'real' ? '' : ': a FOLDER of this machine, as the storage hosts are simulated';
    plan.onProgress(`${name} has its volume${where}`);
  } catch (error) {
    plan.onProgress(error instanceof Error ? error.message : String(error));
  }
}

/** Ends what was started, last first; one that fails does not keep the others from ending. */
async function unwind(undo: Undo, onProgress: (text: string) => void): Promise<void> {
  const failures: unknown[] = [];
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    await step().catch((error: unknown) => {
      failures.push(error);
      onProgress(`ending: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
  if (failures.length > 0) throw new AggregateError(failures, 'not everything ended in order');
}

/** Waits for all, also when one fails: what is still starting could not be ended. */
async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function repeat<T>(count: number, make: (number: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index + 1)));
}

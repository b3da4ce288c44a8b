/** For specs: a control plane in memory whose agents answer what the spec says. */
import type {
  BlockVolumeId,
  ClusterId,
  CommandOf,
  ControlCommand,
  ControlEvent,
  DeviceId,
  Durability,
  GlusterClone,
  HostName,
  NodeId,
  OperationId,
  PlacementPolicy,
  PlannedTask,
  Rejection,
  TaskFailure,
  TaskResult,
  VolumeId,
} from '@brickyard/contracts';
import { gib, kib, kibOf } from '@brickyard/contracts';
import type { JsonObject, Recorded, StoredEvent } from '@brickyard/event-sourcing';
import { recordedEvent } from './control/control.codec';
import { decideForLog } from './control/control.decide';
import { emptyControlState, type ControlState } from './control/control.state';

/** heketi's limits as they are without configuration. */
export const defaultPolicy: PlacementPolicy = {
  brickMinKib: kibOf(gib(1)),
  brickMaxKib: kibOf(gib(4096)),
  bricksPerVolumeMax: 32,
  volumesPerClusterMax: 1000,
  zoneChecking: 'none',
};

/** A 32-digit id that shows what it names: `id('a1')`. */
export const id = (tail: string | number): string => String(tail).padStart(32, '0');

/** What an agent answers. */
export type Answer =
  { readonly kind: 'done'; readonly result: TaskResult } | { readonly kind: 'failed'; readonly failure: TaskFailure };

const QUESTIONS: ReadonlySet<string> = new Set([
  'ReadBrick',
  'ReadGlusterVolume',
  'ReadReplacement',
  'ReadBlockFile',
  'ReadBlockTarget',
]);

/** Where Gluster would have put the bricks of a clone. */
function cloneResult({ clone, bricks }: GlusterClone): TaskResult {
  const place = `/run/gluster/snaps/${clone.volumeId}`;
  return {
    kind: 'clone',
    paths: bricks.map((_, at) => `${place}/brick${String(at + 1)}/brick`),
    options: { 'user.brickyard.id': clone.volumeId },
  };
}

/** Agents that do what they are told; a prepared device has this size. */
export const obedient =
  (deviceKib = 500 * 1_048_576) =>
  (task: PlannedTask): Answer => {
    if (task.task.type === 'PrepareDevice' || task.task.type === 'ReadDevice') {
      const result = { kind: 'device', totalKib: kib(deviceKib), extentKib: 4096, pvUuid: '', paths: [] } as const;
      return { kind: 'done', result: { ...result, paths: [] } };
    }
    if (task.task.type === 'CloneGlusterVolume' || task.task.type === 'ReadGlusterClone') {
      return { kind: 'done', result: cloneResult(task.task.cloning) };
    }
    const isQuestion = QUESTIONS.has(task.task.type);
    return { kind: 'done', result: isQuestion ? { kind: 'presence', present: true } : { kind: 'nothing' } };
  };

/** A failure that another try will not mend. */
export const failed = (detail: string, more: Partial<TaskFailure> = {}): Answer => ({
  kind: 'failed',
  failure: { transient: false, uncertain: false, detail, cause: detail, ...more },
});

/** A task that waits for its agent. */
export interface WaitingTask extends PlannedTask {
  readonly operationId: OperationId;
}

/** The control ledger in memory. */
export interface ControlPlane {
  readonly state: ControlState;
  readonly log: readonly Recorded<ControlEvent>[];
  /** Decides a command; the refusal, if it was refused. */
  submit(command: ControlCommand): Rejection | undefined;
  waiting(): readonly WaitingTask[];
  /** One agent's answer to one task. */
  answer(task: WaitingTask, answer: Answer): void;
  /** Lets agents answer, and pauses end, until nothing waits. */
  settle(agent: (task: PlannedTask) => Answer | undefined): void;
}

/** A new, empty control ledger. */
export function controlPlane(): ControlPlane {
  let state = emptyControlState;
  const log: Recorded<ControlEvent>[] = [];
  const submit = (command: ControlCommand): Rejection | undefined => {
    const context = { position: log.length, now: instant(log.length) };
    const decision = decideForLog(command, state, context);
    if (decision.kind === 'rejected') return decision.rejection;
    for (const { text = '', ...event } of decision.events) {
      // As it is read from the log; the state is the writer's, so whoever folds the log again compares the two.
      const data = JSON.parse(text) as JsonObject;
      const recorded = recordedEvent({ ...placeOf(log.length + 1, context.now), ...event, data });
      if (recorded !== undefined) log.push(recorded);
    }
    state = decision.state;
    return undefined;
  };
  const waiting = (): WaitingTask[] =>
    [...state.operations.values()].flatMap(({ operationId, current }) =>
      [...(current?.tasks.values() ?? [])].flatMap(({ planned, status }) =>
        status === 'running' ? [{ ...planned, operationId }] : [],
      ),
    );
  const answer = ({ taskId, operationId, host }: WaitingTask, outcome: Answer): void => {
    submit({ type: 'RecordOutcome', outcome: { taskId, operationId, host, tookMs: 1, outcome } });
  };
  const endPauses = (): boolean => {
    const paused = [...state.operations.values()].flatMap(({ operationId, retry }) =>
      retry === undefined ? [] : [{ operationId, attempt: retry.attempt }],
    );
    for (const pause of paused) submit({ type: 'RetryStep', ...pause });
    return paused.length > 0;
  };
  return {
    get state() {
      return state;
    },
    log,
    submit,
    waiting,
    answer,
    settle(agent) {
      for (let moved = true; moved;) {
        moved = endPauses();
        for (const task of waiting()) {
          const told = agent(task);
          if (told === undefined) continue;
          answer(task, told);
          moved = true;
        }
      }
    },
  };
}

const placeOf = (
  position: number,
  recordedAt: string,
): Omit<StoredEvent, 'streamId' | 'type' | 'version' | 'data'> => ({
  ledger: 'control',
  position,
  streamVersion: 1,
  eventId: '',
  metadata: { correlationId: '', actor: { name: '' } },
  recordedAt,
  hash: '',
});

/** Moments one second apart. */
const instant = (index: number): string => `2026-01-01T${hours(index)}:${minutes(index)}:${secondsOf(index)}.000Z`;
const two = (value: number): string => String(value).padStart(2, '0');
const hours = (index: number): string => two(Math.floor(index / 3600) % 24);
const minutes = (index: number): string => two(Math.floor(index / 60) % 60);
const secondsOf = (index: number): string => two(index % 60);

/** One cluster of nodes in zones, each with devices of one size, all added and ready. */
export function clusterOf(
  nodes: readonly { readonly zone: number; readonly devicesKib: readonly number[] }[],
): ControlPlane {
  const plane = controlPlane();
  const clusterId = id('c1') as ClusterId;
  plane.submit({ type: 'CreateCluster', clusterId, flags: { file: true, block: true } });
  nodes.forEach(({ zone, devicesKib }, index) => {
    plane.submit(addNode(index + 1, zone));
    plane.settle(obedient());
    devicesKib.forEach((sizeKib, device) => {
      plane.submit(addDevice(index + 1, device + 1));
      plane.settle(obedient(sizeKib));
    });
  });
  return plane;
}

let operations = 0;

/** An operation id that was not used before in this process; only equality matters. */
export const newOperationId = (): OperationId => id(`0fe${(operations += 1).toString(16)}`) as OperationId;

/** Node `n<number>` of the first cluster, with storage address 10.0.0.<number>. */
export function addNode(number: number, zone: number): CommandOf<'AddNode'> {
  return {
    type: 'AddNode',
    operationId: newOperationId(),
    nodeId: id(`a${String(number)}`) as NodeId,
    clusterId: id('c1') as ClusterId,
    zone,
    hostnames: { manage: [`n${String(number)}` as HostName], storage: [`10.0.0.${String(number)}` as HostName] },
    tags: {},
    probe: { newNode: 'running', members: number === 1 ? 'none' : 'running' },
  };
}

/** Device `/dev/sd<device>` of node `n<node>`. */
export function addDevice(node: number, device: number): CommandOf<'AddDevice'> {
  return {
    type: 'AddDevice',
    operationId: newOperationId(),
    deviceId: id(`d${String(node)}0${String(device)}`) as DeviceId,
    nodeId: id(`a${String(node)}`) as NodeId,
    name: `/dev/sd${String(device)}`,
    destroyData: false,
    tags: {},
  };
}

/** A clone of a volume, on hosts that can and answer. */
export function cloneVolume(originId: VolumeId, name: string): CommandOf<'CloneVolume'> {
  const operationId = newOperationId();
  const volumeId = id(`c10${operationId.slice(-6)}`) as VolumeId;
  return { type: 'CloneVolume', operationId, volumeId, originId, name, probe: { unable: [], silent: [] } };
}

/** A volume of this size and protection. */
export function createVolume(
  name: string,
  sizeGib: number,
  durability: Durability = { kind: 'replicate', replica: 3 },
  options: readonly string[] = [],
): CommandOf<'CreateVolume'> {
  return {
    type: 'CreateVolume',
    operationId: newOperationId(),
    volumeId: id(`f${Array.from(name, (char) => char.charCodeAt(0).toString(16)).join('')}`) as VolumeId,
    spec: {
      name,
      sizeKib: kibOf(gib(sizeGib)),
      durability,
      gid: 0,
      options: [...options],
      block: false,
      snapshots: false,
      snapshotFactor: '1',
      requestedDurability: {},
    },
    clusters: [],
    policy: defaultPolicy,
  };
}

/** A block volume of this size, offered by so many nodes; a hosting volume of 100 GiB is made when it needs one. */
export function createBlockVolume(
  name: string,
  sizeGib: number,
  change: Partial<CommandOf<'CreateBlockVolume'>> = {},
): CommandOf<'CreateBlockVolume'> {
  const digits = Array.from(name, (char) => char.charCodeAt(0).toString(16)).join('');
  const hosting = createVolume(`host-${name}`, 100, { kind: 'replicate', replica: 3 });
  return {
    type: 'CreateBlockVolume',
    operationId: newOperationId(),
    blockVolumeId: id(`b10c${digits}`) as BlockVolumeId,
    name,
    sizeKib: kibOf(gib(sizeGib)),
    portals: 2,
    clusters: [],
    hosting: { volumeId: hosting.volumeId, spec: { ...hosting.spec, block: true }, isAllowed: true },
    policy: defaultPolicy,
    ...change,
  };
}

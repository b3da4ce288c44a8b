/** Large states and long histories, made by the product's own decisions without waiting for agents. */
import {
  gib,
  kib,
  kibOf,
  type ClusterId,
  type CommandOf,
  type ControlCommand,
  type ControlEvent,
  type DeviceId,
  type HostName,
  type NodeId,
  type OperationId,
  type PlacementPolicy,
  type VolumeId,
} from '@brickyard/contracts';
import { decide, emptyControlState, evolve, type ControlState } from '@brickyard/domain';

export const benchPolicy: PlacementPolicy = {
  brickMinKib: kibOf(gib(1)),
  brickMaxKib: kibOf(gib(4096)),
  bricksPerVolumeMax: 32,
  volumesPerClusterMax: -1,
  zoneChecking: 'none',
};

const hex = (prefix: string, number: number): string => prefix + number.toString(16).padStart(32 - prefix.length, '0');
const clusterId = hex('c', 1) as ClusterId;
let operations = 0;
const operationId = (): OperationId => hex('0', (operations += 1)) as OperationId;

/** A 1 GiB volume on three replicas. */
export function volumeCommand(number: number): CommandOf<'CreateVolume'> {
  const volumeId = spread(number) as VolumeId;
  return {
    type: 'CreateVolume',
    operationId: operationId(),
    volumeId,
    spec: {
      name: `vol_${volumeId}`,
      sizeKib: kibOf(gib(1)),
      durability: { kind: 'replicate', replica: 3 },
      gid: 0,
      options: ['', ''],
      block: false,
      snapshots: false,
      snapshotFactor: '1',
      requestedDurability: { type: 'replicate', replicate: { replica: 3 } },
    },
    clusters: [],
    policy: benchPolicy,
  };
}

/** Ids as random ones are: equally spread, but the same in every run. */
function spread(number: number): string {
  let text = '';
  let word = (number + 1) * 0x9e3779b1;
  for (let part = 0; part < 4; part++) {
    word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
    word ^= word >>> 12;
    text += (word >>> 0).toString(16).padStart(8, '0');
    word = (word + 0x6d2b79f5) | 0;
  }
  return text;
}

/** A history that grows by decisions; its events may be kept or not. */
export interface History {
  state: ControlState;
  position: number;
  take(events: readonly ControlEvent[]): void;
  /** Decides; a refusal ends the bench. */
  decide(command: ControlCommand): readonly ControlEvent[];
}

/** An empty history; `keep` hears every event. */
export function history(keep: (event: ControlEvent) => void = () => undefined): History {
  const now = '2026-01-01T00:00:00.000Z';
  return {
    state: emptyControlState,
    position: 0,
    take(events) {
      for (const event of events) {
        this.position += 1;
        this.state = evolve(this.state, { position: this.position, at: now, event });
        keep(event);
      }
    },
    decide(command) {
      const decision = decide(command, this.state, { position: this.position, now });
      if (decision.kind === 'rejected')
        throw new Error(`${command.type} refused: ${JSON.stringify(decision.rejection).slice(0, 300)}`);
      return decision.events;
    },
  };
}

/** Nodes with devices of one size, all ready, in as many zones as asked. */
export function addTopology(to: History, nodes: number, devices: number, deviceKib: number, zones: number): void {
  to.take(to.decide({ type: 'CreateCluster', clusterId, flags: { file: true, block: true } }));
  for (let node = 1; node <= nodes; node++) {
    const nodeId = hex('a', node) as NodeId;
    const add = operationId();
    const name = `node-${String(node)}` as HostName;
    to.take([
      {
        type: 'NodeAdditionPlanned',
        version: 1,
        operationId: add,
        nodeId,
        clusterId,
        zone: 1 + (node % zones),
        hostnames: { manage: [name], storage: [name] },
        tags: {},
      },
      { type: 'NodeAdded', version: 1, operationId: add, nodeId },
    ]);
    for (let device = 1; device <= devices; device++) {
      const deviceId = hex('d', node * 100 + device) as DeviceId;
      const prepare = operationId();
      to.take([
        {
          type: 'DeviceAdditionPlanned',
          version: 1,
          operationId: prepare,
          deviceId,
          nodeId,
          name: `/dev/sd${String(device)}`,
          tags: {},
          destroyData: false,
        },
        {
          type: 'DeviceAdded',
          version: 1,
          operationId: prepare,
          deviceId,
          totalKib: kib(deviceKib),
          extentKib: 4096,
          pvUuid: '',
          paths: [],
        },
      ]);
    }
  }
}

/** Lets every agent obey until the operation is over: the events a real run would leave, all of them. */
export function finish(to: History, operation: OperationId): void {
  for (;;) {
    const tasks = [...(to.state.operations.get(operation)?.current?.tasks.values() ?? [])].filter(
      ({ status }) => status === 'running',
    );
    if (tasks.length === 0) return;
    for (const { planned } of tasks) {
      const outcome = { kind: 'done', result: { kind: 'nothing' } } as const;
      const { taskId, host } = planned;
      to.take(
        to.decide({ type: 'RecordOutcome', outcome: { taskId, operationId: operation, host, tookMs: 1, outcome } }),
      );
    }
  }
}

/** Ends a creation at once, when only the volume matters and not the way to it. */
export function skipToReady(to: History, { operationId: operation, volumeId }: CommandOf<'CreateVolume'>): void {
  to.take([{ type: 'VolumeCreated', version: 1, operationId: operation, volumeId }]);
}

/** Deletes a volume the whole way. */
export function deleteVolume(to: History, volumeId: VolumeId): void {
  const operation = operationId();
  to.take(to.decide({ type: 'DeleteVolume', operationId: operation, volumeId }));
  finish(to, operation);
}

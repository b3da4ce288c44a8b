/** What must hold of the log after every transaction: the invariants of the design that can be seen in the log alone. */
import {
  recordedEvent,
  emptyControlState,
  encodeSnapshot,
  decodeSnapshot,
  evolveStored,
  freeKib,
  isEvacuation,
  type ControlState,
  type Operation,
  type Volume,
} from '@brickyard/domain';
import { GENESIS_HASH, verifyChain } from '@brickyard/event-sourcing';
import type { Written } from './postgres';

/** An invariant that does not hold. */
export class Violation extends Error {
  constructor(
    readonly invariant: string,
    detail: string,
  ) {
    super(`${invariant}: ${detail}`);
    this.name = 'Violation';
  }
}

/** Fails the run unless the condition holds. */
export function demand(condition: boolean, invariant: string, detail: () => string): void {
  if (!condition) throw new Violation(invariant, detail());
}

export const bytesOf = (state: ControlState): string => [...encodeSnapshot(state)].join('\n');

/** Folds along and looks at every state. */
export class LedgerChecks {
  state = emptyControlState;
  position = 0;
  private epoch = 0;
  private hash = GENESIS_HASH;
  /** First and last position of each command that had an effect. */
  readonly effects = new Map<string, { readonly first: number; last: number }>();
  private snapshot: { readonly bytes: readonly string[]; readonly position: number } | undefined;

  constructor(private readonly all: readonly Written[]) {}

  /** Checks that go on from here with a copy of the log: what has been looked at is not looked at again. */
  fork(all: readonly Written[]): LedgerChecks {
    const fork = new LedgerChecks(all);
    const { state, position, epoch, hash } = this;
    Object.assign(fork, { state, position, epoch, hash });
    for (const [commandId, effect] of this.effects) fork.effects.set(commandId, { ...effect });
    return fork;
  }

  /** A transaction has just been committed. */
  take(written: readonly Written[], snapshotNow: boolean): void {
    for (const { event, epoch } of written) {
      const where = (): string => `position ${String(event.position)} (${event.type})`;
      demand(event.position === this.position + 1, 'positions have no gap', where);
      demand(
        epoch >= this.epoch,
        'two leaders never both commit',
        () => `${where()} by epoch ${String(epoch)} after ${String(this.epoch)}`,
      );
      const problem = verifyChain([event], { position: this.position, hash: this.hash });
      demand(problem === undefined, 'the chain holds', () => problem?.detail ?? '');
      demand(recordedEvent(event) !== undefined, 'every event is understood', where);
      this.noteEffect(event.metadata.commandId, event.position);
      this.epoch = epoch;
      this.hash = event.hash;
      this.position = event.position;
      this.state = evolveStored(this.state, event);
    }
    this.checkState();
    if (snapshotNow) this.snapshot = { bytes: [...encodeSnapshot(this.state)], position: this.position };
  }

  private noteEffect(commandId: string | undefined, position: number): void {
    if (commandId === undefined) return;
    const known = this.effects.get(commandId);
    if (known === undefined) this.effects.set(commandId, { first: position, last: position });
    else {
      demand(
        known.last === position - 1,
        'a command has its effect once',
        () => `${commandId} again at position ${String(position)}`,
      );
      known.last = position;
    }
  }

  private checkState(): void {
    const { state } = this;
    const used = new Map<string, number>();
    for (const volume of state.volumes.values()) {
      checkPlaces(state, volume);
      for (const { deviceId, poolKib, metadataKib } of volume.bricks) {
        used.set(deviceId, (used.get(deviceId) ?? 0) + poolKib + metadataKib);
      }
      for (const { replacement } of volume.moves) {
        const { deviceId, poolKib, metadataKib } = replacement; // Its place is kept from the plan on.
        used.set(deviceId, (used.get(deviceId) ?? 0) + poolKib + metadataKib);
      }
    }
    for (const device of state.devices.values()) {
      const expected = used.get(device.deviceId) ?? 0;
      demand(
        device.usedKib === expected,
        'used space is what bricks take',
        () => `device ${device.deviceId}: ${String(device.usedKib)}, bricks take ${String(expected)}`,
      );
      demand(
        freeKib(device) >= 0,
        'no device is over-filled',
        () => `device ${device.deviceId}: ${String(freeKib(device))} KiB free`,
      );
    }
    for (const operation of state.operations.values()) {
      demand(
        waitsForSomething(operation, state),
        'every operation waits for something named',
        () => `operation ${operation.operationId} (${operation.plan.kind})`,
      );
    }
  }

  /** A host that is counted as lost begins no command of a task: others may be at it, or have taken it back. */
  checkSpeaks(host: string): void {
    const node = [...this.state.nodes.values()].find(({ hostnames }) => hostnames.manage[0] === host);
    demand(
      node?.lostSince === undefined,
      'a lost host begins nothing',
      () => `${host} begins a command of a task, lost since ${String(node?.lostSince)}`,
    );
  }

  /** Folding from zero, and from a snapshot, gives the same bytes. */
  checkFolds(): void {
    const events = this.all.map(({ event }) => event);
    const now = bytesOf(this.state);
    demand(
      bytesOf(events.reduce(evolveStored, emptyControlState)) === now,
      'folding twice gives the same bytes',
      () => `at ${String(this.position)}`,
    );
    const { snapshot } = this;
    if (snapshot === undefined) return;
    const tail = events.slice(snapshot.position).reduce(evolveStored, decodeSnapshot([...snapshot.bytes]));
    demand(
      bytesOf(tail) === now,
      'a snapshot and its tail fold to the same bytes',
      () => `snapshot of ${String(snapshot.position)}`,
    );
  }
}

/** Tasks, the end of a pause; for an evacuation a move, or volumes that others are at work on. */
function waitsForSomething({ plan, retry, current }: Operation, state: ControlState): boolean {
  if (isEvacuation(plan)) {
    if (plan.childId !== undefined) return state.operations.has(plan.childId);
    return plan.moves.some(({ volumeId }) => {
      const busyWith = state.volumes.get(volumeId)?.operationId;
      return busyWith !== undefined && state.operations.has(busyWith);
    });
  }
  return retry !== undefined || [...(current?.tasks.values() ?? [])].some(({ status }) => status === 'running');
}

function checkPlaces(state: ControlState, { volumeId, bricks, spec }: Volume): void {
  const isStrict = spec.options.includes('user.heketi.zone-checking strict');
  const nodes = new Set(bricks.map(({ set, nodeId }) => `${String(set)}/${nodeId}`));
  demand(nodes.size === bricks.length, 'no two bricks of a set on one node', () => `volume ${volumeId}`);
  if (!isStrict) return;
  const zones = new Set(bricks.map(({ set, nodeId }) => `${String(set)}/${String(state.nodes.get(nodeId)?.zone)}`));
  demand(zones.size === bricks.length, 'strict zones hold', () => `volume ${volumeId}`);
}

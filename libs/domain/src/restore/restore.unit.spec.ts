import type { CommandOf, ControlEvent, NodeId, OperationId } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import { decide } from '../control/control.decide';
import { evolve } from '../control/control.evolve';
import { decodeSnapshot, encodeSnapshot } from '../control/snapshot';
import { clusterOf, createVolume, id } from '../testing';

const GIB = 1_048_576;
const at = '2026-01-01T00:00:00.000Z';
const restored = {
  type: 'LogRestored',
  version: 1,
  source: '/backup',
  restoredUpTo: 40,
  hash: 'a'.repeat(64),
} as const;

/** A log that was put back while a volume was being made. */
function held(): ControlState {
  const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [100 * GIB] })));
  plane.submit(createVolume('half', 1));
  return evolve(plane.state, { position: 41, at, event: restored });
}

const after = (state: ControlState, command: Parameters<typeof decide>[0], position = 41): ControlState => {
  const decision = decide(command, state, { position, now: at });
  if (decision.kind === 'rejected') throw new Error(JSON.stringify(decision.rejection));
  return decision.events.reduce(
    (next, event: ControlEvent, index) => evolve(next, { position: position + index + 1, at, event }),
    state,
  );
};

const release: CommandOf<'ReleaseLog'> = {
  type: 'ReleaseLog',
  seenGeneration: 5_000,
  compared: 3,
  silent: 0,
  differences: 0,
};

describe('a log that was put back', () => {
  it.each<Parameters<typeof decide>[0]>([
    createVolume('new', 1),
    { type: 'DeclareNodeLost', nodeId: id('a1') as NodeId, silentSince: at },
    { type: 'RetryStep', operationId: id('0fe1') as OperationId, attempt: 2 },
    { type: 'SetAdminMode', mode: 'read-only' },
  ])('takes no $type before it was compared', (command) => {
    expect(decide(command, held(), { position: 41, now: at })).toEqual({
      kind: 'rejected',
      rejection: { kind: 'LogHeld', since: at, source: '/backup' },
    });
  });

  it('takes differences, and things that hosts have and it has not', () => {
    const state = held();
    expect(decide({ type: 'RecordDrift', observed: [], resolved: [] }, state, { position: 41, now: at }).kind).toBe(
      'accepted',
    );
    const adopt = { type: 'AdoptCluster', origin: 'hosts', clusterId: id('c9') as never } as const;
    const flags = { file: true, block: true };
    expect(after(state, { ...adopt, flags }).clusters.size).toBe(2);
  });

  it('asks for what was running once more when it is released, by orders newer than any that hosts have seen', () => {
    const state = held();
    const released = after(state, release);
    expect(released.hold).toBeUndefined();
    const [running] = released.operations.values();
    expect(running?.current?.generation).toBeGreaterThan(release.seenGeneration - 1);
    const made = after(released, createVolume('new', 1), 42);
    const generations = [...made.operations.values()].map(({ current }) => current?.generation ?? 0);
    expect(Math.min(...generations)).toBeGreaterThanOrEqual(release.seenGeneration);
    expect(decodeSnapshot([...encodeSnapshot(made)])).toEqual(made);
  });

  it('is confirmed once, and remembers that it is held', () => {
    const confirmed = after(held(), { type: 'ConfirmRestore' });
    expect(confirmed.hold).toMatchObject({ confirmed: true, restoredUpTo: 40 });
    expect(after(confirmed, { type: 'ConfirmRestore' })).toBe(confirmed);
    expect(decodeSnapshot([...encodeSnapshot(confirmed)])).toEqual(confirmed);
    expect(after(after(confirmed, release), { type: 'ConfirmRestore' }).hold).toBeUndefined();
  });
});

/** Where a crash can strike: every step of every saga, read from the sagas' own tables. */
import { sagas, type OperationKind } from '@brickyard/domain';
import type { HostsKind } from '@brickyard/stack';

/** Processes of the system. */
const PROCESSES = ['api-gateway', 'allocator', 'node-agents', 'nats', 'postgres'] as const;
/** What only real hosts have: their glusterd, and their power. */
const OF_REAL_HOSTS = ['glusterd', 'host'] as const;
/** Who is killed. */
export const VICTIMS = [...PROCESSES, ...OF_REAL_HOSTS] as const;
export type Victim = (typeof VICTIMS)[number];

export const victimsOn = (hosts: HostsKind): readonly Victim[] => (hosts === 'real' ? VICTIMS : PROCESSES);

/** One place in a saga: a step on its way forward, being asked about, or being taken back. */
export interface Place {
  readonly saga: OperationKind;
  readonly step: number;
  readonly name: string;
  readonly direction: 'act' | 'probe' | 'undo';
}

/** One crash: a place, whether the host has done its work there already, and who dies. */
export interface Point extends Place {
  /** The host has not begun the task, or has done it and not told yet. */
  readonly moment: 'before' | 'after';
  readonly victim: Victim;
}

/**
 * Of real hosts: bricks that are files cannot be cloned, targets of block volumes are not compared with the log yet, and
 * members that are up forget a volume for those that are not.
 */
const isLeftOut = ({ saga, name }: Pick<Place, 'saga' | 'name'>, hosts: HostsKind): boolean =>
  hosts === 'real' && (saga === 'clone-volume' || saga.includes('block') || name === 'remove-volumes');

const MOMENTS = ['before', 'after'] as const;
/** An evacuation gives no orders of its own: it is a row of these. */
const ROW_OF: OperationKind = 'evict-brick';

/** Some steps are there for their undo alone: their action looks at nothing and asks for nothing. */
const givesOrders = (saga: OperationKind, step: number): boolean => (sagas[saga].steps[step]?.act.length ?? 0) > 0;

/** The step whose failure turns an operation round: the last that does, so that everything before it is done and taken back. */
export function turningStep({ saga, step }: Place): number {
  return sagas[saga].steps.reduce(
    (last, { onFailure = 'undo' }, index) =>
      index >= step && onFailure === 'undo' && givesOrders(saga, index) ? index : last,
    step,
  );
}

function placesOf(saga: OperationKind): Place[] {
  const { steps } = sagas[saga];
  if (steps.length === 0) {
    return sagas[ROW_OF].steps.map(({ name }, step) => ({ saga, step, name, direction: 'act' }));
  }
  return steps.flatMap((asked, step): Place[] => {
    const at = { saga, step, name: asked.name };
    return [
      ...(givesOrders(saga, step) ? [{ ...at, direction: 'act' } as const] : []),
      ...(asked.probe === undefined ? [] : [{ ...at, direction: 'probe' } as const]),
      ...(asked.undo === undefined ? [] : [{ ...at, direction: 'undo' } as const]),
    ];
  });
}

/** All of them. A saga or step that is new is among them. */
export function allPoints(hosts: HostsKind): Point[] {
  const kinds = Object.keys(sagas) as OperationKind[];
  const victims = victimsOn(hosts);
  return kinds
    .flatMap(placesOf)
    .filter((place) => !isLeftOut(place, hosts))
    .flatMap((place) => MOMENTS.flatMap((moment) => victims.map((victim): Point => ({ ...place, moment, victim }))));
}

/** Every place once, with moments and victims that change from one to the next, and with the round. */
export function quickPoints(hosts: HostsKind, round: number, count: number): Point[] {
  const all = allPoints(hosts);
  const each = MOMENTS.length * victimsOn(hosts).length;
  const places = all.length / each;
  const stride = Math.max(1, Math.floor(places / count));
  return Array.from({ length: Math.min(count, places) }, (_, index) => {
    const place = (index * stride + round) % places;
    // 9 and 3 have no factor in common with 10 and 14: over the rounds every place meets every moment and victim.
    return all[place * each + ((index * 9 + round * 3) % each)];
  }).filter((point) => point !== undefined);
}

export const nameOf = ({ saga, name, direction, moment, victim }: Point): string =>
  `${saga} / ${name}${direction === 'act' ? '' : ` (${direction})`} / ${moment} / ${victim}`;

/** Every event of the control ledger: its schemas by version, and the union the domain folds. */
import { type z } from 'zod';
import { adoptionEvents } from './adoption/adoption.events';
import { clusterEvents } from './cluster/cluster.events';
import { driftEvents } from './drift/drift.events';
import type { DriftSubject } from './drift/drift.objects';
import { matcherOf } from './matching';
import { operationEvents } from './operation/operation.events';
import { restoreEvents } from './restore/restore.events';

/** Schemas of the data of each event type; index 0 is version 1. Only the last is written. */
export const controlEventSchemas = {
  ...clusterEvents,
  ...operationEvents,
  ...driftEvents,
  ...adoptionEvents,
  ...restoreEvents,
} as const;

export type ControlEventType = keyof typeof controlEventSchemas;

type Last<T extends readonly unknown[]> = T extends readonly [...unknown[], infer L] ? L : never;
type DataOf<Type extends ControlEventType> = z.infer<Extract<Last<(typeof controlEventSchemas)[Type]>, z.ZodType>>;

/** One event as the domain sees it: its type, its version and its facts side by side. */
export type EventOf<Type extends ControlEventType> = { readonly type: Type; readonly version: number } & Readonly<
  DataOf<Type>
>;

export type ControlEvent = { [Type in ControlEventType]: EventOf<Type> }[ControlEventType];

/** The version that is written today. */
export const currentVersionOf = (type: ControlEventType): number => controlEventSchemas[type].length;

/** Whether a stored type is one of ours. */
export const isControlEventType = (type: string): type is ControlEventType => type in controlEventSchemas;

/** Whether this release can fold such an event: a later one may have introduced its type, or its version. */
export const isFoldable = (type: string, version: number): type is ControlEventType =>
  isControlEventType(type) && version <= currentVersionOf(type);

/** What is said of an event that cannot be folded: which it is, where the fold ends, and what to do. */
export const laterReleaseText = ({ position, type, version }: EventName): string =>
  `event ${String(position)} of the log (${type}, version ${String(version)}) was written by a later release; ` +
  `this one goes no further than position ${String(position - 1)}: install the release that wrote it, or a later one`;

/** Which event is meant. */
export interface EventName {
  readonly position: number;
  readonly type: string;
  readonly version: number;
}

/** Turns the data of one version into the data of the next. */
export type Upcaster = (data: Record<string, unknown>) => Record<string, unknown>;

/** Upcasters by event type; index 0 leads from version 1 to 2. Every type is at version 1 today. */
export const upcasters: Partial<Record<ControlEventType, readonly Upcaster[]>> = {};

/** Brings stored data to today's version: what the log's door does before anything is folded. */
export function upcast(type: ControlEventType, version: number, data: Record<string, unknown>): ControlEvent {
  let today = data;
  for (const step of (upcasters[type] ?? []).slice(version - 1)) today = step(today);
  return { ...today, type, version: currentVersionOf(type) } as ControlEvent;
}

/** Checks an event against its schema before it is written; throws a ZodError that names the field. */
export function checkEvent(event: ControlEvent): void {
  const { type, version, ...data } = event;
  checkEventData(type, version, data);
}

/** As `checkEvent`, for one who has the facts apart. */
export function checkEventData(type: ControlEventType, version: number, data: object): void {
  const schema = controlEventSchemas[type][version - 1];
  if (schema === undefined) throw new RangeError(`${type} has no version ${String(version)}`);
  if (!matcherOf(schema)(data)) schema.parse(data);
}

/** The stream of what concerns everything at once. */
const SYSTEM_STREAM = `system-${'0'.repeat(32)}`;

/** The stream an event belongs to: the thing it happened to. */
export function streamOf(event: ControlEvent): string {
  if ('subject' in event) return streamOfSubject(event.subject);
  if (event.type in operationEvents && 'operationId' in event) return `operation-${event.operationId}`;
  if ('blockVolumeId' in event) return `blockvolume-${event.blockVolumeId}`;
  if ('volumeId' in event) return `volume-${event.volumeId}`;
  if ('deviceId' in event) return `device-${event.deviceId}`;
  if ('nodeId' in event) return `node-${event.nodeId}`;
  if (event.type === 'AdminModeSet' || event.type in restoreEvents) return SYSTEM_STREAM;
  if ('clusterId' in event) return `cluster-${event.clusterId}`;
  throw new RangeError(`${event.type} names no stream`);
}

/** What is seen of a thing is told with the thing; what nobody knows, with the node or cluster where it is. */
function streamOfSubject(subject: DriftSubject): string {
  if ('volumeId' in subject) return `volume-${subject.volumeId}`;
  if ('deviceId' in subject) return `device-${subject.deviceId}`;
  return 'nodeId' in subject ? `node-${subject.nodeId}` : `cluster-${subject.clusterId}`;
}

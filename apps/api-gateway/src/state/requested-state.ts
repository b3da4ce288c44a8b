/** Which moment a GET asks for: now, after a position, or as of a position or time. */
import type { ControlState } from '@brickyard/domain';
import type { StateAt } from '@brickyard/event-sourcing/postgres';
import { badRequest, TextError } from '../heketi/text-error';
import { POSITION_HEADER } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from './cluster-state.reader';

type At = StateAt<ControlState>;

/** A state and whether it is a past one that was asked for. */
export interface RequestedState extends At {
  readonly isPast: boolean;
  /** False when this gateway has acknowledged something that the state still does not include. */
  readonly isComplete: boolean;
}

const AFTER_TIMEOUT_MS = 10_000;
/** A position announced by another gateway may be a moment ahead of this one. */
const AT_TIMEOUT_MS = 2_000;
const POSITION = /^\d{1,15}$/;
/** RFC 3339, section 5.6. */
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** The state a request asks for; the answer's header tells its position. */
export async function requestedState(
  reader: ClusterStateReader,
  request: GatewayRequest,
  reply: GatewayReply,
): Promise<RequestedState> {
  const { acknowledged } = reader;
  const after = parameter(request, 'after');
  const at = parameter(request, 'at');
  if (after !== undefined) await reach(reader, after);
  const state = at === undefined ? await reader.latest() : await past(reader, at);
  void reply.header(POSITION_HEADER, state.position);
  return { ...state, isPast: at !== undefined, isComplete: state.position >= acknowledged };
}

/** For a GET that acts: nothing can be done in the past. */
export function refusePast(request: GatewayRequest): void {
  if (parameter(request, 'at') === undefined) return;
  throw badRequest('query parameter at is for requests that only look; this one would change something, and now');
}

function parameter(request: GatewayRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, unknown>>)[name];
  if (value === undefined || typeof value === 'string') return value;
  throw badRequest(`query parameter ${name} is given more than once`);
}

async function reach(reader: ClusterStateReader, after: string): Promise<void> {
  if (!POSITION.test(after)) throw badRequest('query parameter after must be a position of the log: a whole number');
  await reader.latest(); // Without any state there is nothing to wait for.
  if (await reader.waitFor(Number(after), AFTER_TIMEOUT_MS)) return;
  const seconds = String(AFTER_TIMEOUT_MS / 1_000);
  throw new TextError(
    504,
    `position ${after} was not reached within ${seconds} s; this gateway is at ${String(reader.position)}`,
  );
}

async function past(reader: ClusterStateReader, at: string): Promise<At> {
  await reader.latest();
  const position = POSITION.test(at) ? Number(at) : await momentPosition(reader, at, 'at');
  if (position <= reader.position || (await reader.waitFor(position, AT_TIMEOUT_MS))) return reader.at(position);
  throw badRequest(`position ${at} is beyond the end of the log, which is ${String(reader.position)}`);
}

/** The position of the last event at or before a time; throws 400 for what is no time, or one in the future. */
export async function momentPosition(reader: ClusterStateReader, at: string, parameterName: string): Promise<number> {
  const moment = TIME.test(at) ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(moment)) {
    throw badRequest(
      `query parameter ${parameterName} must be a position of the log or a time such as 2026-01-31T03:12:00Z`,
    );
  }
  if (moment > Date.now()) throw badRequest(`time ${at} is in the future`);
  return reader.positionAt(new Date(moment).toISOString());
}

/** Makes sense of what the `gluster` command says: its exit code says nothing, its error numbers little. Pure. */
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import type { Reply, Trouble } from './gluster.port';

/** The parts of an ended command that carry meaning. */
export interface Ended {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  readonly broken?: 'time' | 'output';
}

const LISTS = new Set(['peer', 'volume', 'brick', 'option', 'node', 'task', 'hostname']);

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: true,
  // Lists of one stay lists; `hostname` is one only inside `hostnames`.
  isArray: (name, path) => LISTS.has(name) && (name !== 'hostname' || String(path).includes('.hostnames.')),
});

const Output = z.object({
  cliOutput: z.looseObject({ opRet: z.coerce.number(), opErrno: z.coerce.number(), opErrstr: z.string().default('') }),
});

/** An answer of Gluster: only a parsed one with `opRet` 0 is a success. */
export type Answer =
  | { readonly kind: 'success'; readonly message: string; readonly body: Readonly<Record<string, unknown>> }
  | { readonly kind: 'failure'; readonly errno: number; readonly ret: number; readonly message: string }
  /** Plain text, or nothing: usage errors, time-outs, a daemon that is not there. */
  | { readonly kind: 'text'; readonly message: string };

/** Reads the answer out of a command's output. */
export function answerIn({ out, err }: Ended): Answer {
  const parsed = out.trimStart().startsWith('<') ? Output.safeParse(tryParse(out)) : undefined;
  if (parsed?.success !== true) return { kind: 'text', message: `${out}\n${err}`.trim() };
  const { opRet, opErrno, opErrstr, ...body } = parsed.data.cliOutput;
  if (opRet === 0) return { kind: 'success', message: opErrstr, body };
  return { kind: 'failure', ret: opRet, errno: opErrno, message: opErrstr };
}

function tryParse(xml: string): unknown {
  try {
    return parser.parse(xml) as unknown;
  } catch {
    return undefined; // Cut off: as good as no answer.
  }
}

/** "Another transaction is in progress": the one error number that always means the same. */
const LOCK_HELD = 30802;
const BUSY =
  /Another transaction is in progress|Locking failed|rebalance is in progress|task on volume .* is not yet committed/i;
const NO_DAEMON = /Connection failed|glusterd daemon is operational|glusterd is not running/i;
const PEER_AWAY =
  /not connected|not in 'Peer in Cluster' state|peers? (is|are) (probably )?down|peers are down|Transport endpoint is not connected|Failed to find brick directory|Failed to get extended attribute|Commit failed on|probably down/i;

/** Which kind of trouble an unsuccessful command means. */
export function troubleOf(ended: Ended, answer: Exclude<Answer, { kind: 'success' }>): Trouble {
  if (ended.broken !== undefined || /Request timed out/i.test(answer.message)) return 'no-answer';
  if (NO_DAEMON.test(answer.message)) return 'no-daemon';
  if (answer.kind === 'failure' && answer.errno === LOCK_HELD) return 'locked';
  if (BUSY.test(answer.message)) return 'locked';
  if (PEER_AWAY.test(answer.message)) return 'peer-away';
  // Seen under load, with no text: the same call succeeds a moment later.
  if (answer.kind === 'failure' && answer.ret === -22 && answer.message === '') return 'no-daemon';
  if (answer.kind === 'text' && answer.message === '') return 'no-answer';
  return 'refused';
}

/** The reply to a command that changes something. */
export function replyTo(ended: Ended, cause: string): Reply {
  const answer = answerIn(ended);
  // `0 / 1 / Probe on localhost not needed` is a success that must be told from others.
  if (answer.kind === 'success' && ended.out.includes('Probe on localhost not needed')) {
    return { ok: false, trouble: 'refused', message: 'Probe on localhost not needed', cause };
  }
  if (answer.kind === 'success') return { ok: true };
  const message = answer.message === '' ? 'no reason given' : answer.message.replace(/\s+/g, ' ').slice(0, 500);
  return { ok: false, trouble: troubleOf(ended, answer), message, cause };
}

/** The half of the audit that needs no domain: hashes, streams, checkpoints. Runs beside the fold, in a thread of its own. */
import type { KeyObject } from 'node:crypto';
import {
  auditChain,
  auditCheckpoints,
  type ChainEnd,
  type CheckpointReport,
  type CheckpointSource,
  type Finding,
} from '@brickyard/event-sourcing';
import { openAuditSource } from '@brickyard/event-sourcing/postgres';

/** What to walk along; plain data, so that it can be handed to a thread. */
export interface ChainWalkOrder {
  readonly pgUrl: string;
  readonly ledger: string;
  readonly head: ChainEnd;
  readonly strays: readonly number[];
  /** Version of every stream as Postgres has it. */
  readonly streams: ReadonlyMap<string, number>;
  readonly sources: readonly CheckpointSource[];
  readonly keys: readonly (readonly [string, KeyObject])[] | undefined;
}

export interface ChainWalkReport {
  readonly events: number;
  readonly streams: number;
  readonly findings: readonly Finding[];
  readonly checkpoints: CheckpointReport;
}

const STREAMS_TOLD_MAX = 20;

/** Walks from the first event to the head. */
export async function walkChain(order: ChainWalkOrder): Promise<ChainWalkReport> {
  const { pgUrl, ledger, head } = order;
  const source = await openAuditSource(pgUrl, ledger);
  const chain = auditChain(ledger);
  const checkpoints = auditCheckpoints(order.sources, order.keys === undefined ? undefined : new Map(order.keys));
  let events = 0;
  try {
    for await (const batch of source.readRaw({ after: 0, upTo: head.position })) {
      for (const event of batch) {
        chain.take(event);
        checkpoints.take(event);
      }
      events += batch.length;
    }
  } finally {
    await source.close();
  }
  const findings = [...chain.end(head, order.strays), ...compareStreams(chain.streams, order.streams, head)];
  return { events, streams: chain.streams.size, findings, checkpoints: checkpoints.end(head) };
}

function compareStreams(
  counted: ReadonlyMap<string, number>,
  recorded: ReadonlyMap<string, number>,
  { position }: ChainEnd,
): Finding[] {
  const findings: Finding[] = [];
  for (const id of new Set([...counted.keys(), ...recorded.keys()])) {
    const [events = 0, versions = 0] = [counted.get(id), recorded.get(id)];
    if (events === versions) continue;
    const detail = `${id} is recorded at version ${String(versions)} in es.streams, but its events end at ${String(events)}`;
    findings.push({ kind: 'stream', position, detail });
    if (findings.length === STREAMS_TOLD_MAX) break;
  }
  return findings;
}

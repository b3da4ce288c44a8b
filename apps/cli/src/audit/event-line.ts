/** An event as a line of a file: data and metadata go in as the very text that was hashed. */
import { canonicalJson, type RawEvent } from '@brickyard/event-sourcing';
import { z } from 'zod';

/** The line of an event. */
export function eventLine({ data, metadata, hash, ledger: _, ...header }: RawEvent): string {
  const start = JSON.stringify({ kind: 'event', ...header }).slice(0, -1);
  return `${start},"data":${data},"metadata":${metadata},"hash":"${hash}"}\n`;
}

const Line = z.object({
  position: z.int().min(1),
  streamId: z.string(),
  streamVersion: z.int(),
  eventId: z.string(),
  type: z.string(),
  version: z.int(),
  recordedAt: z.string(),
  data: z.record(z.string(), z.unknown()),
  metadata: z.record(z.string(), z.unknown()),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});

/** The event of a parsed line; undefined when it is none. */
export function eventOf(ledger: string, line: unknown): RawEvent | undefined {
  const parsed = Line.safeParse(line);
  if (!parsed.success) return undefined;
  const { data, metadata, ...header } = parsed.data;
  return {
    ledger,
    ...header,
    data: canonicalJson(data),
    metadata: canonicalJson(metadata),
  };
}

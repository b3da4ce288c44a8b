/** RFC 9110, section 13, as S3 applies it to reads, copies and writes. */
import type { Exchange } from '../http/exchange';
import { S3Error } from '../s3-error';
import type { ObjectRecord, Summary } from '../store/record';

interface Headers {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
}

const failed = (condition: string): S3Error =>
  new S3Error('PreconditionFailed', 'At least one of the conditions does not hold.', {
    fields: { Condition: condition },
  });

/** Whether a reader has what he asks for already; throws when he wants another version. */
export function isNotModified(exchange: Exchange, summary: Summary): boolean {
  const headers = headersOf(exchange, '');
  checkWanted(headers, summary);
  return isKnown(headers, summary);
}

/** Throws unless the source of a copy is as it should be. */
export function checkSource(exchange: Exchange, summary: Summary): void {
  const headers = headersOf(exchange, 'x-amz-copy-source-');
  checkWanted(headers, summary);
  if (isKnown(headers, summary)) throw failed('x-amz-copy-source-If-None-Match');
}

function headersOf(exchange: Exchange, front: string): Headers {
  return {
    ifMatch: exchange.header(`${front}if-match`),
    ifNoneMatch: exchange.header(`${front}if-none-match`),
    ifModifiedSince: exchange.header(`${front}if-modified-since`),
    ifUnmodifiedSince: exchange.header(`${front}if-unmodified-since`),
  };
}

function checkWanted({ ifMatch, ifUnmodifiedSince }: Headers, { etag, modified }: Summary): void {
  if (ifMatch !== undefined) {
    if (!names(ifMatch, etag)) throw failed('If-Match');
    return;
  }
  const since = secondsOf(ifUnmodifiedSince);
  if (since !== undefined && seconds(modified) > since) throw failed('If-Unmodified-Since');
}

function isKnown({ ifNoneMatch, ifModifiedSince }: Headers, { etag, modified }: Summary): boolean {
  if (ifNoneMatch !== undefined) return names(ifNoneMatch, etag);
  const since = secondsOf(ifModifiedSince);
  return since !== undefined && seconds(modified) <= since;
}

/** What a write asks of the object it replaces. */
export interface WriteCondition {
  readonly condition: (present: ObjectRecord | undefined) => void;
  readonly isNew: boolean;
}

export function writeCondition(exchange: Exchange): WriteCondition {
  const [ifMatch, ifNoneMatch] = [exchange.header('if-match'), exchange.header('if-none-match')];
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*') {
    throw new S3Error('NotImplemented', 'If-None-Match of a write is * or not there.');
  }
  return {
    isNew: ifNoneMatch !== undefined,
    condition: (present) => {
      if (ifNoneMatch !== undefined && present !== undefined) throw failed('If-None-Match');
      if (ifMatch === undefined) return;
      if (present === undefined) throw new S3Error('NoSuchKey', 'There is no object of this key.');
      if (!names(ifMatch, present.etag)) throw failed('If-Match');
    },
  };
}

/** Whether a header of entity tags names this one, with or without quotes. */
function names(header: string, etag: string): boolean {
  return header.split(',').some((one) => {
    const tag = one.trim().replace(/^W\//, '').replaceAll('"', '');
    return tag === '*' || tag === etag;
  });
}

const seconds = (ms: number): number => Math.floor(ms / 1_000);

function secondsOf(header: string | undefined): number | undefined {
  const at = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(at) ? undefined : seconds(at);
}

/** The facts as of any moment, and what happened to a tag. */
import type { RepositoryName } from '@brickyard/contracts';
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { LedgerReader, StateAt } from '@brickyard/event-sourcing/postgres';
import { evolveStoredRegistry, type RegistryState } from '@brickyard/domain/registry';
import type { Logger } from '@brickyard/service-host';
import type { RegistryFacts } from '../facts/registry-facts';
import { keptFacts } from '../facts/snapshots';
import { OciError } from '../http/oci-error';

const KEPT_MAX = 8;
const POSITION = /^\d{1,15}$/;
/** RFC 3339, section 5.6; the colons may be missing, as in the name of a tag. */
const TIME = /^\d{4}-?\d\d-?\d\d[Tt]\d\d:?\d\d:?\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const COMPACT = /^(\d{4})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(\d\d)Z$/i;

/** States folded for looks into the past, the last few kept. */
export class PastFacts {
  readonly #kept = new Map<number, StateAt<RegistryState>>();
  #folding: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly facts: RegistryFacts,
    private readonly reader: LedgerReader,
    private readonly log: Logger,
  ) {}

  /** The state as of a position of the log or a time. Refuses what is neither, and the future. */
  async at(moment: string): Promise<StateAt<RegistryState>> {
    const position = await this.#positionOf(moment);
    const current = this.facts.current;
    if (position === current.position) return current;
    if (position > current.position && this.facts.obstacle !== undefined) throw invalid(this.facts.obstacle);
    if (position > current.position) {
      throw invalid(`position ${String(position)} is beyond the end of the log, which is ${String(current.position)}`);
    }
    const known = this.#kept.get(position);
    if (known !== undefined) return known;
    const work = this.#folding.then(() => this.#fold(position)); // One at a time: each holds the core.
    this.#folding = work.catch(() => undefined);
    return work;
  }

  /** Everything that happened to a repository, oldest first. */
  history(repository: RepositoryName): Promise<readonly StoredEvent[]> {
    return this.reader.readStream(`repository-${repository}`);
  }

  async #positionOf(moment: string): Promise<number> {
    if (POSITION.test(moment)) return Number(moment);
    if (!TIME.test(moment)) throw invalid('at must be a position of the log or a time such as 2026-01-31T03:12:00Z');
    const [, year, month, day, hour, minute, second] = COMPACT.exec(moment) ?? [];
    const text =
      year === undefined
        ? moment
        : `${year}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}Z`;
    const time = Date.parse(text);
    if (Number.isNaN(time)) throw invalid(`${moment} is no time`);
    if (time > Date.now()) throw invalid(`${moment} is in the future`);
    return this.reader.positionAt(new Date(time).toISOString());
  }

  async #fold(position: number): Promise<StateAt<RegistryState>> {
    const before = [...this.#kept.keys()].filter((one) => one <= position).sort((one, other) => other - one)[0];
    let { state, position: after } = this.#kept.get(before ?? -1) ?? (await keptFacts(this.reader, this.log, position));
    for await (const events of this.reader.read({ after, upTo: position })) {
      state = events.reduce(evolveStoredRegistry, state);
      after = events.at(-1)?.position ?? after;
    }
    const at = { state, position: after };
    this.#kept.set(position, at);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    return at;
  }
}

const invalid = (message: string): OciError => new OciError('TAG_INVALID', message);

/** A tag and a moment in one word, so that every client can pull it: `latest__at__20260131T031200Z` or `latest__at__1234`. */
export function momentIn(reference: string): { readonly tag: string; readonly moment: string } | undefined {
  const match = /^(.+)__at__(\d{8}[Tt]\d{6}[Zz]|\d{1,15})$/.exec(reference);
  const [, tag, moment] = match ?? [];
  return tag === undefined || moment === undefined ? undefined : { tag, moment };
}

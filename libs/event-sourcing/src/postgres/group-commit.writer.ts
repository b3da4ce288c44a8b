import type { JsonValue } from '../canonical-json';
import { Defect, Overloaded, Unavailable } from '../event-log';
import { Batch, type Tip, type Waiting } from './batch';
import type { Caught } from './catch-up';
import { Caution } from './caution';
import { isDataError } from './connection';
import type { Leadership } from './ledger-storage';
import type { Answer, LedgerWriter, RecordedAnswer, Submission, WriterOptions } from './types';

const WAITING_MAX = 4_096;
const BATCH_SIZE_MAX = 1_000_000;

/**
 * Two batches are in hand: one in flight to Postgres, and a draft that is decided upon it meanwhile, so that server and
 * client work at the same time. The draft goes when the flight has landed; a flight that fails takes the draft with it.
 */
export class GroupCommitWriter<State, Command, Reply extends JsonValue> implements LedgerWriter<State, Command, Reply> {
  readonly ledger: string;
  readonly epoch: number;
  private committed: Tip<State>;
  private readonly versions: Map<string, number>;
  private queue: Waiting<Command, Reply>[] = [];
  /** Every command without an answer yet, wherever it is. */
  private readonly unanswered = new Set<Waiting<Command, Reply>>();
  /** The commands taken from the queue, by id. */
  private readonly takenById = new Map<string, Waiting<Command, Reply>>();
  private draft: Batch<State, Command, Reply> | undefined;
  private flight: Batch<State, Command, Reply> | undefined;
  private isPreparing = false;
  private confirmation: Promise<void> | undefined;
  private nextConfirmation: Promise<void> | undefined;
  private lost: Error | undefined;
  private closed: { readonly promise: Promise<void>; readonly onIdle: () => void } | undefined;
  private readonly caution = new Caution();

  constructor(
    private readonly options: WriterOptions<State, Command, Reply>,
    private readonly leadership: Leadership,
    { tip, versions }: Caught<State>,
  ) {
    this.ledger = options.ledger;
    this.epoch = leadership.head.epoch;
    this.committed = tip;
    this.versions = versions;
  }

  get state(): State {
    return this.committed.state;
  }

  get position(): number {
    return this.committed.position;
  }

  get waiting(): number {
    return this.queue.length;
  }

  submit(submission: Submission<Command>): Promise<Answer<Reply>> {
    if (this.lost !== undefined)
      return Promise.reject(new Unavailable('not the leader any more', { cause: this.lost }));
    if (this.closed !== undefined) return Promise.reject(new Unavailable('the writer is closing'));
    if (this.queue.length >= WAITING_MAX)
      return Promise.reject(new Overloaded(`${String(WAITING_MAX)} commands wait already`));
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Command, Reply> = { submission, followers: [], resolve, reject };
      this.unanswered.add(waiting);
      this.queue.push(waiting);
      this.wake();
    });
  }

  /** Those who ask while a question is under way share the next one: that one begins after they asked. */
  confirm(): Promise<void> {
    if (this.lost !== undefined) return Promise.reject(this.lost);
    this.nextConfirmation ??= (this.confirmation ?? Promise.resolve()).then(() => this.confirmNow());
    return this.nextConfirmation;
  }

  private async confirmNow(): Promise<void> {
    const mine = this.nextConfirmation;
    this.nextConfirmation = undefined;
    this.confirmation = mine?.catch(() => undefined);
    try {
      await this.leadership.confirm();
    } catch (error) {
      this.lose(asError(error));
      throw new Unavailable('not the leader any more', { cause: error });
    }
  }

  async close(): Promise<void> {
    if (this.closed === undefined) {
      let onIdle = (): void => undefined;
      const promise = new Promise<void>((resolve) => (onIdle = resolve));
      this.closed = { promise, onIdle };
    }
    if (this.unanswered.size === 0) this.closed.onIdle();
    await this.closed.promise;
    if (this.lost !== undefined) return;
    this.lost = new Unavailable('the writer is closed');
    await this.leadership.resign();
  }

  /** Steps down: nothing is acknowledged any more. */
  lose(error: Error): void {
    if (this.lost !== undefined) return;
    const unavailable = new Unavailable(`lost the leadership of ledger ${this.ledger}`, { cause: error });
    this.lost = unavailable;
    this.leadership.abandon();
    this.queue = [];
    this.draft = undefined;
    this.flight = undefined;
    [...this.unanswered].forEach((waiting) => {
      this.refuse(waiting, unavailable);
    });
    this.options.onLost(unavailable);
  }

  /** In the next turn of the event loop: what arrives in this one goes along. */
  private wake(): void {
    if (this.isPreparing) return;
    this.isPreparing = true;
    setImmediate(() => {
      this.prepare().catch((error: unknown) => {
        this.lose(asError(error));
      });
    });
  }

  /** Decides what waits, as long as the draft has room. */
  private async prepare(): Promise<void> {
    while (this.lost === undefined && this.queue.length > 0 && this.hasRoom()) {
      const taken = this.take();
      const answers = await this.lookUp(taken);
      if (this.isLost()) return;
      this.decideAll(taken, answers);
      this.commitDraft();
    }
    this.isPreparing = false;
  }

  private hasRoom(): boolean {
    const { draft } = this;
    return draft === undefined || (draft.commands.length < this.caution.commandsMax && draft.size < BATCH_SIZE_MAX);
  }

  /** Takes from the queue; one whose id is under way already follows the one that was first. */
  private take(): readonly Waiting<Command, Reply>[] {
    const room = this.caution.commandsMax - (this.draft?.commands.length ?? 0);
    return this.queue.splice(0, room).filter((waiting) => {
      const { commandId } = waiting.submission;
      if (commandId === undefined) return true;
      const first = this.takenById.get(commandId);
      if (first === undefined) this.takenById.set(commandId, waiting);
      else first.followers.push(waiting);
      return first === undefined;
    });
  }

  private async lookUp(taken: readonly Waiting<Command, Reply>[]): Promise<ReadonlyMap<string, RecordedAnswer>> {
    const ids = taken.map(({ submission }) => submission.commandId).filter((id) => id !== undefined);
    // Postgres has no text with U+0000, so no such id is recorded; deciding refuses it.
    const storable = ids.filter((id) => !id.includes('\0'));
    return storable.length === 0 ? new Map() : this.leadership.findAnswers(storable);
  }

  private decideAll(taken: readonly Waiting<Command, Reply>[], answers: ReadonlyMap<string, RecordedAnswer>): void {
    const now = this.options.clock?.() ?? Date.now();
    for (const [index, waiting] of taken.entries()) {
      const { commandId } = waiting.submission;
      const recorded = commandId === undefined ? undefined : answers.get(commandId);
      if (recorded !== undefined) {
        this.answer(waiting, { reply: recorded.reply as Reply, position: recorded.position, repeated: true });
      } else if (this.hasRoom()) {
        this.decide(waiting, now);
      } else {
        this.putBack(taken.slice(index));
        return;
      }
    }
  }

  private decide(waiting: Waiting<Command, Reply>, now: number): void {
    const tip = this.flight?.tip ?? this.committed;
    const draft = this.draft ?? new Batch(this.options, tip, (streamId) => this.versionBeforeDraft(streamId));
    try {
      draft.add(waiting, now);
      this.draft = draft;
    } catch (error) {
      this.refuse(waiting, asError(error));
    }
  }

  private versionBeforeDraft(streamId: string): number {
    return this.flight?.versions.get(streamId) ?? this.versions.get(streamId) ?? 0;
  }

  private commitDraft(): void {
    if (this.flight !== undefined || this.draft === undefined) return;
    const batch = this.draft;
    this.flight = batch;
    this.draft = undefined;
    this.commit(batch).catch((error: unknown) => {
      this.lose(asError(error));
    });
  }

  private async commit(batch: Batch<State, Command, Reply>): Promise<void> {
    const startedAt = performance.now();
    const transaction = batch.transaction(this.epoch);
    try {
      if (transaction === undefined) await this.leadership.confirm();
      else if (!(await this.leadership.append(transaction))) throw new Unavailable('another writer leads');
    } catch (error) {
      if (!isDataError(error) || this.isLost()) throw error;
      this.split(batch, error);
      return;
    }
    if (this.isLost()) return; // All were told that it is unknown what became of their commands.
    this.land(batch, transaction === undefined ? 0 : performance.now() - startedAt);
  }

  /** Makes a committed batch visible, then answers, then sends the next. */
  private land(batch: Batch<State, Command, Reply>, commitMs: number): void {
    this.committed = batch.tip;
    batch.versions.forEach((version, streamId) => this.versions.set(streamId, version));
    this.flight = undefined;
    this.caution.passed(batch.commands.length);
    const failure = this.tell(batch, commitMs);
    batch.commands.forEach(({ waiting, reply, position }) => {
      this.answer(waiting, { reply, position, repeated: false });
    });
    if (failure !== undefined) {
      this.lose(failure);
      return;
    }
    this.commitDraft();
    if (this.queue.length > 0) this.wake();
  }

  /** The owner's state is no longer to be trusted when its own listener fails. */
  private tell(batch: Batch<State, Command, Reply>, commitMs: number): Error | undefined {
    try {
      if (batch.events.length > 0) this.options.onCommitted(batch.events, batch.tip.state);
      this.options.onBatch?.({ commands: batch.commands.length, events: batch.events.length, commitMs });
      return undefined;
    } catch (cause) {
      return new Unavailable('the listener of committed events failed', { cause });
    }
  }

  /** Postgres refused a value: halves the batches until the command to blame stands alone. */
  private split(batch: Batch<State, Command, Reply>, cause: unknown): void {
    const [first, ...rest] = [...batch.commands, ...(this.draft?.commands ?? [])].map(({ waiting }) => waiting);
    this.flight = undefined;
    this.draft = undefined;
    this.caution.failed(batch.commands.length);
    if (first === undefined) return;
    if (batch.commands.length > 1) {
      this.putBack([first, ...rest]);
    } else {
      this.refuse(first, new Defect('the log does not take this command', { cause }));
      this.putBack(rest);
    }
    this.wake();
  }

  private putBack(taken: readonly Waiting<Command, Reply>[]): void {
    taken.forEach((waiting) => {
      this.forget(waiting);
    });
    this.queue.unshift(...taken);
  }

  private answer(waiting: Waiting<Command, Reply>, answer: Answer<Reply>): void {
    this.forget(waiting);
    this.unanswered.delete(waiting);
    waiting.resolve(answer);
    waiting.followers.forEach((follower) => {
      this.answer(follower, { ...answer, repeated: true });
    });
    if (this.unanswered.size === 0) this.closed?.onIdle();
  }

  private refuse(waiting: Waiting<Command, Reply>, error: Error): void {
    this.forget(waiting);
    this.unanswered.delete(waiting);
    waiting.reject(error);
    waiting.followers.forEach((follower) => {
      this.refuse(follower, error);
    });
    if (this.unanswered.size === 0) this.closed?.onIdle();
  }

  private forget(waiting: Waiting<Command, Reply>): void {
    const { commandId } = waiting.submission;
    if (commandId !== undefined && this.takenById.get(commandId) === waiting) this.takenById.delete(commandId);
  }

  /** A question of its own, as it may become true during any await. */
  private isLost(): boolean {
    return this.lost !== undefined;
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

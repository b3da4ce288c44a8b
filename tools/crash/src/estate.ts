/** A running system under test, its log, and what must hold of both whenever nothing is open. */
import { join } from 'node:path';
import type { OperationId } from '@brickyard/contracts';
import { type ControlState, emptyControlState, evolveStored, type OperationKind } from '@brickyard/domain';
import { type LedgerReader, openLedgerReader } from '@brickyard/event-sourcing/postgres';
import { type ApiClient, describeError } from '@brickyard/service-host';
import { compareHosts, demand, inventoryFrom, LedgerChecks, type WrittenEvent } from '@brickyard/simulation';
import { eventually, type HostsKind, type RunningStack, startStack } from '@brickyard/stack';
import { isComparable, realInventory, simulatedInventory } from './inventory';

export const NODES = 4;
/**
 * How long things may take, milliseconds. Real members keep the lock of a glusterd that died for 180 s, and whatever
 * touches that volume waits for it.
 */
const PATIENCE_MS: Readonly<Record<HostsKind, number>> = { simulated: 90_000, real: 400_000 };
/** Real hosts: an agent that is killed needs longer to be back than this machine leaves a simulated one. */
const LOST_SECONDS: Readonly<Record<HostsKind, number>> = { simulated: 7, real: 15 };
const DEVICE_GIB: Readonly<Record<HostsKind, number>> = { simulated: 100, real: 20 };
const KIB_PER_GIB = 1024 * 1024;

/** A system whose log and hosts are watched. */
export interface Estate {
  readonly stack: RunningStack;
  readonly api: ApiClient;
  readonly dataDir: string;
  readonly faultsFile: string;
  readonly checks: LedgerChecks;
  /** How long whatever is waited for may take, milliseconds. */
  readonly patienceMs: number;
  /** Every task that was ever planned, with what an agent is told of it. */
  readonly planned: readonly PlannedEnvelope[];
  /** Every kind of operation that began, with its id. */
  readonly begun: readonly { readonly kind: OperationKind; readonly operationId: OperationId }[];
  /** Where the log has what a request with this Idempotency-Key led to. */
  effectOf(key: string): { readonly first: number; readonly last: number } | undefined;
  /** Reads what is new in the log, and checks it. */
  read(): Promise<ControlState>;
  /** Waits until every operation has ended and every host speaks; then hosts must hold what the log says. */
  rest(): Promise<void>;
  end(): Promise<void>;
}

/** A task as it was sent. */
export type PlannedEnvelope = Record<string, unknown> & { readonly host: string; readonly generation: number };

/** Starts a system in a folder of its own. */
export async function openEstate(
  dataDir: string,
  hosts: HostsKind,
  onProgress: (text: string) => void,
): Promise<Estate> {
  const faultsFile = join(dataDir, 'planned-faults.json');
  const stack = await startStack({
    dataDir,
    hosts,
    nodes: NODES,
    faultsFile,
    registry: false,
    deviceSizeKib: DEVICE_GIB[hosts] * KIB_PER_GIB,
    gateways: 2,
    env: { BRICKYARD_NODE_LOST_SECONDS: String(LOST_SECONDS[hosts]), HEKETI_BLOCK_HOSTING_VOLUME_SIZE: '10' },
    onProgress,
  });
  const reader = openLedgerReader({ url: stack.env['BRICKYARD_PG_URL'] ?? '', ledger: 'control' });
  return new WatchedEstate(stack, dataDir, faultsFile, reader, PATIENCE_MS[hosts]);
}

class WatchedEstate implements Estate {
  readonly api: ApiClient;
  readonly written: WrittenEvent[] = [];
  readonly checks = new LedgerChecks(this.written);
  readonly planned: PlannedEnvelope[] = [];
  readonly begun: { kind: OperationKind; operationId: OperationId }[] = [];

  private readonly commandOf = new Map<string, string>();
  private keyed = 0;
  /** After each event, also in the middle of a transaction. */
  private shadow = emptyControlState;

  constructor(
    readonly stack: RunningStack,
    readonly dataDir: string,
    readonly faultsFile: string,
    private readonly reader: LedgerReader,
    readonly patienceMs: number,
  ) {
    this.api = stack.client();
  }

  async read(): Promise<ControlState> {
    const { epoch } = await this.reader.head();
    const news: WrittenEvent[] = [];
    for await (const events of this.reader.read({ after: this.checks.position })) {
      news.push(...events.map((event) => ({ event, epoch })));
    }
    // Two reads may be under way: what the other has taken meanwhile is no news any more.
    const fresh = news.filter(({ event }) => event.position > this.checks.position);
    for (const written of fresh) this.note(written);
    this.written.push(...fresh);
    // All at once: between two events of one transaction an operation may wait for nothing.
    this.checks.take(fresh, false);
    return this.checks.state;
  }

  effectOf(key: string): { readonly first: number; readonly last: number } | undefined {
    const { effects } = this.checks;
    for (; this.keyed < this.written.length; this.keyed += 1) {
      const commandId = this.written[this.keyed]?.event.metadata.commandId;
      // The gateway puts the route before the key of the client.
      if (commandId !== undefined) this.commandOf.set(commandId.split(':').at(-1) ?? '', commandId);
    }
    return effects.get(this.commandOf.get(key) ?? '');
  }

  private note({ event }: WrittenEvent): void {
    this.shadow = evolveStored(this.shadow, event);
    const { operationId, tasks } = event.data as { operationId?: OperationId; tasks?: readonly object[] };
    if (operationId === undefined) return;
    const operation = this.shadow.operations.get(operationId);
    if (operation !== undefined && this.begun.at(-1)?.operationId !== operationId) {
      this.begun.push({ kind: operation.plan.kind, operationId });
    }
    if (event.type !== 'StepStarted') return;
    for (const task of tasks ?? []) {
      this.planned.push({ ...(task as { host: string }), operationId, generation: event.position });
    }
  }

  async rest(): Promise<void> {
    await eventually('what is open does not end', this.patienceMs, async () => {
      const open = whatIsOpen(await this.read());
      if (open.length > 0) throw new Error(open.join('; '));
    });
    const wanted = inventoryFrom(this.checks.state);
    const { lab } = this.stack;
    if (lab === undefined) {
      compareHosts(simulatedInventory(this.dataDir), wanted);
      return;
    }
    const comparable = wanted.filter(isComparable);
    // A host that has just come up mounts its bricks and meets its peers by itself, which no operation waits for.
    await eventually('the hosts do not become as the log says', this.patienceMs, async () => {
      compareHosts(await realInventory(lab), comparable);
    });
  }

  async end(): Promise<void> {
    this.api.close();
    await this.reader.close();
    await this.stack.stop();
  }
}

function whatIsOpen(state: ControlState): string[] {
  const operations = [...state.operations.values()].map(({ operationId, plan, current }) => {
    const at = current === undefined ? '' : ` at ${current.name} (${current.direction} ${String(current.attempt)})`;
    return `${plan.kind} ${operationId}${at}`;
  });
  const nodes = [...state.nodes.values()].flatMap(({ hostnames, lostSince, residue }) => {
    const host = hostnames.manage[0] ?? '';
    return [
      ...(lostSince === undefined ? [] : [`${host} is lost`]),
      ...(residue.length === 0 ? [] : [`${host} has residue`]),
    ];
  });
  return [...operations, ...nodes];
}

/** Tries a request again while the system cannot take it: it may just have been killed. */
export function patiently<T>({ patienceMs }: Estate, what: string, ask: () => Promise<T>): Promise<T> {
  return eventually(what, patienceMs, ask);
}

export { demand, describeError };

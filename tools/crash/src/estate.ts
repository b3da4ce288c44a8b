/** A running system under test, its log, and what must hold of both whenever nothing is open. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HostName, type OperationId } from '@brickyard/contracts';
import { type ControlState, emptyControlState, evolveStored, type OperationKind } from '@brickyard/domain';
import { type LedgerReader, openLedgerReader } from '@brickyard/event-sourcing/postgres';
import { type ApiClient, describeError } from '@brickyard/service-host';
import { compareHosts, demand, LedgerChecks, type WrittenEvent } from '@brickyard/simulation';
import { eventually, type RunningStack, startStack } from '@brickyard/stack';

export const NODES = 4;
const REST_MS = 90_000;
const LOST_SECONDS = 7;
const KIB_PER_GIB = 1024 * 1024;

/** A system whose log and hosts are watched. */
export interface Estate {
  readonly stack: RunningStack;
  readonly api: ApiClient;
  readonly dataDir: string;
  readonly faultsFile: string;
  readonly checks: LedgerChecks;
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

/** Starts a system on simulated hosts in a folder of its own. */
export async function openEstate(dataDir: string, onProgress: (text: string) => void): Promise<Estate> {
  const faultsFile = join(dataDir, 'planned-faults.json');
  const stack = await startStack({
    dataDir,
    hosts: 'simulated',
    nodes: NODES,
    faultsFile,
    registry: false,
    deviceSizeKib: 100 * KIB_PER_GIB,
    gateways: 2,
    env: { BRICKYARD_NODE_LOST_SECONDS: String(LOST_SECONDS), HEKETI_BLOCK_HOSTING_VOLUME_SIZE: '10' },
    onProgress,
  });
  const reader = openLedgerReader({ url: stack.env['BRICKYARD_PG_URL'] ?? '', ledger: 'control' });
  return new WatchedEstate(stack, dataDir, faultsFile, reader);
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
    await eventually('what is open does not end', REST_MS, async () => {
      const open = whatIsOpen(await this.read());
      if (open.length > 0) throw new Error(open.join('; '));
    });
    compareHosts(this.found(), this.checks.state);
  }

  /** What the simulated hosts have, read from their files. */
  private found(): Parameters<typeof compareHosts>[0] {
    const root = join(this.dataDir, 'simulated');
    const hosts = readdirSync(join(root, 'hosts')).map((host) => {
      const below = join(root, 'hosts', host);
      const devices = readdirSync(below).filter((name) => name.startsWith('vg_'));
      const paths = devices.flatMap((device) => readdirSync(join(below, device)).map((name) => `${device}/${name}`));
      return [HostName.parse(host), paths] as const;
    });
    const text = (name: string): string => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : '');
    return { hosts: new Map(hosts), journal: text('gluster.journal'), blocks: text('blocks.journal') };
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
export function patiently<T>(what: string, ask: () => Promise<T>): Promise<T> {
  return eventually(what, REST_MS, ask);
}

export { demand, describeError };

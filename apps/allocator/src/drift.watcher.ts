/** What agents say of their hosts, held against the log: differences are recorded once, and settled where the policy says so. */
import {
  FACTS_ALL,
  factsWantedOf,
  NodeFacts,
  quick,
  wholeLook,
  type CommandOf,
  type DriftFinding,
  type DriftId,
  type NodeId,
} from '@brickyard/contracts';
import {
  driftsWithoutSubject,
  judgeHost,
  type ControlState,
  type Drift,
  type HostReport,
  type Node,
} from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { Bus, Gauge, Logger, Metrics, Subscription } from '@brickyard/service-host';
import { DriftHealer, type HealPolicy } from './drift.healer';

const FactsAtDoor = quick(NodeFacts);
const LOOK_EVERY_MS = 5_000;
/** A report older than this is asked for again: its host tells one a minute unasked, and a look costs it several programs. */
const REPORT_OVERDUE_MS = 75_000;
/** A report older than this counts no more. */
const REPORT_AGE_MAX_MS = 90_000;
/** Findings in one command: a commit stays small. */
const FINDINGS_MAX = 200;

export interface DriftOptions {
  readonly bus: Pick<Bus, 'publish' | 'subscribe'>;
  readonly log: Logger;
  readonly state: () => ControlState;
  readonly policy: HealPolicy;
  readonly submit: (
    command: CommandOf<'RecordDrift'> | CommandOf<'RestoreDrift'>,
    correlationId: string,
  ) => Promise<void>;
  readonly metrics?: Metrics;
  readonly now?: () => number;
}

export interface DriftWatcher {
  /** Told after every commit: what an operation has just touched is looked at afresh. */
  offer(events: readonly StoredEvent[]): void;
  /** Asks every host to tell what it sees: after a start, or when the bus was away. */
  askAll(): void;
  /** How far the comparison of log and hosts is. */
  standing(): DriftStanding;
  stop(): Promise<void>;
}

/** What has been compared. */
export interface DriftStanding {
  /** Nodes whose hosts have told what they see, and those that have not; lost ones are not waited for. */
  readonly compared: number;
  readonly silent: number;
  /** Differences that were seen once and are looked at again. */
  readonly doubts: number;
  /** The newest order that any host has seen. */
  readonly seenGeneration: number;
}

/** The last whole report of a host, and one that is still coming in. */
interface Heard {
  report?: HostReport | undefined;
  at: number;
  parts: NodeFacts[];
}

interface Candidate {
  readonly finding: DriftFinding;
  /** The look that showed it first. */
  readonly observedAt: string;
}

const hostOf = (node: Node): string => node.hostnames.manage[0] ?? '';

/** Watches what agents say until stopped. Only the leader may. */
export function watchDrift(options: DriftOptions): DriftWatcher {
  const watcher = new Watcher(options);
  watcher.start();
  return watcher;
}

class Watcher implements DriftWatcher {
  private readonly heard = new Map<string, Heard>();
  /** Seen once: recorded when the next look shows it, too. */
  private readonly candidates = new Map<DriftId, Candidate>();
  private readonly healer: DriftHealer;
  private readonly gauge: Gauge<'class'> | undefined;
  private readonly now: () => number;
  private subscription: Subscription | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: DriftOptions) {
    this.now = options.now ?? Date.now;
    this.healer = new DriftHealer({ ...options, now: this.now });
    this.gauge = options.metrics?.gauge({
      name: 'brickyard_drift_findings',
      help: 'Open differences between the log and what hosts say',
      labels: ['class'],
    });
  }

  start(): void {
    this.subscription = this.options.bus.subscribe(FACTS_ALL, (payload) => {
      this.hear(payload);
    });
    this.timer = setInterval(() => {
      this.look();
    }, LOOK_EVERY_MS);
    this.askAll();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.subscription?.close();
  }

  askAll(): void {
    for (const node of this.options.state().nodes.values()) this.ask(node);
  }

  standing(): DriftStanding {
    const awaited = [...this.options.state().nodes.values()].filter(({ lifecycle }) => lifecycle === 'ready');
    const reports = awaited.map((node) => ({ node, report: this.reportOf(node.nodeId) }));
    return {
      compared: reports.filter(({ report }) => report !== undefined).length,
      silent: reports.filter(({ node, report }) => report === undefined && node.lostSince === undefined).length,
      doubts: this.candidates.size,
      seenGeneration: Math.max(0, ...reports.map(({ report }) => report?.seenGeneration ?? 0)),
    };
  }

  private ask(node: Node): void {
    const [host] = node.hostnames.manage;
    if (host !== undefined) this.options.bus.publish(factsWantedOf(host), {});
  }

  offer(events: readonly StoredEvent[]): void {
    // What was taken over was unknown until now, and hosts tell only what is news to them.
    if (events.some(({ type }) => type.endsWith('Adopted'))) this.askAll();
    if (this.candidates.size === 0) return;
    const told = new Set(events.flatMap(({ data }) => SUBJECTS.map((name) => data[name])));
    for (const [driftId, { finding }] of this.candidates) {
      if (isAbout(finding, told)) this.candidates.delete(driftId);
    }
  }

  private hear(payload: unknown): void {
    const parsed = FactsAtDoor.safeParse(payload);
    if (!parsed.success) return; // An agent of another release.
    const facts = parsed.data;
    const heard = this.heard.get(facts.host) ?? { at: 0, parts: [] };
    this.heard.set(facts.host, heard);
    const isSameLook = heard.parts[0]?.observedAt === facts.observedAt;
    heard.parts = [...(isSameLook ? heard.parts : []), facts];
    if (heard.parts.length < facts.parts) return;
    heard.report = wholeLook(heard.parts);
    heard.parts = [];
    heard.at = this.now();
    const nodes = [...this.options.state().nodes.values()];
    const own = nodes.filter((node) => hostOf(node) === facts.host);
    for (const node of own) this.judge(node);
    // It may have been away when a member told that it does not list it: that word counts from now on.
    const stranger = nodes.find((node) => own.some((one) => this.isStranger(one, node)));
    if (stranger !== undefined) this.judge(stranger);
  }

  /** Whether another member of a node's pool has told that it does not list the node's host. */
  private isStranger(node: Node, other: Node): boolean {
    if (other === node || other.clusterId !== node.clusterId) return false;
    const told = this.reportOf(other.nodeId);
    const uuid = this.reportOf(node.nodeId)?.peers.find(({ hostname }) => hostname === 'localhost')?.uuid;
    return told?.glusterd === 'running' && uuid !== undefined && !told.peers.some((peer) => peer.uuid === uuid);
  }

  private readonly reportOf = (nodeId: NodeId): HostReport | undefined => {
    const node = this.options.state().nodes.get(nodeId);
    const heard = node === undefined ? undefined : this.heard.get(hostOf(node));
    return heard !== undefined && this.isFresh(heard) ? heard.report : undefined;
  };

  /** Simulated hosts change by nobody's hand but ours, and there may be hundreds of them. */
  private isFresh({ at, report }: Heard): boolean {
    return report?.simulated === true || this.now() - at <= REPORT_AGE_MAX_MS;
  }

  private judge(node: Node): void {
    const state = this.options.state();
    const { findings, over } = judgeHost(node.nodeId, state, this.reportOf);
    const observedAt = this.reportOf(node.nodeId)?.observedAt ?? '';
    const seen = new Set(findings.map(({ driftId }) => driftId));
    for (const [driftId, { finding }] of this.candidates) {
      if (finding.nodeIds.includes(node.nodeId) && !seen.has(driftId)) this.candidates.delete(driftId);
    }
    const confirmed: DriftFinding[] = [];
    let doubts = 0;
    for (const finding of findings) {
      if (isKnown(state.drift.get(finding.driftId), finding)) continue;
      const before = this.candidates.get(finding.driftId);
      const isSeenAgain = before !== undefined && isSame(before.finding, finding) && before.observedAt !== observedAt;
      if (isSeenAgain) confirmed.push(finding);
      else this.candidates.set(finding.driftId, { finding, observedAt });
      doubts += isSeenAgain ? 0 : 1;
    }
    if (doubts > 0) this.ask(node);
    for (let from = 0; from < confirmed.length || (from === 0 && over.length > 0); from += FINDINGS_MAX) {
      this.record(confirmed.slice(from, from + FINDINGS_MAX), from === 0 ? over : []);
    }
  }

  private record(observed: readonly DriftFinding[], resolved: readonly DriftId[]): void {
    for (const { driftId, class: kind, subject, expected, found } of observed) {
      this.candidates.delete(driftId);
      this.options.log.warn({ driftId, class: kind, subject, expected, found }, 'a host differs from the log');
    }
    const command: CommandOf<'RecordDrift'> = {
      type: 'RecordDrift',
      observed: [...observed],
      resolved: [...resolved],
    };
    void this.options.submit(command, 'drift').then(() => {
      this.healer.heal();
    });
  }

  /** What no report says: what has left the log, who has not been heard, what is to be healed. */
  private look(): void {
    const state = this.options.state();
    if (driftsWithoutSubject(state).length > 0) this.record([], []);
    for (const node of state.nodes.values()) {
      const heard = this.heard.get(hostOf(node));
      const isOverdue = heard === undefined || this.now() - heard.at > REPORT_OVERDUE_MS;
      if (node.lostSince === undefined && isOverdue && heard?.report?.simulated !== true) this.ask(node);
    }
    this.healer.heal();
    this.count(state);
  }

  private count(state: ControlState): void {
    if (this.gauge === undefined) return;
    this.gauge.reset();
    for (const { class: kind } of state.drift.values()) this.gauge.inc({ class: kind });
  }
}

const isSame = (one: DriftFinding, other: DriftFinding): boolean =>
  one.found === other.found && one.expected === other.expected;
const isKnown = (drift: Drift | undefined, finding: DriftFinding): boolean =>
  drift !== undefined && (drift.operationId !== undefined || isSame(drift, finding));

/** What events and findings are about. */
const SUBJECTS = ['volumeId', 'deviceId', 'nodeId'] as const;

/** Whether a finding is about one of these; ids of different things are never alike. */
function isAbout({ subject }: DriftFinding, ids: ReadonlySet<unknown>): boolean {
  const own: Readonly<Record<string, unknown>> = subject;
  return SUBJECTS.some((name) => own[name] !== undefined && ids.has(own[name]));
}

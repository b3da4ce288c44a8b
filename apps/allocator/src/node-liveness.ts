/** Which agents speak. Silence is only counted while this process can hear: neither an outage of the bus nor one of its own link makes a node lost. */
import {
  Heartbeat,
  heartbeatOf,
  HEARTBEATS_ALL,
  quick,
  type HostName,
  type InternalCommand,
  type NodeId,
} from '@brickyard/contracts';
import type { ControlState, Node } from '@brickyard/domain';
import type { Bus, Subscription } from '@brickyard/service-host';

const BeatAtDoor = quick(Heartbeat);
const LOOK_EVERY_MS = 1_000;
/** A node that speaks is asked again to give up what abandoned operations left on it: soon at first, then ever later. */
const RESIDUE_PAUSE_MS = 30_000;
const RESIDUE_PAUSE_MAX_MS = 5 * 60_000;

export interface NodeLiveness {
  /** Names the process that serves a host: the same for all hosts that one process plays, else the host's own name. */
  readonly processOf: (host: string) => string;
  stop(): Promise<void>;
}

export interface LivenessOptions {
  readonly bus: Pick<Bus, 'connected' | 'published' | 'onConnected' | 'subscribe'>;
  readonly state: () => ControlState;
  readonly lostAfterMs: number;
  readonly submit: (command: InternalCommand, correlationId: string) => Promise<void>;
  /** An agent has just started: what it was told before, it may have lost. */
  readonly onRestarted: (host: HostName) => void;
  readonly now?: () => number;
}

interface Heard {
  readonly at: number;
  readonly incarnation: string;
  readonly simulated: boolean;
}

const hostOf = (node: Node): string => node.hostnames.manage[0] ?? '';

/** What silence or speech says about a node; nothing while all is as it was. */
function whatItMeans(
  { nodeId, lostSince, residue }: Node,
  isSilent: boolean,
  hasSpoken: boolean,
  residueIsDue: boolean,
  at: number,
): InternalCommand | undefined {
  if (isSilent) {
    return lostSince === undefined
      ? { type: 'DeclareNodeLost', nodeId, silentSince: new Date(at).toISOString() }
      : undefined;
  }
  const isNews = lostSince !== undefined || (residueIsDue && residue.length > 0);
  return hasSpoken && isNews ? { type: 'DeclareNodeReturned', nodeId } : undefined;
}

/**
 * Says whether it is time to ask a node for its residue. What it cannot give up, it will hardly give up a moment later, and
 * each time is written down: the pauses grow as long as the residue stays the same.
 */
function residueAsker(now: () => number): (node: Node) => boolean {
  const asked = new Map<NodeId, { readonly what: string; readonly pauseMs: number; readonly at: number }>();
  return ({ nodeId, residue }) => {
    if (residue.length === 0) {
      asked.delete(nodeId);
      return false;
    }
    const what = JSON.stringify(residue);
    const last = asked.get(nodeId);
    if (last?.what !== what) {
      asked.set(nodeId, { what, pauseMs: RESIDUE_PAUSE_MS, at: now() });
      return false;
    }
    if (now() - last.at <= last.pauseMs) return false;
    asked.set(nodeId, { what, pauseMs: Math.min(last.pauseMs * 2, RESIDUE_PAUSE_MAX_MS), at: now() });
    return true;
  };
}

/** Watches heartbeats and says what they mean. */
export function watchNodes(options: LivenessOptions): NodeLiveness {
  const { bus, state, lostAfterMs, submit, onRestarted, now = Date.now } = options;
  const heard = new Map<string, Heard>();
  /** Before this moment nothing could be heard: no silence is older than it. */
  let listeningSince = now();
  const residueIsDue = residueAsker(now);
  let isLooking = false;
  /** The last moment for which it is known that this process could hear. */
  let heardBusAt = now();

  const hear = (payload: unknown, subject: string): void => {
    const beat = BeatAtDoor.safeParse(payload);
    if (!beat.success || subject !== heartbeatOf(beat.data.host)) return; // Nobody speaks for another host.
    const { host, incarnation, simulated } = beat.data;
    const before = heard.get(host);
    heard.set(host, { at: now(), incarnation, simulated });
    if (before !== undefined && before.incarnation !== incarnation) onRestarted(host);
  };
  const lookAt = (node: Node, lookedAt: number): void => {
    const heardAt = heard.get(hostOf(node))?.at ?? 0;
    const at = Math.max(heardAt, listeningSince);
    const isSilent = lookedAt - at > lostAfterMs;
    const command = whatItMeans(node, isSilent, heardAt >= listeningSince, residueIsDue(node), at);
    if (command !== undefined) void submit(command, `node-${node.nodeId}`);
  };
  /** What was said before the bus was asked comes before its answer: whoever is silent then was not merely not heard yet. */
  const look = async (): Promise<void> => {
    if (!bus.connected || isLooking) return;
    isLooking = true;
    const lookedAt = now();
    const hasAnswered = await bus.published().then(
      () => true,
      () => false, // This process is cut off itself.
    );
    isLooking = false;
    if (!hasAnswered) return;
    // A link that was silent for long may have lost what was said meanwhile.
    if (lookedAt - heardBusAt > lostAfterMs / 2) listeningSince = now();
    heardBusAt = lookedAt;
    for (const node of state().nodes.values()) lookAt(node, lookedAt);
  };

  const subscription: Subscription = bus.subscribe(HEARTBEATS_ALL, hear);
  const forget = bus.onConnected(() => {
    listeningSince = now();
  });
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return {
    processOf: (host) => {
      const last = heard.get(host);
      // A real host is a process of its own, whatever it says of itself.
      return last?.simulated === true ? last.incarnation : host;
    },
    async stop() {
      clearInterval(timer);
      forget();
      await subscription.close();
    },
  };
}

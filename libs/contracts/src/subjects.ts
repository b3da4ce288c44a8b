/** The only place that spells a NATS subject, stream or consumer. */
import type { HostName } from './ids';

/** A host name as one token of a subject: letters, digits and `-` stay, anything else becomes `_` and two hex digits. */
export const hostToken = (host: HostName): string =>
  host.replace(/[^A-Za-z0-9-]/g, (char) => `_${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** Batches of client commands, answered by the allocator that leads. */
export const COMMANDS = 'commands.control';
/** Said by an allocator that has just begun to lead: what was asked of the one before, ask again now. */
export const LEADER_READY = 'commands.control.leader';

/** JetStream stream of tasks: a work queue, a copy of intents in the log. */
export const TASKS_STREAM = 'TASKS';
export const TASKS_ALL = 'agents.*.tasks';
export const tasksOf = (host: HostName): string => `agents.${hostToken(host)}.tasks`;
/** The durable consumer of one agent. */
export const taskConsumerOf = (host: HostName): string => `agent-${hostToken(host)}`;
/** The durable consumer of the process that plays every simulated host. */
export const SIMULATED_TASK_CONSUMER = 'agents-simulated';

/**
 * An agent's question before it does a task that has lain about: is it still wanted? A task that its allocator gave up
 * while the host was away must not be done after its return.
 */
export const TASKS_WANTED = 'tasks.wanted';

/** JetStream stream of outcomes: a work queue that the leading allocator empties. */
export const OUTCOMES_STREAM = 'OUTCOMES';
export const OUTCOMES_ALL = 'agents.*.outcomes';
export const outcomesOf = (host: HostName): string => `agents.${hostToken(host)}.outcomes`;
export const OUTCOMES_CONSUMER = 'allocator';
/** Outcomes of several hosts that one process plays: no host has this token, so no agent of a real one may write here. */
export const SIMULATED_OUTCOMES = 'agents._simulated.outcomes';

/** Heartbeats: core NATS, at most once. */
export const HEARTBEATS_ALL = 'agents.*.heartbeat';
export const heartbeatOf = (host: HostName): string => `agents.${hostToken(host)}.heartbeat`;
/** Facts about a host, on change. */
export const FACTS_ALL = 'agents.*.facts';
export const factsOf = (host: HostName): string => `agents.${hostToken(host)}.facts`;
/** Asks agents to look at their hosts again and tell all they see. */
export const FACTS_WANTED_ALL = 'agents.*.facts.wanted';
export const factsWantedOf = (host: HostName): string => `agents.${hostToken(host)}.facts.wanted`;
/** Asks an agent whether it is there and whether its glusterd runs. */
export const PROBES_ALL = 'agents.*.probe';
export const probeOf = (host: HostName): string => `agents.${hostToken(host)}.probe`;

/** JetStream stream of committed events, a window of the log for those who follow. */
export const EVENTS_STREAM = 'EVENTS';
export const EVENTS_ALL = 'events.>';
export const eventsOf = (ledger: string): string => `events.${ledger}`;

/** Everything agents hear and say; what one of them does. */
export const AGENTS_ALL = 'agents.>';
export const ownOf = (host: HostName): string => `agents.${hostToken(host)}.>`;
/** Everything asked of the allocator that leads, and what it says about leading. */
export const COMMANDS_ALL = 'commands.>';
export const QUESTIONS_ALL = 'tasks.>';
/** What the replicas of the registry say to each other, and ask of the one that leads. */
export const REGISTRY_ALL = 'registry.>';
export const REGISTRY_COMMANDS_ALL = 'commands.registry';
/** Commands of the registry's replicas, answered by the one that leads. */
export const REGISTRY_COMMANDS = 'commands.registry';
/** Where the registry's leader says how far its log has come, with the events of the step. */
export const REGISTRY_PULSE = 'registry.pulse';
/** Where its followers say how far they have come. */
export const REGISTRY_FOLLOWED = 'registry.followed';

/** Where JetStream tells how many messages wait in a stream. */
export const streamInfoOf = (stream: string): string => `$JS.API.STREAM.INFO.${stream}`;

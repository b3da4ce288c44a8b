/**
 * Who may say and hear what on the bus. One user for each process; nats-server enforces it. A new subject is granted
 * here, or nobody can use it.
 */
import type { HostName } from './ids';
import {
  AGENTS_ALL,
  COMMANDS,
  COMMANDS_ALL,
  EVENTS_ALL,
  EVENTS_STREAM,
  eventsOf,
  FACTS_ALL,
  FACTS_WANTED_ALL,
  HEARTBEATS_ALL,
  hostToken,
  LEADER_READY,
  OUTCOMES_ALL,
  OUTCOMES_CONSUMER,
  OUTCOMES_STREAM,
  ownOf,
  PROBES_ALL,
  QUESTIONS_ALL,
  REGISTRY_ALL,
  REGISTRY_COMMANDS_ALL,
  SIMULATED_TASK_CONSUMER,
  taskConsumerOf,
  TASKS_ALL,
  TASKS_STREAM,
  TASKS_WANTED,
  tasksOf,
} from './subjects';

/** A process that connects to the bus. */
export type BusAccount =
  | { readonly kind: 'gateway' | 'allocator' | 'registry' | 'simulated-agents' | 'observer' }
  /** The agent of one storage host. */
  | { readonly kind: 'agent'; readonly host: HostName };

/** Subjects an account may publish to and subscribe to; what is not allowed is refused. */
export interface BusPermissions {
  readonly publish: readonly string[];
  /** Wins over `publish`. */
  readonly neverPublish: readonly string[];
  readonly subscribe: readonly string[];
  /**
   * Whose requests it answers: it may write to their inboxes. Never to whatever subject the asker names (`allow_responses`
   * of nats-server): who asks himself could then write anywhere.
   */
  readonly answersTo: readonly BusAccount['kind'][];
}

/** The user name of an account: letters, digits, `-` and `_` only, so that it is one token of a subject. */
export const busUserOf = (account: BusAccount): string =>
  account.kind === 'agent' ? `agent-${hostToken(account.host)}` : account.kind;

/** Answers to a user's requests come below this prefix, which nobody else can listen to. */
export const inboxOf = (user: string): string => `_INBOX_${user.replace(/[^A-Za-z0-9_-]/g, '_')}`;

const JS = '$JS.API';
/** What a pull consumer needs: to be made, to ask for messages, to acknowledge them, and to know its stream. */
const consumes = (stream: string, consumer: string, filter: string): string[] => [
  `${JS}.STREAM.INFO.${stream}`,
  `${JS}.CONSUMER.CREATE.${stream}.${consumer}.${filter}`,
  `${JS}.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
  `$JS.ACK.${stream}.${consumer}.>`,
  // With a domain or from 2.10 on, acknowledgements also name domain and account.
  `$JS.ACK.*.*.${stream}.${consumer}.>`,
];
const ownsStream = (stream: string): string[] =>
  ['INFO', 'CREATE', 'UPDATE'].map((verb) => `${JS}.STREAM.${verb}.${stream}`);

/** What an account may do. */
export function permissionsOf(account: BusAccount): BusPermissions {
  const rights = rightsOf(account);
  return { ...rights, subscribe: [...rights.subscribe, `${inboxOf(busUserOf(account))}.>`] };
}

function rightsOf(account: BusAccount): BusPermissions {
  switch (account.kind) {
    case 'allocator':
      return {
        publish: [
          AGENTS_ALL,
          COMMANDS_ALL,
          EVENTS_ALL,
          ...[TASKS_STREAM, OUTCOMES_STREAM, EVENTS_STREAM].flatMap(ownsStream),
          ...consumes(OUTCOMES_STREAM, OUTCOMES_CONSUMER, OUTCOMES_ALL),
        ],
        neverPublish: [OUTCOMES_ALL, HEARTBEATS_ALL, FACTS_ALL],
        subscribe: [AGENTS_ALL, COMMANDS_ALL, QUESTIONS_ALL, EVENTS_ALL],
        answersTo: ['gateway', 'agent', 'simulated-agents'],
      };
    case 'gateway':
      return {
        publish: [COMMANDS, PROBES_ALL, FACTS_WANTED_ALL],
        neverPublish: [],
        subscribe: [EVENTS_ALL, HEARTBEATS_ALL, FACTS_ALL, LEADER_READY],
        answersTo: [],
      };
    case 'registry':
      return {
        publish: [eventsOf('registry'), REGISTRY_ALL, REGISTRY_COMMANDS_ALL, `${JS}.STREAM.INFO.${EVENTS_STREAM}`],
        neverPublish: [],
        subscribe: [EVENTS_ALL, REGISTRY_ALL, REGISTRY_COMMANDS_ALL],
        answersTo: ['registry'],
      };
    case 'observer':
      return {
        publish: [PROBES_ALL],
        neverPublish: [],
        subscribe: [EVENTS_ALL, HEARTBEATS_ALL, FACTS_ALL],
        answersTo: [],
      };
    case 'agent':
      return agent(ownOf(account.host), tasksOf(account.host), taskConsumerOf(account.host));
    case 'simulated-agents':
      return agent(AGENTS_ALL, TASKS_ALL, SIMULATED_TASK_CONSUMER);
  }
}

/** An agent is told its tasks and says everything else below its own name. */
const agent = (own: string, tasks: string, consumer: string): BusPermissions => ({
  publish: [own, TASKS_WANTED, ...consumes(TASKS_STREAM, consumer, tasks)],
  neverPublish: [tasks],
  subscribe: [own],
  answersTo: ['gateway', 'observer'],
});

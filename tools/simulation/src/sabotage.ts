/** Faults of the product, put in on purpose: a simulation that does not find each of them is worth nothing. */
import { sagas } from '@brickyard/domain';
import { taskRelays } from './product';
import type { Sabotage } from './world';

/** One planted fault. */
export interface Planted extends Sabotage {
  /** What must be found, one of them, by name. */
  readonly breaks: readonly string[];
  /** Changes the code itself; the process is of no other use afterwards. */
  readonly apply?: () => void;
}

/** Every so many outcomes one is lost. */
const OUTCOMES_TO_ONE_LOST = 20;

const losesOutcomes = (): ((subject: string) => boolean) => {
  let count = 0;
  return (subject) => subject.endsWith('.outcomes') && (count += 1) % OUTCOMES_TO_ONE_LOST === 0;
};

const change = (holder: object, name: string, value: unknown): void => {
  Object.defineProperty(holder, name, { value, configurable: true, writable: true });
};

export const planted: Readonly<Record<string, Planted>> = {
  'the head moves whatever the epoch': {
    postgres: { unfenced: true },
    breaks: ['two leaders never both commit', 'positions have no gap', 'the chain holds'],
  },
  'a leader that was cut off still speaks': {
    postgres: { trusting: true },
    breaks: ['every operation ends'],
  },
  'answered command ids are forgotten': {
    postgres: { forgetful: true },
    breaks: ['a command has its effect once', 'an acknowledged command is in the log'],
  },
  'an outcome is lost now and then': {
    nats: { swallows: losesOutcomes() },
    breaks: ['every operation ends'],
  },
  'the fence of agents is off': {
    agent: { unfenced: true },
    breaks: ['a stale or repeated task changes nothing', 'hosts hold exactly what the log says'],
  },
  'agents begin commands unheard': {
    agent: { unleased: true },
    breaks: ['a lost host begins nothing', 'hosts hold exactly what the log says'],
  },
  'bricks of an undone creation are left': {
    apply: () => {
      for (const step of sagas['create-volume'].steps)
        if (step.name === 'create-bricks') change(step, 'undo', undefined);
    },
    breaks: ['hosts hold exactly what the log says'],
  },
  'what a leader takes over is not sent again': {
    apply: () => {
      const make = taskRelays.createTaskRelay;
      const forgetful: typeof make = (...parts) => ({ ...make(...parts), sendRunning: () => undefined });
      change(taskRelays, 'createTaskRelay', forgetful);
    },
    breaks: ['every operation ends'],
  },
};

/** Decisions about a log that was put back: what may be done until it was compared with the hosts, and when that is over. */
import type { CommandOf, ControlCommand } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import type { ControlState } from '../control/control.state';
import type { ControlDecision } from '../control/decisions.types';

/** Commands that ask nothing of a host, and help to make log and hosts agree. */
const WHILE_HELD: ReadonlySet<ControlCommand['type']> = new Set([
  'ConfirmRestore',
  'ReleaseLog',
  'RecordDrift',
  'AdoptCluster',
  'AdoptNode',
  'AdoptDevice',
  'AdoptVolume',
]);

/** The refusal of a command that has to wait until the log is released. */
export function heldBack({ type }: ControlCommand, { hold }: ControlState): ControlDecision | undefined {
  if (hold === undefined || WHILE_HELD.has(type)) return undefined;
  return rejected({ kind: 'LogHeld', since: hold.since, source: hold.source });
}

export function confirmRestore(_: CommandOf<'ConfirmRestore'>, { hold, drift }: ControlState): ControlDecision {
  if (hold === undefined || hold.confirmed) return accepted();
  return accepted({ type: 'RestoreConfirmed', version: 1, differences: drift.size });
}

export const releaseLog = (command: CommandOf<'ReleaseLog'>, { hold }: ControlState): ControlDecision =>
  hold === undefined ? accepted() : accepted({ ...command, type: 'LogReleased', version: 1 });

/** Decisions about everything at once. */
import type { CommandOf } from '@brickyard/contracts';
import { accepted } from '@brickyard/event-sourcing';
import type { ControlState } from './control.state';
import type { ControlDecision } from './decisions.types';

export const setAdminMode = ({ mode }: CommandOf<'SetAdminMode'>, state: ControlState): ControlDecision =>
  state.adminMode === mode ? accepted() : accepted({ type: 'AdminModeSet', version: 1, mode });

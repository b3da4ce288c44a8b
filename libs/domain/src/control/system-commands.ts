/** Decisions about everything at once. */
import type { AdminMode, CommandOf } from '@brickyard/contracts';
import { accepted } from '@brickyard/event-sourcing';
import type { ControlState } from './control.state';
import type { ControlDecision } from './decisions.types';

/** What people set stands until they set something else; a moving in pauses changes, and its confirmation ends that pause alone. */
export function setAdminMode({ mode, adoption }: CommandOf<'SetAdminMode'>, state: ControlState): ControlDecision {
  const { adminMode, modeBeforeAdoption } = state;
  if (adoption !== true) return adminMode === mode && modeBeforeAdoption === undefined ? accepted() : modeSet(mode);
  if (mode !== 'normal') return adminMode === mode ? accepted() : modeSet(mode, modeBeforeAdoption ?? adminMode);
  return modeBeforeAdoption === undefined ? accepted() : modeSet(modeBeforeAdoption);
}

const modeSet = (mode: AdminMode, beforeAdoption?: AdminMode): ControlDecision =>
  accepted({
    type: 'AdminModeSet',
    version: 1,
    mode,
    ...(beforeAdoption === undefined ? {} : { beforeAdoption }),
  });

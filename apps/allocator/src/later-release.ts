/** A log that goes on with what a later release wrote: deciding without it would be deciding on a wrong state. */
import { isFoldable, laterReleaseText, type EventName } from '@brickyard/contracts';
import { Defect } from '@brickyard/event-sourcing';

/** The first event that this release cannot fold; the message says which, and what to do. */
export class LaterRelease extends Defect {
  constructor(event: EventName) {
    super(laterReleaseText(event));
  }
}

/** Stops at an event of a later release. */
export function assertFoldable(event: EventName): void {
  if (!isFoldable(event.type, event.version)) throw new LaterRelease(event);
}

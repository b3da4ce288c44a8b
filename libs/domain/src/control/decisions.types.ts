import type { ControlEvent, Rejection } from '@brickyard/contracts';
import type { Decision } from '@brickyard/event-sourcing';

/** What a control command comes to. */
export type ControlDecision = Decision<ControlEvent, Rejection>;

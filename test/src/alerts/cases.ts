/** For each alert: what the parts of a system tell when it must fire, and what they tell when it must not. */
import { CONTROL_PLANE } from './control-plane';
import { HOSTS } from './hosts';
import type { AlertCases } from './series';
import { SERVICES } from './services';

export const ALERTS: Readonly<Record<string, AlertCases>> = { ...CONTROL_PLANE, ...HOSTS, ...SERVICES };

/** What the simulation looks at, for those who look at a real system. */
export { compareHosts, inventoryFrom, linesFound } from './host-checks';
export { demand, LedgerChecks, Violation } from './ledger-checks';
export type { Written as WrittenEvent } from './postgres';
export { type Random, randomFrom } from './random';

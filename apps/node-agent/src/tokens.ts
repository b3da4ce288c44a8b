/** Names under which the module binds what the agent is made of. */
export const AGENT = Symbol('Agent');
export const LEDGER = Symbol('TaskLedger');
export const FAULTS = Symbol('FaultPlan');
export const GLUSTERD = Symbol('GlusterdSupervisor');
export const DRIVERS = Symbol('Drivers');
export const RECORDED = Symbol('RecordedGlusters');
export const RECORDED_BLOCKS = Symbol('recorded blocks');

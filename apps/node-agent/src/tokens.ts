/** Names under which the module binds what the agent is made of. */
export const AGENT = Symbol('Agent');
export const FILES = Symbol('AgentFiles');
export const GLUSTERD = Symbol('GlusterdSupervisor');
export const DRIVERS = Symbol('Drivers');

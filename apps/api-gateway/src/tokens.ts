/** Names under which the module binds what controllers are given. */
export const STATE_READER = Symbol('ClusterStateReader');
export const COMMAND_SENDER = Symbol('CommandSender');
export const NODE_PROBE = Symbol('NodeProbe');
export const LEDGER = Symbol('LedgerReader');
export const AGENTS = Symbol('AgentWatch');
export const SETTINGS = Symbol('GatewaySettings');
export const LOG = Symbol('Logger');
export const REFUSALS = Symbol('Refusals');
export const EVENT_STREAMS = Symbol('EventStreams');
export const METRICS = Symbol('Metrics');
export const HOST_LOOK = Symbol('HostLook');
export const HOST_FACTS = Symbol('HostFacts');

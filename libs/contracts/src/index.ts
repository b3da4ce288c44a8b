/** What may be said in Brickyard: commands, events, tasks, outcomes, facts, subjects. */
export * from './ids';
export * from './quantities';
export * from './durability';
export * from './cluster/cluster.objects';
export * from './cluster/cluster.commands';
export * from './cluster/cluster.rejections';
export * from './agent/agent.tasks';
export * from './agent/agent.outcomes';
export * from './agent/node-facts';
export * from './operation/operation.events';
export * from './events';
export * from './command-envelope';
export * from './committed-events';
export * from './subjects';
export * from './http/heketi.api';
export * from './wire';
export * from './widening';

/** Everything that crosses a process boundary, by name and version; a change of shape needs a new version. */
import { z } from 'zod';
import { OutcomeBatch, TaskOutcome } from './agent/agent.outcomes';
import { TaskAnswer, TaskBatch, TaskEnvelope, TaskQuestion } from './agent/agent.tasks';
import { Heartbeat, NodeFacts, ProbeReply } from './agent/node-facts';
import { NodeFactsV1 } from './agent/node-facts.v1';
import { CommandBatch, CommandBatchReply } from './command-envelope';
import { CommittedEvents } from './committed-events';
import { controlEventSchemas } from './events';
import { RegistryFollowed, RegistryPulse, RegistryReply, RegistryRequest } from './registry/registry.commands';
import { registryEventSchemas } from './registry/registry.events';

/** Messages on the bus: schemas by version, index 0 is version 1; the last is spoken today. */
export const wireSchemas = {
  CommandBatch: [CommandBatch],
  CommandBatchReply: [CommandBatchReply],
  CommittedEvents: [CommittedEvents],
  TaskEnvelope: [TaskEnvelope],
  TaskBatch: [TaskBatch],
  TaskOutcome: [TaskOutcome],
  OutcomeBatch: [OutcomeBatch],
  TaskQuestion: [TaskQuestion],
  TaskAnswer: [TaskAnswer],
  Heartbeat: [Heartbeat],
  ProbeReply: [ProbeReply],
  NodeFacts: [NodeFactsV1, NodeFacts],
  RegistryRequest: [RegistryRequest],
  RegistryReply: [RegistryReply],
  RegistryPulse: [RegistryPulse],
  RegistryFollowed: [RegistryFollowed],
} as const;

/** The JSON Schema of every version of everything that is published, by file name: what the golden files hold. */
export function publishedSchemas(): ReadonlyMap<string, unknown> {
  const published = new Map<string, unknown>();
  for (const [folder, schemas] of Object.entries({
    events: controlEventSchemas,
    'registry-events': registryEventSchemas,
    wire: wireSchemas,
  })) {
    for (const [name, versions] of Object.entries<readonly z.ZodType[]>(schemas)) {
      versions.forEach((schema, index) => {
        published.set(`${folder}/${name}.v${String(index + 1)}.json`, z.toJSONSchema(schema, { io: 'input' }));
      });
    }
  }
  return published;
}

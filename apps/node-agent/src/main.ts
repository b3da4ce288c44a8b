import '@brickyard/service-host/register';
import 'reflect-metadata';
import {
  busSettings,
  connectBus,
  createLogger,
  createMetrics,
  describeError,
  onShutdown,
  readConfig,
  startHealthServer,
  stopTracing,
} from '@brickyard/service-host';
import type { Agent } from './agent';
import { agentMetrics } from './agent-metrics';
import { AgentConfig } from './config';
import { NodeAgentModule } from './node-agent.module';
import { AGENT } from './tokens';

const SHUTDOWN_MS = 20_000;

async function main(): Promise<void> {
  const config = readConfig(AgentConfig, process.env);
  const name = config.BRICKYARD_AGENT_HOST ?? 'simulated';
  const log = createLogger({ service: 'node-agent', level: config.BRICKYARD_LOG_LEVEL });
  const bus = await connectBus({ ...busSettings(config), name: `node-agent ${name}`, log });
  const metrics = createMetrics('node-agent');
  const app = await NodeAgentModule.open({ config, bus, log, metrics: agentMetrics(metrics) });
  const agent = app.get<Agent>(AGENT);
  const health = await startHealthServer({
    port: config.BRICKYARD_HEALTH_PORT,
    ...(config.BRICKYARD_HEALTH_HOST === undefined ? {} : { host: config.BRICKYARD_HEALTH_HOST }),
    metrics,
    ready: () => agent.ready(),
  });
  onShutdown({
    log,
    deadlineMs: SHUTDOWN_MS,
    steps: [
      { name: 'agent', run: () => agent.stop() },
      { name: 'bus', run: () => bus.drain() },
      { name: 'health', run: () => health.close() },
      { name: 'application', run: () => app.close() },
      { name: 'tracing', run: () => stopTracing() },
    ],
  });
  await agent.start();
  log.info({ host: name, healthPort: health.port }, 'taking tasks');
}

main().catch((error: unknown) => {
  process.stderr.write(`node-agent: ${describeError(error)}\n`);
  process.exit(1);
});

/** Binds the parts to the controllers that use them. */
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AdoptionController } from './adoption/adoption.controller';
import type { HostLook } from './adoption/host-look';
import { EventsController } from './audit/events/events.controller';
import type { EventStreams } from './audit/events/event-streams';
import { ExplainController } from './audit/explain/explain.controller';
import { WhatIfController } from './audit/explain/what-if.controller';
import { HistoryController } from './audit/history.controller';
import { OverviewController } from './audit/overview.controller';
import { TopologyController } from './audit/topology.controller';
import type { AgentWatch } from './audit/agent-watch';
import type { HostFacts } from './audit/host-facts';
import type { GatewaySettings } from './config/gateway.settings';
import { DocsController } from './docs/docs.controller';
import { BlockVolumesController } from './heketi/blocks/block-volumes.controller';
import { BricksController } from './heketi/bricks.controller';
import { DriftController } from './drift/drift.controller';
import { ClustersController } from './heketi/clusters.controller';
import type { CommandSender } from './heketi/command-sender';
import { DatabaseController } from './heketi/db/db.controller';
import { DevicesController } from './heketi/devices.controller';
import { HelloController } from './heketi/hello.controller';
import type { NodeProbe } from './heketi/node-probe';
import { NodesController } from './heketi/nodes.controller';
import { OperationsController } from './heketi/operations/operations.controller';
import type { Refusals } from './heketi/refusals';
import { QueueController } from './heketi/queue.controller';
import { AdminController } from './heketi/server/admin.controller';
import { InternalController } from './heketi/server/internal.controller';
import { MetricsController } from './heketi/server/metrics.controller';
import { TextErrorFilter } from './heketi/text-error.filter';
import { VolumesController } from './heketi/volumes.controller';
import { RebuildController } from './rebuild/rebuild.controller';
import { RestoreController } from './restore/restore.controller';
import type { ClusterStateReader } from './state/cluster-state.reader';
import {
  AGENTS,
  COMMAND_SENDER,
  EVENT_STREAMS,
  HOST_FACTS,
  HOST_LOOK,
  LEDGER,
  LOG,
  METRICS,
  NODE_PROBE,
  REFUSALS,
  SETTINGS,
  STATE_READER,
} from './tokens';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import type { Logger, Metrics } from '@brickyard/service-host';

/** What the controllers are made of. */
export interface GatewayParts {
  readonly settings: GatewaySettings;
  readonly log: Logger;
  readonly ledger: LedgerReader;
  readonly reader: ClusterStateReader;
  readonly commands: CommandSender;
  readonly probe: NodeProbe;
  readonly agents: AgentWatch;
  readonly facts: HostFacts;
  readonly look: HostLook;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly streams: EventStreams;
  readonly refusals: Refusals;
}

@Module({})
export class ApiGatewayModule {
  /** The module around parts that are there already: they live and end with the process, not with Nest. */
  static around(parts: GatewayParts): DynamicModule {
    return {
      module: ApiGatewayModule,
      controllers: [
        HelloController,
        ClustersController,
        NodesController,
        DevicesController,
        VolumesController,
        BricksController,
        QueueController,
        BlockVolumesController,
        OperationsController,
        DatabaseController,
        AdminController,
        InternalController,
        MetricsController,
        DocsController,
        HistoryController,
        EventsController,
        OverviewController,
        TopologyController,
        ExplainController,
        WhatIfController,
        DriftController,
        RestoreController,
        AdoptionController,
        RebuildController,
      ],
      providers: [
        { provide: APP_FILTER, useValue: new TextErrorFilter(parts.log) },
        { provide: SETTINGS, useValue: parts.settings },
        { provide: LOG, useValue: parts.log },
        { provide: LEDGER, useValue: parts.ledger },
        { provide: STATE_READER, useValue: parts.reader },
        { provide: COMMAND_SENDER, useValue: parts.commands },
        { provide: NODE_PROBE, useValue: parts.probe },
        { provide: AGENTS, useValue: parts.agents },
        { provide: HOST_LOOK, useValue: parts.look },
        { provide: HOST_FACTS, useValue: parts.facts },
        { provide: METRICS, useValue: parts.metrics },
        { provide: EVENT_STREAMS, useValue: parts.streams },
        { provide: REFUSALS, useValue: parts.refusals },
      ],
    };
  }
}

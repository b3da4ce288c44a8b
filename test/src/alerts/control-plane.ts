/** Alerts about allocators, gateways and the log. */
import {
  agent,
  type AlertCases,
  allocator,
  COMMIT_BOUNDS,
  gateway,
  objects,
  observed,
  of,
  registry,
  requestsOf,
  rising,
  steady,
} from './series';

export const CONTROL_PLANE: Readonly<Record<string, AlertCases>> = {
  NoLeader: {
    fires: [
      {
        series: { [`brickyard_leader{${allocator(1)}}`]: steady(0), [`brickyard_leader{${allocator(2)}}`]: steady(0) },
        minute: 2,
        severity: 'page',
        summary: 'No allocator leads; nothing can be changed',
      },
      { series: {}, minute: 2, severity: 'page', summary: 'No allocator leads; nothing can be changed' },
    ],
    quiet: [
      {
        why: 'one of two leads',
        series: { [`brickyard_leader{${allocator(1)}}`]: steady(0), [`brickyard_leader{${allocator(2)}}`]: steady(1) },
        minute: 20,
      },
      {
        why: 'the other one takes over',
        series: {
          [`brickyard_leader{${allocator(1)}}`]: '1 1 0 0 0 0',
          [`brickyard_leader{${allocator(2)}}`]: '0 0 0 1 1 1',
        },
        minute: 3,
      },
    ],
  },
  TwoLeaders: {
    fires: [
      {
        series: { [`brickyard_leader{${allocator(1)}}`]: steady(1), [`brickyard_leader{${allocator(2)}}`]: steady(1) },
        minute: 2,
        severity: 'page',
        summary: 'Two allocators say that they lead',
      },
    ],
    quiet: [
      {
        why: 'the old one was scraped before the new one led',
        series: {
          [`brickyard_leader{${allocator(1)}}`]: '1 1 1 0 0',
          [`brickyard_leader{${allocator(2)}}`]: '0 0 1 1 1',
        },
        minute: 3,
      },
    ],
  },
  ServiceDown: {
    fires: [allocator(2), gateway, agent, registry, objects].map((labels) => ({
      series: { [`up{${labels}}`]: '1 1 0x20' },
      minute: 5,
      severity: 'ticket' as const,
      labels: of(labels),
      summary: `${of(labels)['instance'] ?? ''} does not answer`,
    })),
    quiet: [
      { why: 'it was restarted', series: { [`up{${gateway}}`]: '1 1 0 1x20' }, minute: 4 },
      { why: 'it is not ours', series: { 'up{job="node",instance="elsewhere:9100"}': steady(0) }, minute: 20 },
    ],
  },
  GatewayBehind: {
    fires: [
      {
        series: {
          [`brickyard_log_position{${allocator(1)}}`]: steady(1_000),
          [`brickyard_log_position{${allocator(2)}}`]: steady(990),
          [`brickyard_state_position{${gateway}}`]: steady(850),
        },
        minute: 3,
        severity: 'ticket',
        labels: of(gateway),
        summary: 'gateway-1:9100 answers from a state that is 150 events old',
      },
    ],
    quiet: [
      {
        why: 'it is a little behind, as everyone is',
        series: {
          [`brickyard_log_position{${allocator(1)}}`]: rising(500),
          [`brickyard_state_position{${gateway}}`]: '0 420+500x28',
        },
        minute: 20,
      },
    ],
  },
  WriterBacklog: {
    fires: [
      {
        series: { [`brickyard_writer_waiting{${allocator(1)}}`]: steady(1_500) },
        minute: 2,
        severity: 'ticket',
        labels: of(allocator(1)),
        summary: '1500 commands wait to be decided',
      },
    ],
    quiet: [
      {
        why: 'a rush is over within the minute',
        series: { [`brickyard_writer_waiting{${allocator(1)}}`]: '0 0 4000 0 0' },
        minute: 2,
      },
    ],
  },
  CommitsSlow: {
    fires: [
      {
        series: observed('brickyard_append_commit_seconds', `${allocator(1)},`, COMMIT_BOUNDS, '1'),
        minute: 12,
        severity: 'ticket',
        summary: 'One commit in a hundred takes longer than half a second',
      },
    ],
    quiet: [
      {
        why: 'commits are quick',
        series: observed('brickyard_append_commit_seconds', `${allocator(1)},`, COMMIT_BOUNDS, '0.1'),
        minute: 20,
      },
      {
        why: 'there are none',
        series: observed('brickyard_append_commit_seconds', `${allocator(1)},`, COMMIT_BOUNDS, '1', 0),
        minute: 20,
      },
    ],
  },
  ApiErrors: {
    fires: [
      {
        series: requestsOf('brickyard_http_requests_total', `${gateway},status`, 60, 20),
        minute: 7,
        severity: 'page',
        summary: '25% of requests end with an error of the server',
      },
    ],
    quiet: [
      {
        why: 'one in a hundred',
        series: requestsOf('brickyard_http_requests_total', `${gateway},status`, 99, 1),
        minute: 20,
      },
      {
        why: 'nobody asks for anything',
        series: requestsOf('brickyard_http_requests_total', `${gateway},status`, 0, 0),
        minute: 20,
      },
      {
        why: 'clients are wrong',
        series: {
          [`brickyard_http_requests_total{${gateway},status="200"}`]: rising(1),
          [`brickyard_http_requests_total{${gateway},status="409"}`]: rising(60),
        },
        minute: 20,
      },
    ],
  },
};

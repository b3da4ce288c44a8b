/** Alerts about registry and objects, and the volumes below them. */
import {
  type AlertCases,
  objects,
  observed,
  of,
  registry,
  requestsOf,
  roomOf,
  steady,
  SYNC_BOUNDS,
  syncs,
} from './series';

export const SERVICES: Readonly<Record<string, AlertCases>> = {
  RegistryFull: {
    fires: [
      {
        series: roomOf('registry', registry, 50),
        minute: 11,
        severity: 'ticket',
        summary: 'The volume of the registry has 5% left',
      },
    ],
    quiet: [{ why: 'there is room', series: roomOf('registry', registry, 200), minute: 20 }],
  },
  RegistryBlobsBad: {
    fires: [
      {
        series: { [`registry_verification_failures_total{${registry}}`]: '0 0 1x20' },
        minute: 5,
        severity: 'ticket',
        labels: of(registry),
        summary: 'Images in the registry have blobs that are missing or changed',
      },
    ],
    quiet: [
      {
        why: 'that was before, and is still counted',
        series: { [`registry_verification_failures_total{${registry}}`]: steady(4) },
        minute: 20,
      },
    ],
  },
  RegistryErrors: {
    fires: [
      {
        series: requestsOf('registry_http_requests_total', `${registry},code`, 60, 20),
        minute: 7,
        severity: 'page',
        summary: '25% of requests to the registry end with an error of the server',
      },
    ],
    quiet: [
      {
        why: 'one in a hundred',
        series: requestsOf('registry_http_requests_total', `${registry},code`, 99, 1),
        minute: 20,
      },
    ],
  },
  ObjectsFull: {
    fires: [
      {
        series: roomOf('objects', objects, 50),
        minute: 11,
        severity: 'ticket',
        summary: 'The volume of objects has 5% left',
      },
    ],
    quiet: [
      { why: 'there is room', series: roomOf('objects', objects, 200), minute: 20 },
      { why: 'there is no object gateway', series: {}, minute: 20 },
    ],
  },
  ObjectsErrors: {
    fires: [
      {
        series: requestsOf('objects_http_requests_total', `${objects},code`, 60, 20),
        minute: 7,
        severity: 'page',
        summary: '25% of requests for objects end with an error of the server',
      },
    ],
    quiet: [
      {
        why: 'one in a hundred',
        series: requestsOf('objects_http_requests_total', `${objects},code`, 99, 1),
        minute: 20,
      },
    ],
  },
  StorageAway: {
    fires: [registry, objects].map((labels) => {
      const job = of(labels)['job'] ?? '';
      return {
        series: { [`${job}_storage_ready{${labels}}`]: steady(0) },
        minute: 6,
        severity: 'page' as const,
        labels: of(labels),
        summary: `${of(labels)['instance'] ?? ''} does not reach the volume it stores on`,
      };
    }),
    quiet: [
      { why: 'it waited for Gluster', series: { [`registry_storage_ready{${registry}}`]: '0x4 1x20' }, minute: 7 },
    ],
  },
  StorageErrors: {
    fires: [registry, objects].map((labels) => {
      const { job = '', instance = '' } = of(labels);
      return {
        series: {
          [`${job}_storage_errors_total{${labels},operation="write",code="EIO"}`]: '0 0 1x20',
          [`${job}_storage_errors_total{${labels},operation="write",code="ENOSPC"}`]: steady(0),
        },
        minute: 3,
        severity: 'ticket' as const,
        labels: { instance, operation: 'write', code: 'EIO' },
        summary: `Operations (write) on the volume of ${instance} fail with EIO`,
      };
    }),
    quiet: [
      {
        why: 'it is over',
        series: { [`registry_storage_errors_total{${registry},operation="write",code="EIO"}`]: '0 0 1x30' },
        minute: 20,
      },
    ],
  },
  StorageSlow: {
    fires: [
      ['registry', registry],
      ['objects', objects],
    ].map(([prefix = '', labels = '']) => ({
      series: syncs(prefix, labels, '10'),
      minute: 17,
      severity: 'ticket' as const,
      labels: { instance: of(labels)['instance'] ?? '' },
      summary: `One sync in a hundred on the volume of ${of(labels)['instance'] ?? ''} takes longer than two seconds`,
    })),
    quiet: [
      { why: 'syncs are quick', series: syncs('registry', registry, '0.5'), minute: 20 },
      {
        why: 'it is reading that takes long',
        series: observed(
          'registry_storage_operation_duration_seconds',
          `${registry},operation="read",`,
          SYNC_BOUNDS,
          '10',
        ),
        minute: 20,
      },
    ],
  },
};

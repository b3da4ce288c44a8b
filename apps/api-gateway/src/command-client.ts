import { type ClientProxy, ClientProxyFactory, Transport } from '@nestjs/microservices';
import type { GatewaySettings } from './config/gateway.settings';

/** Nest's client of the bus, for commands only; it connects in its own time and reconnects for ever. */
export function commandClient({ url, user, password }: GatewaySettings['nats']): ClientProxy {
  const servers = url.split(',').map((one) => new URL(one.includes('://') ? one.trim() : `nats://${one.trim()}`));
  const name = user ?? decodeURIComponent(servers[0]?.username ?? '');
  const pass = password ?? decodeURIComponent(servers[0]?.password ?? '');
  return ClientProxyFactory.create({
    transport: Transport.NATS,
    options: {
      servers: servers.map(({ host }) => host),
      name: 'api-gateway commands',
      ...(name === '' ? {} : { user: name, pass }),
      ...(servers.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
      reconnect: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      reconnectJitter: 400,
      waitOnFirstConnect: true,
      ignoreAuthErrorAbort: true,
      timeout: 5_000,
      pingInterval: 10_000,
      maxPingOut: 2,
      noAsyncTraces: true,
    },
  });
}

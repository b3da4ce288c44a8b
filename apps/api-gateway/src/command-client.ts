import { type BusSettings, connectionSettings } from '@brickyard/service-host';
import { type ClientProxy, ClientProxyFactory, Transport } from '@nestjs/microservices';

/** Nest's client of the bus, for commands only; it connects in its own time and reconnects for ever. */
export function commandClient(settings: BusSettings): ClientProxy {
  const options = { ...connectionSettings(settings), name: 'api-gateway commands', waitOnFirstConnect: true };
  return ClientProxyFactory.create({ transport: Transport.NATS, options });
}

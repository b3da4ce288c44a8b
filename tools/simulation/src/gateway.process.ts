/** The sending side of a gateway: the real command bus on the simulated one. */
import { LEADER_READY } from '@brickyard/contracts';
import { ClientProxy, type ReadPacket } from '@nestjs/microservices';
import { defer, Observable } from 'rxjs';
import type { SimulatedBus } from './bus';
import type { Proc } from './kernel';
import type { Gateway, World } from './world';
import { CommandBus } from './product';

const COMMAND_BYTES = 1_000;
/** Longer than any attempt: the command bus has its own clock. */
const REQUEST_TIMEOUT_MS = 60_000;

/** Runs until the process ends. */
export async function gatewayMain(world: World, proc: Proc): Promise<Gateway> {
  const bus = world.busOf(proc);
  await bus.connect();
  const commands = new CommandBus(new SimulatedClient(bus));
  bus.subscribe(LEADER_READY, () => {
    commands.askAgain();
  });
  return { proc, send: (envelope) => commands.send(envelope, COMMAND_BYTES) };
}

/** Nest's client of the bus, as far as the command bus uses it. */
class SimulatedClient extends ClientProxy {
  constructor(private readonly bus: SimulatedBus) {
    super();
  }

  override get status(): Observable<string> {
    return new Observable<string>((subscriber) => {
      subscriber.next('connected');
      this.bus.onConnected(() => {
        subscriber.next('connected');
      });
      this.bus.onDisconnected(() => {
        subscriber.next('disconnected');
      });
    });
  }

  override send<Result>(subject: string, data: unknown): Observable<Result> {
    return defer(() => this.bus.request(subject, data, { timeoutMs: REQUEST_TIMEOUT_MS }) as Promise<Result>);
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    // The process that owns the bus ends instead.
  }

  protected publish(): () => void {
    throw new Error('only whole requests are sent here');
  }

  protected dispatchEvent<T>(_: ReadPacket): Promise<T> {
    return Promise.reject(new Error('only whole requests are sent here'));
  }

  unwrap(): never {
    throw new Error('there is no client of NATS below');
  }
}

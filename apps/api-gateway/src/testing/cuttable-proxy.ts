/** A way to a server that a spec can cut and mend, as a network does. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Forwards connections of 127.0.0.1 to a target while it is not cut. */
export class CuttableProxy {
  private readonly sockets = new Set<Socket>();
  private isCut = false;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async to(target: { readonly host: string; readonly port: number }): Promise<CuttableProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const proxy = new CuttableProxy(server, address !== null && typeof address === 'object' ? address.port : 0);
    server.on('connection', (socket) => {
      proxy.forward(socket, target);
    });
    return proxy;
  }

  /** Ends every connection and takes no new one. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private forward(socket: Socket, target: { readonly host: string; readonly port: number }): void {
    if (this.isCut) {
      socket.destroy();
      return;
    }
    const onward = connect(target);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}

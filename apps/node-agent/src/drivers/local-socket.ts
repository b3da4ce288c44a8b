import { connect } from 'node:net';

const TIMEOUT_MS = 500;

/** Whether somebody listens on a local socket: the cheapest sign of life of a daemon. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(TIMEOUT_MS, end(false));
    socket.once('connect', end(true));
    // Where so many wait that no more may is somebody, too: unix(7).
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      end(code === 'EAGAIN')();
    });
  });
}

import { basename } from 'node:path';
import { runCli } from './cli';

const { stdout, stderr } = process;

/** One line that is written over, where somebody looks at it. */
const CLEAR_LINE = '\r\u001b[K';

/** Who reads no further, such as `head`, ends the command: quietly, as everywhere. */
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

void runCli(process.argv.slice(2), {
  env: process.env,
  style: basename(process.argv[1] ?? '').startsWith('heketi-cli') ? 'heketi' : undefined,
  width: stdout.isTTY ? stdout.columns : undefined,
  progress: stderr.isTTY
    ? (text) => stderr.write(`${CLEAR_LINE}${text.slice(0, Math.max(20, stderr.columns - 1))}`)
    : undefined,
  beforeInterrupt: (text) => {
    const tell = (): void => {
      stderr.write(`\n${text}\n`);
      process.kill(process.pid, 'SIGINT'); // The handler is gone: it ends as it would have.
    };
    process.once('SIGINT', tell);
    return () => {
      process.off('SIGINT', tell);
    };
  },
  out: (text) => stdout.write(text),
  err: (text) => stderr.write(text),
}).then((code) => {
  process.exitCode = code;
});

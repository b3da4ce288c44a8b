import { runCli } from './cli';

const { stdout, stderr } = process;

void runCli(process.argv.slice(2), {
  env: process.env,
  width: stdout.isTTY ? stdout.columns : undefined,
  out: (text) => stdout.write(text),
  err: (text) => stderr.write(text),
}).then((code) => {
  process.exitCode = code;
});

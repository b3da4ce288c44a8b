/** Import this first, or load it with `--require`: tracing must patch `http`, `pg` and Nest before they are loaded. */
import type * as TracingSdk from './tracing-sdk';
import { endWhenTold } from './early-signals';
import { setFlush } from './tracing-flush';

endWhenTold();

const endpoint = process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
if (endpoint !== '' && process.env['OTEL_SDK_DISABLED'] !== 'true') {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- synchronous, and not at all without an endpoint
  const { startSdk } = require('./tracing-sdk') as typeof TracingSdk;
  setFlush(startSdk());
}

/** OpenTelemetry's SDK, loaded only by `register.ts` and only when spans have somewhere to go. */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { NestInstrumentation } from '@opentelemetry/instrumentation-nestjs-core';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';

/** Probes and scrapes would be most of the spans and tell nothing. */
const QUIET_PATHS = ['/health/', '/metrics'];

/** Starts tracing; everything else follows the standard `OTEL_*` variables. The result sends what is left and stops. */
export function startSdk(): () => Promise<void> {
  const sdk = new NodeSDK({
    traceExporter: new OTLPTraceExporter(),
    instrumentations: [
      new HttpInstrumentation({
        ignoreIncomingRequestHook: ({ url = '' }) => QUIET_PATHS.some((path) => url.startsWith(path)),
      }),
      new PgInstrumentation({ requireParentSpan: true, enhancedDatabaseReporting: false }),
      new NestInstrumentation(),
    ],
  });
  sdk.start();
  return () => sdk.shutdown();
}

/** Takes spans as a collector of OpenTelemetry would, for specs that look at traces. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const Attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });
const SentSpan = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.int(),
  attributes: z.array(Attribute).default([]),
});
const Export = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(Attribute) }),
      scopeSpans: z.array(z.object({ spans: z.array(SentSpan) })),
    }),
  ),
});

/** A span, and the service that sent it. */
export type Span = z.infer<typeof SentSpan> & { readonly service: string };

/** Listens for spans until it is stopped. */
export class Collector {
  readonly spans: Span[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') this.take(JSON.parse(Buffer.concat(chunks).toString('utf8')));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });

  /** Listens on a free port, and says where. */
  async start(host = '127.0.0.1'): Promise<string> {
    await new Promise<void>((done) => this.server.listen(0, host, done));
    return `http://${host}:${String((this.server.address() as AddressInfo).port)}`;
  }

  private take(body: unknown): void {
    for (const { resource, scopeSpans } of Export.parse(body).resourceSpans) {
      const named = resource.attributes.find(({ key }) => key === 'service.name');
      const service = String(named?.value['stringValue']);
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => ({ ...span, service })));
    }
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** The span that begins a trace, by its name. */
  rootOf(name: string): Span | undefined {
    return this.spans.find((span) => span.name === name && isRoot(span));
  }

  traceOf(root: Span): Span[] {
    return this.spans.filter(({ traceId }) => traceId === root.traceId);
  }

  /** Chains of names, from the top down with others in between, that the trace of a root does not have. */
  missing(root: Span | undefined, chains: readonly (readonly string[])[]): (readonly string[])[] {
    const trace = root === undefined ? [] : this.traceOf(root);
    const paths = trace.map((span) => pathTo(span, trace) ?? []);
    return chains.filter((chain) => !paths.some((path) => isSubsequence(chain, path)));
  }
}

const isRoot = ({ parentSpanId }: Span): boolean => (parentSpanId ?? '') === '';

/** Names from the root down to a span; undefined while a link is missing. */
function pathTo(span: Span, trace: readonly Span[]): string[] | undefined {
  if (isRoot(span)) return [span.name];
  const parent = trace.find(({ spanId }) => spanId === span.parentSpanId);
  const above = parent === undefined ? undefined : pathTo(parent, trace);
  return above === undefined ? undefined : [...above, span.name];
}

function isSubsequence(wanted: readonly string[], path: readonly string[]): boolean {
  let at = 0;
  for (const name of path) if (name === wanted[at]) at += 1;
  return at === wanted.length;
}

/** A trace as lines, indented by depth. */
export function treeOf(trace: readonly Span[], parent = '', depth = 0): string[] {
  return trace
    .filter(({ parentSpanId }) => (parentSpanId ?? '') === parent)
    .flatMap(({ name, service, spanId }) => [
      `${'  '.repeat(depth)}${name} (${service})`,
      ...treeOf(trace, spanId, depth + 1),
    ]);
}

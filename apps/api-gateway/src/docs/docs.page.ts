/** The API's description as one page: no script, nothing from elsewhere. Pure. */
import type { OpenApiDocument, OpenApiOperation } from '@brickyard/contracts';

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
summary { cursor: pointer; padding: .3rem 0; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: #8882; padding: .7rem; overflow-x: auto; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
table { border-collapse: collapse; } td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
:root { color-scheme: light dark; }
`;

/** The page. */
export function docsPage({ info, paths }: OpenApiDocument): string {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const groups = [...new Set(all.flatMap(({ operation }) => operation.tags))];
  const sections = groups.map((group) => {
    const routes = all.filter(({ operation }) => operation.tags.includes(group));
    const items = routes.map(({ method, path, operation }) => routeHtml(method, path, operation));
    return `<h2 id="${safe(group)}">${safe(group)}</h2>\n${items.join('\n')}`;
  });
  const index = groups.map((group) => `<a href="#${safe(group)}">${safe(group)}</a>`).join(' · ');
  return (
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<title>${safe(info.title)} API</title><style>${STYLE}</style></head><body>\n` +
    `<h1>${safe(info.title)} API</h1>\n<p>${safe(info.description)}</p>\n` +
    `<p><a href="openapi.json">OpenAPI document</a> · ${index}</p>\n${sections.join('\n')}\n</body></html>\n`
  );
}

function routeHtml(
  method: string,
  path: string,
  { summary, parameters, requestBody, responses, security }: OpenApiOperation,
): string {
  const body = requestBody?.content['application/json'].schema;
  const statuses = Object.entries(responses).map(
    ([status, { description, content }]) =>
      `<tr><td>${status}</td><td>${safe(description)}${schemaHtml(content)}</td></tr>`,
  );
  const query = parameters.filter((one) => one['in'] === 'query');
  return [
    `<details><summary><span class="method">${method.toUpperCase()}</span> <code>${safe(path)}</code> ${safe(summary)}</summary>`,
    security?.length === 0 ? '<p>No token is needed.</p>' : '',
    query.length === 0
      ? ''
      : `<p>Query: ${query.map((one) => `<code>${safe(one['name'])}</code> ${safe(one['description'])}`).join('; ')}</p>`,
    body === undefined
      ? ''
      : `<p>Body${requestBody?.required === false ? ', if there is one' : ''}:</p><pre>${safe(pretty(body))}</pre>`,
    `<table>${statuses.join('')}</table></details>`,
  ].join('\n');
}

function schemaHtml(content: Readonly<Record<string, unknown>> | undefined): string {
  const json = content?.['application/json'] as { readonly schema?: unknown } | undefined;
  return json?.schema === undefined ? '' : `<pre>${safe(pretty(json.schema))}</pre>`;
}

const pretty = (value: unknown): string => JSON.stringify(value, undefined, 2);

const SAFE: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const safe = (value: unknown): string => String(value).replace(/[&<>"]/g, (char) => SAFE[char] ?? char);

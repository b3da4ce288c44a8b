/** The description of the HTTP API as an OpenAPI 3.1 document, made from the schemas that requests are checked with. */
import { z } from 'zod';
import { type ApiRoute, apiRoutes } from './api-routes';

type Schema = Readonly<Record<string, unknown>>;

/** One operation of the document, as far as its readers here look. */
export interface OpenApiOperation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly security?: readonly unknown[];
  readonly parameters: readonly Schema[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: { readonly 'application/json': { readonly schema: Schema } };
  };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Schema }>>;
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly security: readonly Schema[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: { readonly securitySchemes: Schema };
}

const DESCRIPTION =
  'heketi’s protocol, and what heketi never had under /v1. Work that takes time is answered with 202 and a Location ' +
  'to poll. Errors are plain text outside /v1. Every token is for one method and path: the claim qsh is the SHA-256, ' +
  'in hexadecimal, of METHOD&/path.';

const TEXTS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Made',
  202: 'Accepted; Location tells where to look how it goes',
  204: 'Done, nothing to tell',
  303: 'Done; Location tells where the result is',
  400: 'The request is understood and not acceptable',
  401: 'No token, one that does not fit, or not an administrator’s',
  404: 'Nothing has this id',
  409: 'It is in use, or the name is',
  422: 'The body is not the JSON that is read here',
  429: 'Too many operations at once',
  500: 'It cannot be placed, or something else is at work on it; the text says which. Or a defect, with a reference',
  503: 'Closed for maintenance, or something behind the server is away: ask again',
  504: 'The position asked for was not reached in time',
};

const PAST: readonly Schema[] = [
  parameter('at', 'As of this position of the log or moment (RFC 3339)'),
  parameter('after', 'Wait until this position of the log is included'),
];

function parameter(name: string, description: string): Schema {
  return { name, in: 'query', required: false, description, schema: { type: 'string' } };
}

/** What may stand in a path, by its name. */
const IN_PATH: Readonly<Record<string, Schema>> = {
  id: { type: 'string', pattern: '^[0-9a-f]{32}$' },
  name: { type: 'string' },
};

const inPath = (path: string): Schema[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: IN_PATH[name],
  }));

/** The document; the same for the same schemas. */
export function openApiDocument(): OpenApiDocument {
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const one of apiRoutes) (paths[one.path] ??= {})[one.method] = operationOf(one);
  return {
    openapi: '3.1.0',
    info: { title: 'Brickyard', version: '1', description: DESCRIPTION },
    security: [{ token: [] }],
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
  };
}

function operationOf({
  path,
  group,
  summary,
  isOpen,
  hasMoment,
  body,
  isBodyOptional,
  query = {},
  success,
  refusals,
}: ApiRoute): OpenApiOperation {
  const more = isOpen === true ? [] : [401, 503, ...(hasMoment ? [504] : [])];
  const statuses = [...Object.keys(success).map(Number), ...refusals, ...more];
  return {
    tags: [group],
    summary,
    ...(isOpen === true ? { security: [] } : {}),
    parameters: [
      ...inPath(path),
      ...Object.entries(query).map(([name, description]) => parameter(name, description)),
      ...(hasMoment ? PAST : []),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: isBodyOptional !== true,
            content: { 'application/json': { schema: schemaOf(body) } },
          },
        }),
    responses: Object.fromEntries(
      [...new Set(statuses)]
        .sort((one, other) => one - other)
        .map((status) => [String(status), response(status, path, success[status as keyof typeof success])]),
    ),
  };
}

function response(
  status: number,
  path: string,
  told: z.ZodType | string | undefined,
): { description: string; content?: Schema } {
  const description = TEXTS[status] ?? String(status);
  if (typeof told === 'string') return { description, content: { [told]: {} } };
  if (told !== undefined) return { description, content: { 'application/json': { schema: schemaOf(told) } } };
  if (status < 400) return { description };
  const type = path.startsWith('/v1/') ? 'application/problem+json' : 'text/plain';
  return { description, content: { [type]: {} } };
}

/** What is read of a field, whatever its case and whether it is null; fields that are not named are passed over, and what has a default may be left out. */
function schemaOf(schema: z.ZodType): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      const { properties = {}, required } = jsonSchema;
      if (required !== undefined) jsonSchema.required = required.filter((name) => !hasDefault(properties[name]));
    },
  });
  return rest;
}

const hasDefault = (schema: unknown): boolean => typeof schema === 'object' && schema !== null && 'default' in schema;

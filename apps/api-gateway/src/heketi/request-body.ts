/** A request's body as Go's decoder takes it: text first, whatever its content type says. */
import type { z } from 'zod';
import { badRequest, unparsable } from './text-error';

/** A high surrogate without its low one, or the reverse. */
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** Reads a body; throws 422 when it is empty, no JSON or of another shape. */
export function readBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(readJson(body));
  if (!result.success) throw unparsable();
  return result.data;
}

/** As `readBody`, for the two routes that answer 400 and tell what is wrong. */
export function readBodyOrExplain<T>(schema: z.ZodType<T>, body: unknown): T {
  if (!Buffer.isBuffer(body) || body.length === 0) throw badRequest('request unable to be parsed: EOF');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'), cleanText);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badRequest(`request unable to be parsed: ${error.message}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw badRequest(`request unable to be parsed: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong type'}`);
}

/** As `readBody`, for the routes that also do without a body. */
export function readOptionalBody<T>(schema: z.ZodType<T>, body: unknown): T | undefined {
  return Buffer.isBuffer(body) && body.length > 0 ? readBody(schema, body) : undefined;
}

function readJson(body: unknown): unknown {
  if (!Buffer.isBuffer(body) || body.length === 0) throw unparsable();
  const text = body.toString('utf8');
  // Only an escape can smuggle in what no decoded UTF-8 text holds.
  const hasEscapes = text.includes('\\u') || text.includes('\0');
  try {
    return hasEscapes ? JSON.parse(text, cleanText) : JSON.parse(text);
  } catch (error) {
    throw error instanceof SyntaxError ? unparsable() : error;
  }
}

/** Go puts U+FFFD for half a character. A NUL can stand in no argument of a program, so it is refused here. */
function cleanText(_name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.includes('\0')) throw badRequest('validation failed: body: must not contain NUL characters.');
  return value.replace(LONE_SURROGATE, '\uFFFD');
}

/** Bytes to put on the bus: JSON, nothing at all for `undefined`. */
export const encodeJson = (payload: unknown): string => (payload === undefined ? '' : JSON.stringify(payload));

/** What the bytes of a message say; throws a `SyntaxError` when they are not JSON. */
export function decodeJson(data: Uint8Array): unknown {
  if (data.byteLength === 0) return undefined;
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
  return JSON.parse(text) as unknown;
}

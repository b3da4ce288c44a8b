/** A value that JSON can carry. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/**
 * The one text of a JSON value: keys sorted by UTF-16 code units, no whitespace, as RFC 8785 has it, for safe integers only.
 * Refuses with a RangeError that names the path whatever Postgres or another JSON reader would change or refuse: fractions,
 * -0, undefined, dates, lone surrogates, U+0000.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '$');
}

function write(value: unknown, path: string): string {
  if (typeof value === 'string') return writeString(value, path);
  if (typeof value === 'number') return writeNumber(value, path);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  if (typeof value === 'object') return writeContainer(value, path);
  throw new RangeError(`${path}: ${typeof value} has no canonical JSON`);
}

function writeContainer(value: object, path: string): string {
  if (Array.isArray(value)) {
    // Array.from, as map would leave a hole out and the text would be of a different array.
    return `[${Array.from(value, (item: unknown, index) => write(item, `${path}[${String(index)}]`)).join(',')}]`;
  }
  if (!isPlain(value)) throw new RangeError(`${path}: only plain objects have canonical JSON`);
  const fields = value as Readonly<Record<string, unknown>>;
  return `{${Object.keys(fields)
    .sort()
    .map((key) => `${writeString(key, path)}:${write(fields[key], `${path}.${key}`)}`)
    .join(',')}}`;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // By constructor name, as an object made by another realm (a test sandbox, a worker) has another Object.prototype.
  return prototype === null || (prototype as { constructor?: { name?: string } }).constructor?.name === 'Object';
}

function writeNumber(value: number, path: string): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw new RangeError(
      `${path}: ${String(value)} is not a safe integer; write decimals and large numbers as strings`,
    );
  }
  return String(value);
}

/** JSON.stringify escapes exactly what RFC 8785 wants escaped, except that it lets lone surrogates and U+0000 through. */
function writeString(value: string, path: string): string {
  if (value.includes('\0')) throw new RangeError(`${path}: U+0000 cannot be stored`);
  if (/\p{Surrogate}/u.test(value)) throw new RangeError(`${path}: lone surrogate`);
  return JSON.stringify(value);
}

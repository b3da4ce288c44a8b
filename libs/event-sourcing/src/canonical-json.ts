/** A value that JSON can carry. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** A JSON value as a reader of its canonical text has it, and that text. */
export interface Canonical<Value = JsonValue> {
  /** What parsing the text gives: also its keys are in the order in which a reader meets them. */
  readonly value: Value;
  readonly text: string;
}

/**
 * The one text of a JSON value: keys sorted by UTF-16 code units, no whitespace, as RFC 8785 has it, for safe integers only.
 * Refuses with a RangeError that names the path whatever Postgres or another JSON reader would change or refuse: fractions,
 * -0, undefined, dates, lone surrogates, U+0000.
 */
export function canonicalJson(value: unknown): string {
  return canonical(value).text;
}

/** The canonical text of a value and what it says, for the price of one walk: nobody need parse what was just written. */
export function canonical<Value = JsonValue>(value: unknown): Canonical<Value> {
  const ordered = orderedCopy(value);
  if (ordered !== UNFIT) return { value: ordered as Value, text: JSON.stringify(ordered) };
  const text = write(value, '$');
  return { value: JSON.parse(text) as Value, text };
}

/** Says that a value is refused, or that a copy would not keep the order of its keys: the long way tells which. */
const UNFIT = Symbol('unfit');

/** A copy whose keys are in canonical order: what `JSON.stringify` makes of it is then the canonical text. */
function orderedCopy(value: unknown): unknown {
  if (typeof value === 'string') return isFitString(value) ? value : UNFIT;
  if (typeof value === 'number') return isFitNumber(value) ? value : UNFIT;
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') return UNFIT;
  return Array.isArray(value) ? orderedArray(value) : orderedObject(value);
}

function orderedArray(value: readonly unknown[]): unknown {
  const copy: unknown[] = [];
  for (const item of value) {
    const ordered = orderedCopy(item);
    if (ordered === UNFIT) return UNFIT;
    copy.push(ordered);
  }
  return copy;
}

function orderedObject(value: object): unknown {
  if (!isPlain(value)) return UNFIT;
  const fields = value as Readonly<Record<string, unknown>>;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(fields).sort()) {
    if (!isFitKey(key)) return UNFIT;
    const ordered = orderedCopy(fields[key]);
    if (ordered === UNFIT) return UNFIT;
    copy[key] = ordered;
  }
  return copy;
}

/** Numbers are first in every object, whenever they were put in; `__proto__` is no property when it is assigned. */
const isFitKey = (key: string): boolean => isFitString(key) && !/^\d/.test(key) && key !== '__proto__';

const isFitString = (value: string): boolean => !value.includes('\0') && value.isWellFormed();

const isFitNumber = (value: number): boolean => Number.isSafeInteger(value) && !Object.is(value, -0);

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
  if (prototype === null || prototype === Object.prototype) return true;
  // By constructor name, as an object made by another realm (a test sandbox, a worker) has another Object.prototype.
  return (prototype as { constructor?: { name?: string } }).constructor?.name === 'Object';
}

function writeNumber(value: number, path: string): string {
  if (!isFitNumber(value)) {
    throw new RangeError(
      `${path}: ${String(value)} is not a safe integer; write decimals and large numbers as strings`,
    );
  }
  return String(value);
}

/** JSON.stringify escapes exactly what RFC 8785 wants escaped, except that it lets lone surrogates and U+0000 through. */
function writeString(value: string, path: string): string {
  if (value.includes('\0')) throw new RangeError(`${path}: U+0000 cannot be stored`);
  if (!value.isWellFormed()) throw new RangeError(`${path}: lone surrogate`);
  return JSON.stringify(value);
}

/** Whether a published schema may take the place of an older one: it must accept whatever that one accepted. Pure. */

/** A JSON Schema, as far as ours go. */
type Schema = Readonly<Record<string, unknown>>;

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const schemaAt = (schema: Schema, key: string): Schema => (isSchema(schema[key]) ? schema[key] : {});
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The alternatives of a union; a schema that is none is its own only one. */
function alternatives(schema: Schema): readonly Schema[] {
  const listed = schema['anyOf'] ?? schema['oneOf'];
  return Array.isArray(listed) ? listed.filter(isSchema) : [schema];
}

/** What tells the members of a union apart: the constants among their properties. */
function constantsOf(schema: Schema): string {
  const properties = Object.entries(schemaAt(schema, 'properties'));
  return JSON.stringify(
    properties.flatMap(([name, value]) =>
      isSchema(value) && 'const' in value && name !== 'version' ? [[name, value['const']]] : [],
    ),
  );
}

function unionNarrowings(before: Schema, after: Schema, path: string): string[] {
  const wider = alternatives(after);
  return alternatives(before).flatMap((member) => {
    const tag = constantsOf(member);
    const likely = wider.filter((other) => constantsOf(other) === tag);
    const tries = likely.map((other) => objectNarrowings(member, other, `${path}/${tag}`));
    if (tries.some((found) => found.length === 0)) return [];
    return tries[0] ?? [`${path}: the member ${tag} is gone`];
  });
}

function objectNarrowings(before: Schema, after: Schema, path: string): string[] {
  if (same(before, after)) return [];
  if (Array.isArray(before['enum']) && Array.isArray(after['enum'])) {
    const kept = after['enum'] as readonly unknown[];
    return before['enum'].flatMap((value) => (kept.includes(value) ? [] : [`${path}: ${String(value)} is gone`]));
  }
  const found: string[] = [];
  const known = schemaAt(before, 'properties');
  const properties = schemaAt(after, 'properties');
  for (const [name, schema] of Object.entries(known)) {
    const next = properties[name];
    if (!isSchema(next)) found.push(`${path}/${name}: is gone`);
    else if (isSchema(schema)) found.push(...narrowings(schema, next, `${path}/${name}`));
  }
  const wanted = Array.isArray(after['required']) ? (after['required'] as readonly string[]) : [];
  const demanded = Array.isArray(before['required']) ? (before['required'] as readonly string[]) : [];
  for (const name of wanted) if (!demanded.includes(name)) found.push(`${path}/${name}: is demanded now`);
  for (const key of ['items', 'additionalProperties', 'propertyNames']) {
    if (isSchema(before[key]) || isSchema(after[key])) {
      found.push(...narrowings(schemaAt(before, key), schemaAt(after, key), `${path}/${key}`));
    } else if (!same(before[key], after[key])) found.push(`${path}: ${key} has changed`);
  }
  const looked = new Set(['properties', 'required', 'items', 'additionalProperties', 'propertyNames', '$schema']);
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (!looked.has(key) && !same(before[key], after[key])) found.push(`${path}: ${key} has changed`);
  }
  return found;
}

/** Where a schema refuses what an older one accepted; nothing when it only accepts more. Errs towards a refusal. */
export function narrowings(before: unknown, after: unknown, path = ''): string[] {
  if (same(before, after)) return [];
  if (!isSchema(before) || !isSchema(after)) return [`${path}: has changed`];
  const isUnion = alternatives(before).length > 1 || alternatives(after).length > 1;
  return isUnion ? unionNarrowings(before, after, path) : objectNarrowings(before, after, path);
}

/** What clients see of the system at one position, as flat texts: two of them are compared field by field. Pure. */

export type Kind = 'cluster' | 'node' | 'device' | 'volume';

/** One thing: its fields by name, in the words a reader of a report wants. */
export type Thing = ReadonlyMap<string, string>;

export interface Picture {
  readonly position: number;
  /** By `kind id`. */
  readonly things: ReadonlyMap<string, Thing>;
}

/** One field that two pictures do not have alike; a value that is not there is absent. */
export interface FieldChange {
  readonly field: string;
  readonly before?: string;
  readonly after?: string;
}

/** One thing that came, went or changed. */
export interface Change {
  readonly kind: Kind;
  readonly id: string;
  readonly what: 'added' | 'removed' | 'changed';
  readonly fields: readonly FieldChange[];
}

/** A list as one text, whatever its order was. */
export const listed = (items: readonly string[]): string => [...items].sort().join(' ');

/** Everything that is not the same in both, things in order. */
export function changesBetween(before: Picture, after: Picture): readonly Change[] {
  const keys = [...new Set([...before.things.keys(), ...after.things.keys()])].sort();
  return keys.flatMap((key) => {
    const [kind, id = ''] = key.split(' ') as [Kind, string?];
    const [old, now] = [before.things.get(key), after.things.get(key)];
    const fields = fieldChanges(old ?? new Map(), now ?? new Map());
    if (old !== undefined && now !== undefined && fields.length === 0) return [];
    const what = old === undefined ? 'added' : now === undefined ? 'removed' : 'changed';
    return [{ kind, id, what, fields }];
  });
}

function fieldChanges(before: Thing, after: Thing): FieldChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.flatMap((field) => {
    const [old, now] = [before.get(field), after.get(field)];
    if (old === now) return [];
    return [{ field, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) }];
  });
}

/**
 * An immutable map with string keys: a hash array mapped trie. A changed map shares all but the changed path with the
 * one before, so the writer can drop a batch by dropping a reference, a reader keeps any moment for free, and a
 * what-if is a fork that costs nothing.
 */

interface Entry<V> {
  readonly kind: 'entry';
  readonly hash: number;
  readonly key: string;
  readonly value: V;
}
/** Entries whose 32-bit hashes are equal, sorted by key so that equal maps are built alike. */
interface Collision<V> {
  readonly kind: 'collision';
  readonly hash: number;
  readonly entries: readonly Entry<V>[];
}
interface Branch<V> {
  readonly kind: 'branch';
  readonly bitmap: number;
  readonly children: readonly TrieNode<V>[];
}
type TrieNode<V> = Entry<V> | Collision<V> | Branch<V>;

const BITS = 5;
const MASK = 31;

/** FNV-1a with a final mix; the same on every machine. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function popCount(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const slotOf = (bitmap: number, bit: number): number => popCount(bitmap & (bit - 1));
const bitOf = (hash: number, shift: number): number => 1 << ((hash >>> shift) & MASK);

function find<V>(root: TrieNode<V> | undefined, hash: number, key: string): Entry<V> | undefined {
  let node = root;
  for (let shift = 0; node !== undefined; shift += BITS) {
    if (node.kind === 'entry') return node.key === key ? node : undefined;
    if (node.kind === 'collision') return node.entries.find((entry) => entry.key === key);
    const bit = bitOf(hash, shift);
    if ((node.bitmap & bit) === 0) return undefined;
    node = node.children[slotOf(node.bitmap, bit)];
  }
  return undefined;
}

/** Two leaves under one branch, or deeper where their hashes share the next bits. */
function join<V>(one: Entry<V> | Collision<V>, other: Entry<V>, shift: number): TrieNode<V> {
  if (one.hash === other.hash) {
    const entries = [...(one.kind === 'entry' ? [one] : one.entries), other];
    return { kind: 'collision', hash: one.hash, entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)) };
  }
  const oneBit = bitOf(one.hash, shift);
  const otherBit = bitOf(other.hash, shift);
  if (oneBit === otherBit) return { kind: 'branch', bitmap: oneBit, children: [join(one, other, shift + BITS)] };
  const inOrder = oneBit >>> 0 < otherBit >>> 0;
  return { kind: 'branch', bitmap: oneBit | otherBit, children: inOrder ? [one, other] : [other, one] };
}

function replaced<T>(list: readonly T[], index: number, value: T): T[] {
  const copy = list.slice();
  copy[index] = value;
  return copy;
}

function insert<V>(node: TrieNode<V> | undefined, entry: Entry<V>, shift: number): TrieNode<V> {
  if (node === undefined) return entry;
  if (node.kind === 'entry') return node.key === entry.key ? entry : join(node, entry, shift);
  if (node.kind === 'collision') {
    const index = node.entries.findIndex((each) => each.key === entry.key);
    return index < 0 ? join(node, entry, shift) : { ...node, entries: replaced(node.entries, index, entry) };
  }
  const bit = bitOf(entry.hash, shift);
  const slot = slotOf(node.bitmap, bit);
  if ((node.bitmap & bit) === 0) {
    const children = node.children.slice();
    children.splice(slot, 0, entry);
    return { kind: 'branch', bitmap: node.bitmap | bit, children };
  }
  const child = insert(node.children[slot], entry, shift + BITS);
  return { kind: 'branch', bitmap: node.bitmap, children: replaced(node.children, slot, child) };
}

/** What is left of a node after a child shrank: a branch with one leaf becomes the leaf, as if it had never grown. */
function withChild<V>(
  node: Branch<V>,
  bit: number,
  slot: number,
  child: TrieNode<V> | undefined,
): TrieNode<V> | undefined {
  if (child === undefined) {
    if (node.children.length === 1) return undefined;
    const children = node.children.filter((_, index) => index !== slot);
    const only = children[0];
    if (children.length === 1 && only !== undefined && only.kind !== 'branch') return only;
    return { kind: 'branch', bitmap: node.bitmap & ~bit, children };
  }
  if (node.children.length === 1 && child.kind !== 'branch') return child;
  return { kind: 'branch', bitmap: node.bitmap, children: replaced(node.children, slot, child) };
}

function without<V>(node: TrieNode<V>, hash: number, key: string, shift: number): TrieNode<V> | undefined {
  if (node.kind === 'entry') return undefined;
  if (node.kind === 'collision') {
    const entries = node.entries.filter((entry) => entry.key !== key);
    return entries.length === 1 ? entries[0] : { ...node, entries };
  }
  const bit = bitOf(hash, shift);
  const slot = slotOf(node.bitmap, bit);
  const child = node.children[slot];
  return child === undefined ? node : withChild(node, bit, slot, without(child, hash, key, shift + BITS));
}

function* walk<V>(node: TrieNode<V> | undefined): Generator<Entry<V>> {
  if (node === undefined) return;
  if (node.kind === 'entry') yield node;
  else if (node.kind === 'collision') yield* node.entries;
  else for (const child of node.children) yield* walk(child);
}

/** An immutable map. Iteration order depends on the keys alone, never on how the map came to be. */
export interface PersistentMap<K extends string, V> {
  readonly size: number;
  get(key: K): V | undefined;
  has(key: K): boolean;
  set(key: K, value: V): PersistentMap<K, V>;
  delete(key: K): PersistentMap<K, V>;
  entries(): IterableIterator<readonly [K, V]>;
  keys(): IterableIterator<K>;
  values(): IterableIterator<V>;
}

/** A class, since a map is made for every change: methods on a prototype cost nothing there, closures would. */
class TrieMap<K extends string, V> implements PersistentMap<K, V> {
  constructor(
    private readonly root: TrieNode<V> | undefined,
    readonly size: number,
  ) {}

  get(key: K): V | undefined {
    return find(this.root, hashOf(key), key)?.value;
  }

  has(key: K): boolean {
    return find(this.root, hashOf(key), key) !== undefined;
  }

  set(key: K, value: V): PersistentMap<K, V> {
    const hash = hashOf(key);
    const before = find(this.root, hash, key);
    if (before !== undefined && before.value === value) return this;
    const grown = insert(this.root, { kind: 'entry', hash, key, value }, 0);
    return new TrieMap(grown, before === undefined ? this.size + 1 : this.size);
  }

  delete(key: K): PersistentMap<K, V> {
    const hash = hashOf(key);
    if (this.root === undefined || find(this.root, hash, key) === undefined) return this;
    return new TrieMap(without(this.root, hash, key, 0), this.size - 1);
  }

  *entries(): IterableIterator<readonly [K, V]> {
    for (const entry of walk(this.root)) yield [entry.key as K, entry.value];
  }

  *keys(): IterableIterator<K> {
    for (const entry of walk(this.root)) yield entry.key as K;
  }

  *values(): IterableIterator<V> {
    for (const entry of walk(this.root)) yield entry.value;
  }
}

/** A branch of a trie that is still being built: nobody else holds it, so it may be changed in place. */
interface FreshBranch<V> {
  readonly kind: 'branch';
  bitmap: number;
  readonly children: TrieNode<V>[];
}

/** Adds to a trie that is still being built, copying nothing; true when the key is new. */
function grow<V>(branch: FreshBranch<V>, entry: Entry<V>, shift: number): boolean {
  const bit = bitOf(entry.hash, shift);
  const slot = slotOf(branch.bitmap, bit);
  const child = branch.children[slot];
  if ((branch.bitmap & bit) === 0 || child === undefined) {
    branch.bitmap |= bit;
    branch.children.splice(slot, 0, entry);
    return true;
  }
  if (child.kind === 'branch') return grow(child as FreshBranch<V>, entry, shift + BITS);
  branch.children[slot] = insert(child, entry, shift + BITS);
  return find(child, entry.hash, entry.key) === undefined;
}

/** A map with these entries; later ones win. */
export function persistentMap<K extends string, V>(entries: Iterable<readonly [K, V]> = []): PersistentMap<K, V> {
  const root: FreshBranch<V> = { kind: 'branch', bitmap: 0, children: [] };
  let size = 0;
  for (const [key, value] of entries) {
    if (grow(root, { kind: 'entry', hash: hashOf(key), key, value }, 0)) size += 1;
  }
  const only = root.children[0];
  if (only === undefined) return new TrieMap<K, V>(undefined, 0);
  const isLeaf = size === 1 || (root.children.length === 1 && only.kind === 'collision');
  return new TrieMap<K, V>(isLeaf ? only : root, size);
}

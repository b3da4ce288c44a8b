import { randomBytes } from 'node:crypto';

/** A name that nothing has yet. */
export const newName = (prefix: string): string => `${prefix}-${randomBytes(4).toString('hex')}`;

/** What Nest injects by name. */
export const CONTROL_WRITER = Symbol('control writer');
export const LOGGER = Symbol('logger');
export const REFUSALS = Symbol('refusals');

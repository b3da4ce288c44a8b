const MINUTE = 60;
const HOUR = 3_600;
/** Go counts nanoseconds in 64 bits and stops at the ends: about 292 years. */
const LONGEST_SECONDS = 9_223_372_036;
const LONGEST_TEXT = '2562047h47m16.854775807s';

/** Whole seconds as Go prints a duration: `10s`, `1m0s`, `26h3m4s`. */
export function goDuration(seconds: number): string {
  if (seconds > LONGEST_SECONDS) return LONGEST_TEXT;
  if (seconds < 0) return `-${goDuration(-seconds)}`;
  const hours = Math.floor(seconds / HOUR);
  const minutes = Math.floor((seconds % HOUR) / MINUTE);
  const rest = `${String(seconds % MINUTE)}s`;
  if (hours > 0) return `${String(hours)}h${String(minutes)}m${rest}`;
  return minutes > 0 ? `${String(minutes)}m${rest}` : rest;
}

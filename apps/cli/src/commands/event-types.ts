/** Event types as people write them. */
import { controlEventSchemas, isControlEventType } from '@brickyard/contracts';
import leven from 'leven';
import { listed } from './act';

/** Further away than by this part of its letters nobody meant a type. */
const FAR = 0.4;

/**
 * What is to be said of types that no event of the control log has; nothing when all are known. It is no error: the
 * server may be of a later release, whose events have types that this one does not know.
 */
export function unknownTypesText(types: string | undefined): string | undefined {
  const unknown = listed(types).filter((type) => !isControlEventType(type));
  if (unknown.length === 0) return undefined;
  return unknown.map((type) => `no event that is known here has the type ${type}${suggestion(type)}`).join('\n');
}

function suggestion(type: string): string {
  const nearest = nearestTo(type);
  return nearest.length === 0 ? '' : `; did you mean ${nearest.join(' or ')}?`;
}

/** The known types with the fewest letters to change, upper or lower case; none when all are far away. */
function nearestTo(type: string): string[] {
  const distances = Object.keys(controlEventSchemas).map((known) => ({
    known,
    distance: leven(known.toLowerCase(), type.toLowerCase()),
  }));
  const least = Math.min(...distances.map(({ distance }) => distance));
  if (least > type.length * FAR) return [];
  return distances.filter(({ distance }) => distance === least).map(({ known }) => known);
}

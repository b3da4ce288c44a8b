/** The few keys of heketi's configuration file that the launcher itself must know; the gateway reads the rest. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const secret = z.object({ key: z.string().optional() }).optional();
const HeketiConfig = z.object({
  port: z.union([z.string(), z.int().transform(String)]).optional(),
  jwt: z.object({ admin: secret, user: secret }).optional(),
  enable_tls: z.boolean().optional(),
});
/** What the file says of the API's door. */
export type HeketiConfig = z.infer<typeof HeketiConfig>;

/** Reads the file; without one nothing is said. */
export function readHeketiConfig(file: string | undefined): HeketiConfig {
  if (file === undefined) return {};
  try {
    return HeketiConfig.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new Error(`${file} cannot be used: ${reason}`, { cause: error });
  }
}

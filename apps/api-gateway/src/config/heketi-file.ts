/** heketi's own configuration: the keys of its JSON file that mean something here, and the variables that override them. */
import { z } from 'zod';

const count = z.int().min(0).optional();

const Glusterfs = z.object({
  brick_max_size_gb: count,
  brick_min_size_gb: count,
  average_file_size_kb: count,
  max_bricks_per_volume: count,
  /** Negative: no limit. */
  max_volumes_per_cluster: z.int().optional(),
  max_inflight_operations: count,
  pre_request_volume_options: z.string().optional(),
  post_request_volume_options: z.string().optional(),
  zone_checking: z.string().optional(),
  block_hosting_volume_options: z.string().optional(),
  auto_create_block_hosting_volume: z.boolean().optional(),
  block_hosting_volume_size: count,
});

const secret = z.object({ key: z.string().optional() }).optional();

/** Keys that are not listed are ignored, as heketi does. */
export const HeketiFile = z.object({
  port: z.union([z.string(), z.int().transform(String)]).optional(),
  jwt: z.object({ admin: secret, user: secret }).optional(),
  enable_tls: z.boolean().optional(),
  cert_file: z.string().optional(),
  key_file: z.string().optional(),
  default_state: z.string().optional(),
  glusterfs: Glusterfs.optional(),
});
export type HeketiFile = z.infer<typeof HeketiFile>;

const wholeNumber = z
  .string()
  .regex(/^-?\d{1,9}$/, 'must be a whole number')
  .transform(Number);

/** The variables of heketi that are known here; they win over its file. */
export const heketiVariables = {
  HEKETI_ADMIN_KEY: z.string().optional(),
  HEKETI_USER_KEY: z.string().optional(),
  HEKETI_HTTP_PORT: z.string().optional(),
  HEKETI_JWT_IAT_LEEWAY_SECONDS: wholeNumber.pipe(z.int().min(0)).optional(),
  HEKETI_MAX_INFLIGHT_OPERATIONS: wholeNumber.optional(),
  HEKETI_PRE_REQUEST_VOLUME_OPTIONS: z.string().optional(),
  HEKETI_POST_REQUEST_VOLUME_OPTIONS: z.string().optional(),
  HEKETI_ZONE_CHECKING: z.string().optional(),
  HEKETI_BLOCK_HOSTING_VOLUME_OPTIONS: z.string().optional(),
  HEKETI_AUTO_CREATE_BLOCK_HOSTING_VOLUME: z
    .enum(['1', 't', 'T', 'true', 'TRUE', 'True', '0', 'f', 'F', 'false', 'FALSE', 'False'])
    .transform((value) => /^[1tT]/.test(value))
    .optional(),
  HEKETI_BLOCK_HOSTING_VOLUME_SIZE: wholeNumber.pipe(z.int().min(0)).optional(),
  HEKETI_DEFAULT_STATE: z.string().optional(),
  HEKETI_GLUSTER_MAX_VOLUMES_PER_CLUSTER: wholeNumber.optional(),
} as const;
export type HeketiVariables = z.infer<z.ZodObject<typeof heketiVariables>>;

/** What a command line needs of this library, without what only services do: reading all of it takes longer than most commands. */
export {
  type ApiAnswer,
  type ApiClient,
  type ApiClientOptions,
  ApiError,
  type ApiTls,
  type CallOptions,
  createApiClient,
  isPassing,
} from './api-client';
export { describeError, Unavailable } from './errors';
export { createSlots, type Slots } from './slots';

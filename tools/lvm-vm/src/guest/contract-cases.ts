/** The brick drivers' contract, for the LVM driver on a real disk. */
import { brickDriverCases, lvmSubject } from './agent';
import type { Case } from './cases';
import { DISK } from './scene';

/** Every case of the contract; this subject can do all that any of them needs. */
export const contractCases: readonly Case[] = brickDriverCases.map(({ name, run }) => ({
  name,
  run: async () => {
    const subject = lvmSubject(DISK);
    await run(subject).finally(() => subject.close());
  },
}));

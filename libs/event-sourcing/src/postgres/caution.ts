const BATCH_COMMANDS_MAX = 512;

/** How many commands may go into one batch: fewer while a command that Postgres refuses is being searched for. */
export class Caution {
  commandsMax = BATCH_COMMANDS_MAX;
  private suspects = 0;

  failed(commands: number): void {
    this.suspects = commands;
    this.commandsMax = Math.max(1, Math.floor(commands / 2));
    if (commands === 1) this.passed(1);
  }

  passed(commands: number): void {
    this.suspects -= commands;
    if (this.suspects <= 0) this.commandsMax = BATCH_COMMANDS_MAX;
  }
}

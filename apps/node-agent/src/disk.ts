/** The file system of a host, as far as the agent's own memory and the simulated bricks need it. */

/** A file that grows at its end. */
export interface AppendFile {
  size(): Promise<number>;
  append(text: string): Promise<void>;
  /** Resolves when everything appended survives a power cut. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** Errors are the operating system's, with its codes: ENOENT, EEXIST, ENOSPC … */
export interface Disk {
  exists(path: string): boolean;
  read(path: string): string;
  /** Names in a directory. */
  list(path: string): readonly string[];
  /** Makes the file or replaces its content; without `sync` a power cut may lose it. */
  write(path: string, text: string, options: { readonly mode: number; readonly sync: boolean }): void;
  rename(from: string, to: string): void;
  /** Names made, changed or removed in it survive a power cut from now on. */
  syncDirectory(path: string): void;
  /** With everything above it. */
  makeDirectories(path: string): void;
  /** Without `sync` nobody will ask for it: what is appended need only outlive the process. */
  openAppend(path: string, options: { readonly mode: number; readonly sync: boolean }): Promise<AppendFile>;
  makeDirectory(path: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  /** Refused while it holds anything. */
  removeDirectory(path: string): Promise<void>;
  removeTree(path: string): Promise<void>;
  isDirectory(path: string): Promise<boolean>;
  /** Members of the group may write there; who may not give directories away leaves the owner as it is. */
  giveToGroup(path: string, gid: number): Promise<void>;
}

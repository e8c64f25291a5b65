/** What the database runs with, for a scheduler on one small machine. `extra` wins, except over where it listens. */
export function serverSettings(socketDir: string, extra: Record<string, string> = {}): Record<string, string> {
  return {
    // An acknowledged task is on disk.
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",

    max_connections: "100",
    shared_buffers: "128MB",
    huge_pages: "off",
    max_wal_size: "1GB",
    min_wal_size: "128MB",
    // The one method that every build has takes 0.2 ms of processor time per page, more than the disk saves.
    wal_compression: "off",
    autovacuum: "on",
    // Short statements only: compiling them costs more than it saves, and parallel ones would need more of /dev/shm than
    // a container has.
    jit: "off",
    max_parallel_workers_per_gather: "0",
    max_parallel_maintenance_workers: "0",
    random_page_cost: "1.1",

    timezone: "UTC",
    log_timezone: "UTC",
    lc_messages: "C",
    log_line_prefix: "%m [%p] ",
    log_checkpoints: "off",
    log_autovacuum_min_duration: "-1",
    logging_collector: "off",
    log_destination: "stderr",
    ...extra,

    // Reached through a private folder only, by its owner and root.
    listen_addresses: "",
    unix_socket_directories: socketDir,
    unix_socket_permissions: "0700",
    port: "5432",
  };
}

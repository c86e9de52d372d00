-- Records of changes whose lines may not be written yet: kept in the change's own transaction, deleted once the line is on
-- the log's disk. What stays for longer was left by a process that died.
CREATE TABLE journal (
    -- A UUID of version 7, so the oldest come first.
    event_id uuid PRIMARY KEY,
    line text NOT NULL
);
-- Short but busy, like the outbox.
ALTER TABLE journal SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

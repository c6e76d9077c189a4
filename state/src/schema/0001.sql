-- Every row that can be changed or counted has a body (canonical JSON) and a seal (32 bytes over
-- table, key and body). Key columns stand beside the body, so that SQLite can find and relate
-- rows; they are part of the seal.

-- One row: whose state this is, the highest fence ever granted, the roster of tenants.
CREATE TABLE installation (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;

-- One row for each tenant: status, head, inputs, how many runs and snapshots there are.
CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY,
    body   BLOB NOT NULL,
    seal   BLOB NOT NULL
) STRICT;

-- One row for each tenant, held or free. It stands alone so that a damaged lock can be cleared.
CREATE TABLE locks (
    tenant TEXT PRIMARY KEY REFERENCES tenants,
    body   BLOB NOT NULL,
    seal   BLOB NOT NULL
) STRICT;

-- Records by content: one row for each digest, however many snapshots hold it.
CREATE TABLE bodies (
    digest BLOB PRIMARY KEY,
    body   BLOB NOT NULL
) STRICT;

-- The manifest is the hashed form of a snapshot, so the id is its digest.
CREATE TABLE snapshots (
    id       BLOB PRIMARY KEY,
    tenant   TEXT NOT NULL REFERENCES tenants,
    serial   INTEGER NOT NULL,
    body     BLOB NOT NULL,
    seal     BLOB NOT NULL,
    manifest BLOB NOT NULL,
    UNIQUE (tenant, serial)
) STRICT;

-- What a look at the world needs of each tenant's head: remote ids and tokens, without bodies.
CREATE TABLE tokens (
    tenant TEXT PRIMARY KEY REFERENCES tenants,
    body   BLOB NOT NULL,
    seal   BLOB NOT NULL
) STRICT;

-- One row for each run; at most one of a tenant is open.
CREATE TABLE runs (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL REFERENCES tenants,
    open   INTEGER NOT NULL CHECK (open IN (0, 1)),
    body   BLOB NOT NULL,
    seal   BLOB NOT NULL
) STRICT;
CREATE INDEX runs_of_a_tenant ON runs (tenant, id);
CREATE UNIQUE INDEX one_open_run ON runs (tenant) WHERE open = 1;

-- The plan of a run, for as long as the run is open: recovery reads the intents from it.
CREATE TABLE plans (
    run  INTEGER PRIMARY KEY REFERENCES runs,
    body BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;

-- Changes to the record alone, for as long as the run is open.
CREATE TABLE edits (
    run   INTEGER NOT NULL REFERENCES runs,
    place INTEGER NOT NULL,
    body  BLOB NOT NULL,
    seal  BLOB NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;

-- One row for each action that was ever started.
CREATE TABLE journal (
    run   INTEGER NOT NULL REFERENCES runs,
    place INTEGER NOT NULL,
    body  BLOB NOT NULL,
    seal  BLOB NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;

-- The hash of a row covers the hash of the row before it. Rows are never changed or deleted.
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit row is never changed');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit row is never deleted');
END;

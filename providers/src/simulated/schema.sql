-- One object of the cloud: `asked` is what its owner set, `overlay` all that is otherwise.
CREATE TABLE object (
    serial     INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    remote_id  TEXT NOT NULL,
    token      TEXT NOT NULL,
    birth      BLOB NOT NULL,
    revision   INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    place      TEXT,
    -- The owner mark; all five are there or none.
    installation TEXT,
    tenant       TEXT,
    address      TEXT,
    generation   INTEGER,
    run          TEXT,
    asked   TEXT NOT NULL,
    overlay TEXT NOT NULL,
    outputs TEXT NOT NULL,
    secrets TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX object_name ON object (kind, name);
-- The token stands in the index, so that an unchanged object is known without its row.
CREATE INDEX object_remote ON object (kind, remote_id, token);
CREATE UNIQUE INDEX object_owner ON object (tenant, address, installation) WHERE tenant IS NOT NULL;
CREATE INDEX object_nobodys ON object (kind) WHERE tenant IS NULL;
CREATE INDEX object_place ON object (place) WHERE place IS NOT NULL;
CREATE INDEX tenant_name ON object (json_extract(asked, '$.name')) WHERE kind = 'tenant.record';

-- How many objects of a name are gone, so that no later one ever gets their ids.
CREATE TABLE grave (
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    lives INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Numbers of the world itself: its seed, and the ticks of its clock.
CREATE TABLE fact (word TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- Scripted faults with how many calls matched and how many were struck.
CREATE TABLE fault (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    rule    TEXT NOT NULL,
    matched INTEGER NOT NULL DEFAULT 0,
    struck  INTEGER NOT NULL DEFAULT 0
) STRICT;
-- Every fault that struck, scripted or by chance.
CREATE TABLE struck (
    fault TEXT NOT NULL,
    op    TEXT NOT NULL,
    kind  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (fault, op, kind)
) STRICT, WITHOUT ROWID;
-- How much there is room for; what is not named has no end.
CREATE TABLE capacity (resource TEXT PRIMARY KEY, total INTEGER NOT NULL) STRICT, WITHOUT ROWID;

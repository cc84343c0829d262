-- Who did what (room.audit): a chain, each hash over the one before and the entry's text.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,      -- from 1, without gaps
  at REAL NOT NULL,             -- these four again, out of `body`, to ask by
  operator TEXT NOT NULL,
  action TEXT NOT NULL,
  node TEXT,                    -- by name: it outlives the node
  body TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_nodes ON audit (node, seq) WHERE node IS NOT NULL;

-- Lamps that are locked off (room.tags).
CREATE TABLE tags (
  node INTEGER PRIMARY KEY REFERENCES nodes (id),
  author TEXT NOT NULL,
  reason TEXT NOT NULL,
  at REAL NOT NULL,
  renewed REAL NOT NULL         -- when the node was last told
) STRICT;

-- What one shift leaves to the next.
CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  operator TEXT NOT NULL,
  body TEXT NOT NULL,
  seq INTEGER NOT NULL,         -- of the audit's last entry then
  head BLOB NOT NULL            -- its hash
) STRICT;

-- Who did what (room.audit): a chain, each hash over the one before and the entry's text.
CREATE TABLE audit (
  seq bigint PRIMARY KEY,       -- from 1, without gaps
  at double precision NOT NULL, -- these four again, out of `body`, to ask by
  operator text NOT NULL,
  action text NOT NULL,
  node text,                    -- by name: it outlives the node
  body text NOT NULL,
  hash bytea NOT NULL
);
CREATE INDEX audit_nodes ON audit (node, seq) WHERE node IS NOT NULL;

-- Lamps that are locked off (room.tags).
CREATE TABLE tags (
  node integer PRIMARY KEY REFERENCES nodes (id),
  author text NOT NULL,
  reason text NOT NULL,
  at double precision NOT NULL,
  renewed double precision NOT NULL  -- when the node was last told
);

-- What one shift leaves to the next.
CREATE TABLE notes (
  id integer PRIMARY KEY,
  at double precision NOT NULL,
  operator text NOT NULL,
  body text NOT NULL,
  seq bigint NOT NULL,          -- of the audit's last entry then
  head bytea NOT NULL           -- its hash
);

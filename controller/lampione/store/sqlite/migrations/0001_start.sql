-- Times are Unix seconds; of the wire (frames.at) whole ones, else fractions.

CREATE TABLE nodes (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  line TEXT,                    -- fleet.sequences.Line as JSON, committed with the frames it counts
  counter INTEGER NOT NULL DEFAULT 0,  -- the last one given to a command
  hello BLOB,                   -- text of the last accepted hello
  hello_at REAL
) STRICT;

-- One boot of a node. Identity of a frame is (node, epoch, boot, seq).
CREATE TABLE epochs (
  id INTEGER PRIMARY KEY,
  node INTEGER NOT NULL REFERENCES nodes (id),
  epoch BLOB NOT NULL,
  boot INTEGER NOT NULL,
  first_seq INTEGER,            -- NULL until its hello
  hello_at REAL,
  superseded INTEGER NOT NULL DEFAULT 0,  -- the node's flash was wiped or restored since
  UNIQUE (node, epoch, boot)
) STRICT;

CREATE TABLE frames (
  epoch INTEGER NOT NULL REFERENCES epochs (id),
  seq INTEGER NOT NULL,
  type INTEGER NOT NULL,
  received REAL NOT NULL,
  at INTEGER,                   -- of the message; NULL: the node did not know the time
  body BLOB NOT NULL,           -- opened, as encoded by the node
  PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE losses (
  id INTEGER PRIMARY KEY,
  node INTEGER NOT NULL REFERENCES nodes (id),
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  at REAL NOT NULL,
  why TEXT NOT NULL
) STRICT;
CREATE INDEX losses_node ON losses (node);

CREATE TABLE commands (
  id INTEGER PRIMARY KEY,
  node INTEGER NOT NULL REFERENCES nodes (id),
  "order" TEXT NOT NULL,        -- JSON, as people gave it
  state TEXT NOT NULL,
  final INTEGER NOT NULL,
  counter INTEGER,
  epoch BLOB,                   -- that `frame` is sealed under
  frame BLOB,                   -- the sealed bytes, sent again as they are
  reason TEXT,
  level INTEGER,
  value INTEGER,
  created REAL NOT NULL,
  expires REAL NOT NULL,
  changed REAL NOT NULL
) STRICT;
CREATE INDEX commands_node ON commands (node, id);
CREATE INDEX commands_open ON commands (final) WHERE final = 0;

CREATE TABLE refusals (
  node TEXT NOT NULL,           -- '': of no node that we know
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  last REAL NOT NULL,
  PRIMARY KEY (node, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE totals (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

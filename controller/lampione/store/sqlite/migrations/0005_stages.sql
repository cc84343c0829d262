-- Rollouts in stages (fleet.stages), whatever is rolled out.
CREATE TABLE stages (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,           -- of what: 'config'
  author TEXT NOT NULL,
  created REAL NOT NULL,
  changed REAL NOT NULL,
  state TEXT NOT NULL,
  wave INTEGER NOT NULL,        -- from 0
  until REAL,                   -- of a soak
  why TEXT,                     -- it stopped
  forgiven INTEGER NOT NULL,    -- failures of this wave that people went on in spite of
  insisted INTEGER NOT NULL,    -- people went on though no node has taken it
  rules TEXT NOT NULL,          -- JSON
  options TEXT NOT NULL         -- JSON, the kind's
) STRICT;

CREATE TABLE stage_nodes (
  stages INTEGER NOT NULL REFERENCES stages (id),
  node INTEGER NOT NULL REFERENCES nodes (id),
  wave INTEGER NOT NULL,
  phase TEXT NOT NULL,
  asked INTEGER NOT NULL,       -- what the phase asks of the node was done
  mark INTEGER NOT NULL,        -- what the kind knows this attempt by
  reason TEXT,
  changed REAL NOT NULL,
  payload BLOB,                 -- what the node is to get, sealed; NULL: it is not needed again
  PRIMARY KEY (stages, node)
) STRICT, WITHOUT ROWID;

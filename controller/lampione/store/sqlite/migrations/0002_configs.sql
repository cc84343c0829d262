-- Configs that nodes were given or are to be given; the last few of each.
CREATE TABLE configs (
  node INTEGER NOT NULL REFERENCES nodes (id),
  version INTEGER NOT NULL,
  digest BLOB NOT NULL,         -- first bytes of the SHA-256
  sealed BLOB NOT NULL,         -- under a key of the node's: the database holds no secret
  created REAL NOT NULL,
  confirmed REAL,               -- when the node was known to run it for good
  PRIMARY KEY (node, version)
) STRICT, WITHOUT ROWID;

-- The last rollout to each node.
CREATE TABLE rollouts (
  node INTEGER PRIMARY KEY REFERENCES nodes (id),
  version INTEGER NOT NULL,
  phase TEXT NOT NULL,
  sent INTEGER NOT NULL,        -- bytes that the node said it holds
  trial_s INTEGER NOT NULL,
  first_counter INTEGER NOT NULL,  -- results of earlier Setups are of another rollout
  epoch BLOB,                   -- the node's when it was told to apply
  reason TEXT,
  created REAL NOT NULL,
  changed REAL NOT NULL
) STRICT;

-- What nodes say most often (store.SERIES) comes in batches and is folded; see docs/store.md.

CREATE TABLE batches (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: `folding` counts by it
  count INTEGER NOT NULL,
  oldest REAL NOT NULL,         -- of arrival
  newest REAL NOT NULL,
  body BLOB NOT NULL            -- store.batches
) STRICT;

CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  node INTEGER NOT NULL,
  type INTEGER NOT NULL,
  start INTEGER NOT NULL,       -- a multiple of `span`
  span INTEGER NOT NULL,        -- 3600 or 86400 s
  count INTEGER NOT NULL,
  body BLOB NOT NULL            -- store.chunks
) STRICT;
CREATE UNIQUE INDEX chunks_place ON chunks (node, type, start, span);

CREATE TABLE rollups (
  id INTEGER PRIMARY KEY,
  level INTEGER NOT NULL,       -- seconds of a bucket
  start INTEGER NOT NULL,
  measure TEXT NOT NULL,
  block INTEGER NOT NULL,       -- nodes 1024 * block and on
  body BLOB NOT NULL            -- rollup.Block
) STRICT;
CREATE UNIQUE INDEX rollups_place ON rollups (level, measure, start, block);

-- The newest report and health of each folded node, so that a start need not look for them.
CREATE TABLE newest (
  block INTEGER NOT NULL,
  type INTEGER NOT NULL,
  body BLOB NOT NULL,           -- store.batches
  PRIMARY KEY (block, type)
) STRICT;

-- One row. Of the batches up to `upto` the blocks up to `done` are in chunks; -1: none.
CREATE TABLE folding (
  upto INTEGER NOT NULL,
  done INTEGER NOT NULL,
  old INTEGER NOT NULL          -- not 0: rows of such messages are in `frames`, by an older program
) STRICT;
INSERT INTO folding SELECT 0, -1, EXISTS (SELECT 1 FROM frames WHERE type IN (2, 3, 4, 14));

ALTER TABLE epochs ADD COLUMN held BLOB;  -- store.held: the numbers that are folded

CREATE INDEX frames_events ON frames (received) WHERE type = 5;

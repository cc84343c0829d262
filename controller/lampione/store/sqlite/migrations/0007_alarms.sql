-- Conditions of nodes and of the controller (alarms.book), by name: they outlive the node.
CREATE TABLE alarms (
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,        -- a node, or the cause of many in words
  node TEXT,                    -- NULL: a cause
  shard TEXT NOT NULL,          -- whose worker judges it
  rule TEXT NOT NULL,
  what TEXT NOT NULL,
  severity TEXT NOT NULL,
  active INTEGER NOT NULL,
  since REAL NOT NULL,          -- of the last time it began, by the sample's time
  raised REAL NOT NULL,         -- when it was learned of
  changed REAL NOT NULL,
  cleared REAL,                 -- by the sample's time
  count INTEGER NOT NULL,
  value TEXT,
  "limit" TEXT,
  mend TEXT,
  acked REAL,
  acked_by TEXT,
  assignee TEXT,
  note TEXT,
  shelved REAL,                 -- until then
  members TEXT NOT NULL         -- JSON: nodes, of a cause
) STRICT;
CREATE INDEX alarms_standing ON alarms (id) WHERE active <> 0 OR acked IS NULL;

-- When each was so: what comes late is judged against these.
CREATE TABLE alarm_episodes (
  subject TEXT NOT NULL,
  rule TEXT NOT NULL,
  begin INTEGER NOT NULL,
  "end" INTEGER,                -- NULL: it is so
  alarm INTEGER NOT NULL,
  PRIMARY KEY (subject, rule, begin)
) STRICT, WITHOUT ROWID;

-- From when on messages of a node have to be judged again: they came late.
CREATE TABLE alarm_late (
  node TEXT NOT NULL,
  message TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (node, message)
) STRICT, WITHOUT ROWID;
